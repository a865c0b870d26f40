"""The one rule for what is copied from the graph: mark, read, write only if the mark still stands.

Whoever changes the truth removes copy and mark before they answer; so a slow reader's old copy
finds its mark gone. SET NX alone would let it revive what was deleted and then evicted.
"""

import secrets
from collections.abc import Mapping, Sequence

from storage.redis.protocol import pack
from storage.redis.scripts import Script
from storage.redis.server import Server

FILL = Script("fill")

CLAIM_MS = 5_000
"""How long a reader has before another may claim too."""
CLAIM_MARK = b"~"
"""What a claim's token begins with; no copy does, and a claim reads as missing."""


class Claims:
    """Claims and fills copies in the cache."""

    def __init__(self, cache: Server) -> None:
        self._cache = cache

    def claim(self, key: str) -> str | None:
        """A token to fill `key` with, taken before reading; None where something stands."""
        return self.claim_many([key]).get(key)

    def fill(self, key: str, token: str, value: bytes, ttl_seconds: int) -> bool:
        """Whether the claim still stood, and `value` now stands in its place."""
        return bool(self.fill_many({key: value}, {key: token}, ttl_seconds))

    def claim_many(self, keys: Sequence[str]) -> dict[str, str]:
        """A token for each key where nothing stands, all claimed in one round trip."""
        tokens = {key: claim_token() for key in keys}
        commands = [
            pack(b"SET", key.encode(), token.encode(), b"NX", b"PX", CLAIM_MS)
            for key, token in tokens.items()
        ]
        taken = self._cache.ask(commands)
        return {key: tokens[key] for key, done in zip(tokens, taken, strict=True) if done}

    def fill_many(
        self, values: Mapping[str, bytes], tokens: Mapping[str, str], ttl_seconds: int
    ) -> set[str]:
        """The keys whose claim still stood and that now hold their value, in one round trip."""
        commands = [
            FILL.call([key.encode()], [tokens[key].encode(), value, ttl_seconds])
            for key, value in values.items()
        ]
        filled = self._cache.ask(commands, FILL)
        return {key for key, done in zip(values, filled, strict=True) if done}


def claim_token() -> str:
    """A new token, never given before."""
    return CLAIM_MARK.decode() + secrets.token_urlsafe(12)


def unclaimed(value: bytes | None) -> bytes | None:
    """What is stored, or None where there is nothing yet but a claim."""
    return None if value is None or value.startswith(CLAIM_MARK) else value
