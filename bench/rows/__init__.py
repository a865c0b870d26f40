"""The rows of the table, a module a subject; table.py lists all of them."""
