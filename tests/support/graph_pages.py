"""Turns at the graph for readers of pages without an API."""

from feed.graph_pages import GraphPages, graph_time
from storage import Storage

UNBOUNDED_SECONDS = 1e6


def unbounded_pages(storage: Storage) -> GraphPages:
    """Turns that refuse no user for the time that their pages cost."""
    return GraphPages(storage.limits, graph_time(UNBOUNDED_SECONDS))
