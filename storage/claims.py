"""The one rule for what is copied from the graph: mark, read, write only if the mark still stands.

Whoever changes the truth removes copy and mark before they answer; so a slow reader's old copy
finds its mark gone. SET NX alone would let it revive what was deleted and then evicted.
"""

import secrets

from storage.connections import Server
from storage.scripts import source

CLAIM_MS = 5_000
"""How long a reader has before another may claim too."""
CLAIM_MARK = b"~"
"""What a claim's token begins with; no copy does, and a claim reads as missing."""


class Claims:
    """Claims and fills copies in the cache."""

    def __init__(self, cache: Server) -> None:
        self._cache = cache
        self._fill = cache.client.register_script(source("fill"))

    def claim(self, key: str) -> str | None:
        """A token to fill `key` with, taken before reading; None where something stands."""
        token = CLAIM_MARK.decode() + secrets.token_urlsafe(12)
        with self._cache.guard():
            return token if self._cache.client.set(key, token, nx=True, px=CLAIM_MS) else None

    def fill(self, key: str, token: str, value: bytes, ttl_seconds: int) -> bool:
        """Whether the claim still stood, and `value` now stands in its place."""
        with self._cache.guard():
            return bool(self._fill(keys=[key], args=[token, value, ttl_seconds]))


def unclaimed(value: bytes | None) -> bytes | None:
    """What is stored, or None where there is nothing yet but a claim."""
    return None if value is None or value.startswith(CLAIM_MARK) else value
