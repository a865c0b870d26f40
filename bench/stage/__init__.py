"""What the rows are measured on: stores, servers, a town of users, and the proof of results."""
