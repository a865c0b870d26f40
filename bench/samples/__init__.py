"""Sample posts, which train and measure the dictionary of bodies."""
