"""The facts, in Neo4j: who follows whom, who posted what, and the work that is owed."""

import time
from types import TracebackType
from typing import Self

from graph.blocks import Blocks
from graph.connection import Connection, GraphSettings
from graph.events import Events
from graph.follows import Follows
from graph.idempotency_keys import IdempotencyKeys
from graph.photos import Photos
from graph.posts import Posts
from graph.queries import load
from graph.read_positions import ReadPositions
from graph.sessions import Sessions
from graph.users import Users

__all__ = ["Graph", "GraphSettings"]

NOW = load("health/now")


class Graph:
    """Every repository, over one connection: one of these a process, made after a fork."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.users = Users(connection)
        self.sessions = Sessions(connection)
        self.follows = Follows(connection, self.users)
        self.blocks = Blocks(connection)
        self.idempotency_keys = IdempotencyKeys(connection)
        self.photos = Photos(connection, self.idempotency_keys)
        self.posts = Posts(connection, self.users, self.idempotency_keys)
        self.read_positions = ReadPositions(connection)
        self.events = Events(connection)

    @classmethod
    def open(cls, settings: GraphSettings, *, circuit: bool = False) -> Self:
        """The graph at these settings; connections are made when they are needed.

        With `circuit` calls fail at once while the graph is away: for processes that have others
        waiting. A worker rather waits, as nothing else is its to do.
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
    def away(self) -> bool:
        """Whether the graph is known not to answer; never without a circuit."""
        return self.connection.away

    def ping(self) -> None:
        """Return if the graph answers within two seconds, else raise GraphUnavailableError."""
        self.connection.ping()

    def clock_offset_seconds(self) -> float:
        """How far this host's clock is ahead of the graph's, to half a round trip."""
        before = time.time()
        graph_ms = int(self.connection.read(NOW)[0]["now_ms"])
        return (before + time.time()) / 2 - graph_ms / 1000
