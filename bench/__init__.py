"""Measures the running product: each figure is a ratio to a peer or a limit."""
