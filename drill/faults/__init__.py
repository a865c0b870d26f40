"""Every fault that the drill injects, and when it injects them."""
