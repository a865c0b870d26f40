"""What reading a feed refuses."""


class FeedBusyError(Exception):
    """More feeds want the graph at once than it is asked for."""
