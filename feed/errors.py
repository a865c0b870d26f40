"""Errors of reading a feed."""


class FeedBusyError(Exception):
    """Too many pages of this process, of feeds or notifications, need the graph at once."""
