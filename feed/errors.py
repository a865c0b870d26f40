"""Errors of reading a feed."""


class FeedBusyError(Exception):
    """Too many pages of this process, of feeds or notifications, need the graph at once."""


class GraphShareUsedError(FeedBusyError):
    """The user has a page in progress that needs the graph, or has used up their time of it."""

    def __init__(self, text: str, *, retry_after: int) -> None:
        super().__init__(text)
        self.retry_after = retry_after
        """In seconds."""
