"""A cache that comes back with old data is emptied before it is read (docs/decisions/0007)."""

import threading

import redis
import structlog
from redis.connection import Connection

from observing.metrics import CACHE_EMPTIED
from storage.redis.scripts import source

KEY = "generation"
"""Where a database keeps its server's run_id and the number of its generation. It never expires."""
LEFT_ALONE_MS = 60_000
"""How long a database just emptied is refused rather than emptied again for its number. It is such
only where two servers take turns behind one address."""
REFUSED = {
    b"alternating": "two servers take turns behind its address, and each knows a part",
    b"queue": "its address is that of a server with job queues, which would be emptied",
}
"""What is said of a database that is neither read nor emptied."""

log = structlog.get_logger()


class UncheckedError(redis.RedisError):
    """The server cannot be checked, or must not be emptied: nothing in it may be believed."""


class Generation:
    """Checks each new connection to a cache, before anything else is sent on it."""

    def __init__(self) -> None:
        self._script = source("generation")
        self._lock = threading.Lock()
        self._newest = 0

    def check(self, connection: Connection) -> None:
        """Signs in, and has the database emptied if it is older than its server.

        Given to redis-py as what to do with a connection just made; one that this raises for is
        closed. One round trip more for each connection, none for what is then sent on it.
        """
        connection.on_connect()  # type: ignore[no-untyped-call]
        asked = ("EVAL", self._script, 1, KEY, self._newest, LEFT_ALONE_MS)
        connection.send_command(*asked, check_health=False)  # type: ignore[no-untyped-call]
        try:
            number, why, keys = connection.read_response()
        except redis.ResponseError as error:
            raise UncheckedError(
                f"it cannot be checked for old data, for which its user must be allowed EVAL, "
                f"INFO, DBSIZE and FLUSHDB, and it must be no replica ({error})"
            ) from error
        if why in REFUSED:
            log.error("cache refused", why=why.decode())
            raise UncheckedError(REFUSED[why])
        with self._lock:
            self._newest = max(self._newest, number)
        if keys:
            CACHE_EMPTIED.labels(why=why.decode()).inc()
            log.warning("cache emptied", why=why.decode(), keys=keys)
