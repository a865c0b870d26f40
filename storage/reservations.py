"""Reservations: how copies of graph facts are written to the cache without a race.

A reader of the graph first reserves the key, then reads, and writes only if the reservation still
exists. A writer of the graph deletes copy and reservation before it answers, so a slow reader's old
copy finds no reservation. SET NX alone would revive a copy that was deleted and then evicted.
"""

import secrets
from collections.abc import Mapping, Sequence

from storage.redis.protocol import pack
from storage.redis.scripts import Script
from storage.redis.server import Server

FILL = Script("fill")

RESERVATION_MS = 5_000
"""How long a reservation lasts. Then another reader may reserve the key."""
RESERVE: tuple[bytes | int, ...] = (b"NX", b"PX", RESERVATION_MS)
"""The options of the SET that reserves a key."""
RESERVATION_PREFIX = b"~"
"""The first byte of a reservation's token. No copy begins with it, so readers see a reservation as
missing."""


class Reservations:
    """Reserves keys in the cache and fills them with copies."""

    def __init__(self, cache: Server) -> None:
        self._cache = cache

    def reserve(self, key: str) -> str | None:
        """A token for `fill`, to be taken before the graph is read. None if the key exists."""
        return self.reserve_many([key]).get(key)

    def fill(self, key: str, token: str, value: bytes, ttl_seconds: int) -> bool:
        """Replace the reservation by `value`. False if the reservation no longer exists."""
        return bool(self.fill_many({key: value}, {key: token}, ttl_seconds))

    def reserve_many(self, keys: Sequence[str]) -> dict[str, str]:
        """A token for each key that did not exist; all are reserved in one round trip."""
        tokens = {key: new_token() for key in keys}
        commands = [
            pack(b"SET", key.encode(), token.encode(), *RESERVE) for key, token in tokens.items()
        ]
        replies = self._cache.execute(commands)
        return {key: tokens[key] for key, reply in zip(tokens, replies, strict=True) if reply}

    def fill_many(
        self, values: Mapping[str, bytes], tokens: Mapping[str, str], ttl_seconds: int
    ) -> set[str]:
        """The keys that were still reserved and now hold their value, in one round trip."""
        commands = [
            FILL.pack_call([key.encode()], [tokens[key].encode(), value, ttl_seconds])
            for key, value in values.items()
        ]
        replies = self._cache.execute(commands, FILL)
        return {key for key, reply in zip(values, replies, strict=True) if reply}


def new_token() -> str:
    """A random token of a new reservation."""
    return RESERVATION_PREFIX.decode() + secrets.token_urlsafe(12)


def copy_or_none(value: bytes | None) -> bytes | None:
    """The copy that a key holds, or None if the key is missing or only reserved."""
    return None if value is None or value.startswith(RESERVATION_PREFIX) else value
