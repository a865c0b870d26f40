"""Exports: a user's own data in zip files, made part by part, kept for a day."""
