"""Tools that the drill and the tests share."""
