"""The operators' app."""
