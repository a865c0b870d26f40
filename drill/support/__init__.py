"""Tools without knowledge of the drill, which the tests use too."""
