"""Where a slow walk of the sweeper goes on (`sw:` and its name), in `queue`, which has an AOF.

Sweepers share the position, and a sweeper that is restarted goes on where another stopped. A lost
position begins the walk anew.
"""

from storage.redis.protocol import pack
from storage.redis.server import Server

TTL_SECONDS = 7 * 86_400
"""A position that nobody moved for so long is no use."""


class SweepPositions:
    """Reads and moves positions. Every method raises StorageUnavailableError."""

    def __init__(self, queue: Server) -> None:
        self._queue = queue

    def read(self, walk: str) -> str:
        """The position of a walk; empty at its beginning."""
        [value] = self._queue.execute([pack(b"GET", _key(walk))])
        return bytes(value).decode() if value else ""

    def move(self, walk: str, position: str | None) -> None:
        """Save the position; None: the walk begins anew."""
        if position is None:
            self._queue.execute([pack(b"DEL", _key(walk))])
        else:
            text = position.encode()
            self._queue.execute([pack(b"SET", _key(walk), text, b"EX", TTL_SECONDS)])


def _key(walk: str) -> bytes:
    return f"sw:{walk}".encode()
