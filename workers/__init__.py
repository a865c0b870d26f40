"""Work after the response: the events' work, and removal of what has expired."""
