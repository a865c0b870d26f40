"""Empties a cache that comes back with old data, before it is read (docs/decisions/0007)."""

import threading

import redis
import structlog
from redis.connection import Connection

from observing.metrics import CACHE_EMPTIED
from storage.redis.scripts import source

KEY = "generation"
"""The key of a database's generation: its server's run_id and a number. It never expires."""
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


class Generation:
    """Checks each new connection to a cache, before any other command is sent on it."""

    def __init__(self) -> None:
        self._script = source("generation")
        self._lock = threading.Lock()
        self._newest = 0

    def check(self, connection: Connection) -> None:
        """Sign in, and empty the database if its data is older than its server.

        redis-py calls this for each new connection, and closes the connection if this raises. It
        costs one more round trip per connection, and none per command. Raises UncheckedError.
        """
        connection.on_connect()  # type: ignore[no-untyped-call]
        command = ("EVAL", self._script, 1, KEY, self._newest, EMPTY_AGAIN_MS)
        connection.send_command(*command, check_health=False)  # type: ignore[no-untyped-call]
        try:
            number, why, keys = connection.read_response()
        except redis.ResponseError as error:
            raise UncheckedError(
                f"the check for old data failed: its user needs EVAL, INFO, DBSIZE and FLUSHDB, "
                f"and the server must not be a replica ({error})"
            ) from error
        if why in REFUSAL_REASONS:
            log.error("cache refused", why=why.decode())
            raise UncheckedError(REFUSAL_REASONS[why])
        with self._lock:
            self._newest = max(self._newest, number)
        if keys:
            CACHE_EMPTIED.labels(why=why.decode()).inc()
            log.warning("cache emptied", why=why.decode(), keys=keys)
