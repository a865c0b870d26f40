"""Where a slow walk of the sweeper goes on (`sw:` and its name), in `queue`, which has an AOF.

Sweepers share the position, and a sweeper that is restarted goes on where another stopped. A lost
position begins the walk anew.
"""

import time
from collections.abc import Callable

from storage.redis.protocol import pack
from storage.redis.server import Server
from storage.s3 import SweptPage

TTL_SECONDS = 7 * 86_400
"""A position that nobody moved for so long is no use."""


class SweepPositions:
    """Reads and moves positions. Every method raises StorageUnavailableError."""

    def __init__(self, queue: Server) -> None:
        self._queue = queue

    def walk(self, walk: str, sweep: Callable[[str], SweptPage], *, until: float) -> int:
        """Sweep page after page until `until`, a monotonic time; returns how many were removed.

        `sweep` gets the key after which its page begins. The next call goes on where this one
        stopped, in another process too.
        """
        key, removed = self.read(walk), 0
        while time.monotonic() < until:
            page = sweep(key)
            self.move(walk, page.last_key)
            removed += page.removed
            if page.last_key is None:
                break
            key = page.last_key
        return removed

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
