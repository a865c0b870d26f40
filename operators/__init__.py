"""Tools for operators: the admin app, the commands `flask events | feed | graph`, and `init`."""
