"""The commands of `python -m stack`, a module a subject."""
