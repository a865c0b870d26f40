"""What the rows are compared with, and the clients that load either side."""
