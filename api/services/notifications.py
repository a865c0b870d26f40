"""Notifications: read from the graph in turn, as each read looks up to 1,000 of them up."""

from feed.graph_pages import GraphPages
from graph import Graph
from graph.notifications import NotificationGroup, UnreadNotifications


def groups(
    graph: Graph, graph_pages: GraphPages, user_id: int, *, before: int, limit: int
) -> tuple[list[NotificationGroup], int | None]:
    """A page of the user's notifications, and `before` for the next one; None without one.

    Raises FeedBusyError if too many pages, of feeds too, wait for the graph, GraphShareUsedError
    if the user's have cost it too much.
    """
    with graph_pages.page(user_id, "notifications"):
        return graph.notifications.groups(user_id, before=before, limit=limit)


def unread(graph: Graph, graph_pages: GraphPages, user_id: int) -> UnreadNotifications:
    """The number of the user's unread notifications. Raises as `groups` does."""
    with graph_pages.page(user_id, "notifications"):
        return graph.notifications.unread(user_id)
