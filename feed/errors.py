"""Errors of reading a feed."""


class FeedBusyError(Exception):
    """Too many feed pages of this process need the graph at once."""
