"""Bounds that several rooms share. Knows nothing of the rest."""
