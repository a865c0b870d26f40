"""What notices need of Redis: what is new, what has been told, and who watches whom."""
