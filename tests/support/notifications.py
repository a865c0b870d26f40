"""A user's notifications as tests look at them, and times to make some for."""

import time

from graph import Graph
from graph.ids import MAX_ID
from graph.notifications import NotificationGroup
from tests.support.town import Town

DAY_MS = 86_400_000
NOON_MS = (time.time_ns() // 1_000_000 // DAY_MS - 1) * DAY_MS + DAY_MS // 2
"""Noon of yesterday (UTC)."""


def groups_of(graph: Graph, user_id: int) -> list[NotificationGroup]:
    """All groups, newest first."""
    groups, next_position = graph.notifications.groups(user_id, before=MAX_ID, limit=100)
    assert next_position is None
    return groups


def texts_of(graph: Graph, user_id: int) -> list[str]:
    """Their texts."""
    return [group.text for group in groups_of(graph, user_id)]


def one_a_pair_and_day(town: Town, user_id: int) -> bool:
    """Whether there are some, and at most one of an actor and day."""
    keys = [(one["actor_id"], one["day"]) for one in town.notifications_of(user_id)]
    return len(keys) == len(set(keys)) > 0
