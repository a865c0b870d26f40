"""The graph in Neo4j: users, follows, posts, photos, notifications, exports, reports, events."""

import time
from types import TracebackType
from typing import Self

from graph.accounts import Accounts
from graph.blocks import Blocks
from graph.connection import Connection
from graph.events import Events
from graph.exports import Exports
from graph.follows import Follows
from graph.idempotency_keys import IdempotencyKeys
from graph.moderation import Moderation
from graph.notification_settings import NotificationSettingsOfUsers
from graph.notifications import Notifications
from graph.photos import Photos
from graph.posts import Posts
from graph.push_subscriptions import PushSubscriptions
from graph.queries import load
from graph.read_positions import ReadPositions
from graph.reports import Reports
from graph.sessions import Sessions
from graph.settings import GraphSettings
from graph.users import Users

__all__ = ["Graph", "GraphSettings"]

NOW = load("health/now")


class Graph:
    """All repositories over one connection; open one Graph a process, after a fork."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.users = Users(connection)
        self.accounts = Accounts(connection)
        self.sessions = Sessions(connection)
        self.push_subscriptions = PushSubscriptions(connection)
        self.follows = Follows(connection, self.users)
        self.blocks = Blocks(connection)
        self.idempotency_keys = IdempotencyKeys(connection)
        self.photos = Photos(connection, self.idempotency_keys)
        self.posts = Posts(connection, self.users, self.idempotency_keys)
        self.read_positions = ReadPositions(connection)
        self.notifications = Notifications(connection)
        self.notification_settings = NotificationSettingsOfUsers(connection)
        self.reports = Reports(connection)
        self.moderation = Moderation(connection)
        self.exports = Exports(connection)
        self.events = Events(connection)

    @classmethod
    def open(cls, settings: GraphSettings, *, circuit: bool = False) -> Self:
        """A graph with these settings; it connects on the first call.

        With `circuit`, calls fail at once while the graph is unavailable. The API uses it, because
        other requests need the thread. A worker has no other work and waits instead.
        """
        return cls(Connection(settings, circuit=circuit))

    def close(self) -> None:
        """Close the connections."""
        self.connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def circuit_open(self) -> bool:
        """Whether calls fail at once because the graph is unavailable; False without a circuit."""
        return self.connection.circuit_open

    def ping(self) -> None:
        """Return if the graph answers within two seconds, else raise GraphUnavailableError."""
        self.connection.ping()

    def clock_offset_seconds(self) -> float:
        """This host's clock minus the graph's, in seconds; accurate to half a round trip."""
        before = time.time()
        graph_ms = int(self.connection.read(NOW)[0]["now_ms"])
        return (before + time.time()) / 2 - graph_ms / 1000
