"""The rows of the table: a module a subject, the type of a row, and the list of all rows."""
