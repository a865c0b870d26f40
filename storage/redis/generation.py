"""Empties a cache that comes back with old data, before it is read (docs/decisions/0007)."""

import threading
from collections.abc import Mapping, Sequence
from typing import Any

import redis
import structlog
from redis.asyncio.connection import AbstractConnection as AsyncConnection
from redis.connection import Connection

from observing.metrics import CACHE_EMPTIED
from storage.redis.protocol import pack
from storage.redis.scripts import source

KEY = "generation"
"""The key of a database's generation: its server's run_id and a number, and its layout.
It never expires."""
LAYOUT = 2
"""The number of the layout of keys and values. It rises when old processes would misread them.
1: keys without hash tags."""
CLIENT_NAME = f"photofeed-{LAYOUT}"
"""The name of every checked connection (CLIENT SETNAME)."""
CHECK_COMMANDS = 2
"""Commands of a check."""
COMMANDS_ON_KEYS = frozenset(
    {
        *("get", "set", "mget", "exists", "del", "unlink", "ttl", "expire"),
        *("lrange", "lindex", "llen", "rpushx", "ltrim", "sort_ro", "sadd", "srem", "spop"),
        *("eval", "evalsha", "script"),
    }
)
"""A process of ours sends one of these last on each connection, in any layout."""
EMPTY_AGAIN_MS = 60_000
"""The shortest time between two emptyings of a database because of its number. A database that is
due for another one sooner is refused: two servers alternate behind one address."""
REFUSAL_REASONS = {
    b"alternating": "two servers alternate behind its address, and each has a part of the data",
    b"queue": "its address is that of a server with job queues, and emptying it would delete them",
}
"""Why a database is neither read nor emptied, by the script's code."""

log = structlog.get_logger()


class UncheckedError(redis.RedisError):
    """The database cannot be checked, or must not be emptied. None of its data may be used."""


class OtherLayoutError(UncheckedError):
    """The keys of the database have another layout. None of them may be read or written."""

    def __init__(self) -> None:
        super().__init__(
            "its data has the layout of another version: stop all processes of the other version, "
            "then run `python -m api init`"
        )


class Generation:
    """Checks each new connection to a cache, before any other command is sent on it.

    With `replaces_layout` it empties a database of another layout instead of refusing it: then no
    process of the other layout may run.
    """

    def __init__(self, *, replaces_layout: bool = False) -> None:
        self._script = source("generation").encode()
        self._replaces_layout = replaces_layout
        self._lock = threading.Lock()
        self._newest = 0

    def check(self, connection: Connection) -> None:
        """Sign in, and empty the database if its data is older than its server.

        redis-py calls this for each new connection, and closes the connection if this raises. It
        costs one more round trip per connection, and none per command. Raises UncheckedError.
        """
        connection.on_connect()  # type: ignore[no-untyped-call]
        connection.send_packed_command([self.pack_check()], check_health=False)  # type: ignore[no-untyped-call]
        self.take_replies([_read_reply(connection) for _ in range(CHECK_COMMANDS)])

    async def check_async(self, connection: AsyncConnection) -> None:
        """The same for a connection of an event loop, which has signed in already."""
        await connection.send_packed_command([self.pack_check()], check_health=False)
        self.take_replies([await _read_async_reply(connection) for _ in range(CHECK_COMMANDS)])

    def pack_check(self) -> bytes:
        """The packed commands of the check, CHECK_COMMANDS: the connection's name, the script."""
        numbers = self._newest, EMPTY_AGAIN_MS, LAYOUT, int(self._replaces_layout)
        script = pack(b"EVAL", self._script, 1, KEY.encode(), *numbers)
        return pack(b"CLIENT", b"SETNAME", CLIENT_NAME.encode()) + script

    def take_replies(self, replies: Sequence[Any]) -> None:
        """Return if the replies to `pack_check` allow the connection. Raises UncheckedError.

        A server may refuse the name: then `python -m api init` of another layout cannot know this
        connection.
        """
        reply = replies[-1]
        if isinstance(reply, redis.ResponseError):
            raise UncheckedError(
                f"the check for old data failed: its user needs EVAL, INFO, DBSIZE and FLUSHDB, "
                f"and the server must not be a replica ({reply})"
            ) from reply
        number, why, keys = reply
        if why == b"other-layout":
            log.error("cache refused", why=why.decode())
            raise OtherLayoutError
        if why in REFUSAL_REASONS:
            log.error("cache refused", why=why.decode())
            raise UncheckedError(REFUSAL_REASONS[why])
        with self._lock:
            self._newest = max(self._newest, number)
        if keys:
            CACHE_EMPTIED.labels(why=why.decode()).inc()
            log.warning("cache emptied", why=why.decode(), keys=keys)


def addresses_of_other_layouts(
    clients: Sequence[Mapping[str, str]], database: int
) -> Sequence[str]:
    """The addresses of connections that use the database's keys without our client name. Pure.

    `clients`: the fields of CLIENT LIST. Exporters and consoles are left out: they read no keys.
    """
    return [
        client["addr"]
        for client in clients
        if client["name"] != CLIENT_NAME
        and client["db"] == str(database)
        and client["cmd"].partition("|")[0] in COMMANDS_ON_KEYS
    ]


def _read_reply(connection: Connection) -> Any:
    try:
        return connection.read_response()
    except redis.ResponseError as error:
        return error


async def _read_async_reply(connection: AsyncConnection) -> Any:
    try:
        return await connection.read_response()
    except redis.ResponseError as error:
        return error
