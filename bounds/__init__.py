"""Bounds on concurrent work, shared by several packages. Imports none of them."""
