"""The faults of a drill: what each does, when it is planned, and its injection."""
