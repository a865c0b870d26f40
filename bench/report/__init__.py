"""The report of a run: the result file, and tables, picture, comparison and costs made of it."""
