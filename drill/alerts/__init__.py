"""A drill of the alerts: each fires in the trouble that it is for, and none without trouble."""
