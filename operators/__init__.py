"""What operators use: the admin app, the `flask events | feed | graph` commands, `init`."""
