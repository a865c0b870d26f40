"""Clients that act for users and record every operation."""
