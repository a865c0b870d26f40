"""What is made of a run: the result file, tables, pictures, costs."""
