"""The finished JSON of posts, `p:` and the id in decimal, alike for all viewers."""

from collections.abc import Iterator, Mapping, Sequence

from storage.buffers import pack
from storage.claims import Claims, unclaimed
from storage.connections import Server

BODY_TTL_SECONDS = 30 * 86_400
"""As long as a timeline nobody reads."""
TOMBSTONE = b""
"""The body of a deleted post."""
BATCH = 500
"""Keys or commands sent at once."""


class Bodies:
    """The bodies of posts: claimed before the graph is read, filled if the claim still stands."""

    def __init__(self, cache: Server, claims: Claims) -> None:
        self._cache = cache
        self._claims = claims

    def many(self, post_ids: Sequence[int]) -> dict[int, bytes | None]:
        """Each post's body: None is missing or just claimed, b"" a deleted post's tombstone."""
        found: dict[int, bytes | None] = {}
        with self._cache.wire() as wire:
            for ids in _batches(post_ids):
                commands = [pack(b"GET", body_key(post_id).encode()) for post_id in ids]
                found.update(zip(ids, map(unclaimed, wire.ask(commands)), strict=True))
        return found

    def claim_many(self, post_ids: Sequence[int]) -> dict[int, str]:
        """Tokens for `fill_many`, to be taken before the graph is read.

        None for a post where something stands: a body, a tombstone, another's claim.
        """
        tokens: dict[int, str] = {}
        for ids in _batches(post_ids):
            claimed = self._claims.claim_many([body_key(post_id) for post_id in ids])
            tokens.update({p: claimed[body_key(p)] for p in ids if body_key(p) in claimed})
        return tokens

    def fill_many(self, bodies: Mapping[int, bytes], tokens: Mapping[int, str]) -> set[int]:
        """The posts whose claim still stood and whose body was written."""
        filled: set[int] = set()
        for ids in _batches(list(bodies)):
            values = {body_key(post_id): bodies[post_id] for post_id in ids}
            taken = {body_key(post_id): tokens[post_id] for post_id in ids}
            written = self._claims.fill_many(values, taken, BODY_TTL_SECONDS)
            filled.update(post_id for post_id in ids if body_key(post_id) in written)
        return filled

    def tombstone(self, post_ids: Sequence[int]) -> None:
        """Marks posts as deleted, over any body or claim: nothing of theirs is shown any more."""
        seconds = b"%d" % BODY_TTL_SECONDS
        with self._cache.wire() as wire:
            for ids in _batches(post_ids):
                wire.ask(
                    [pack(b"SET", body_key(p).encode(), TOMBSTONE, b"EX", seconds) for p in ids]
                )

    def discard(self, post_ids: Sequence[int]) -> None:
        """Removes bodies and claims that are no longer true: the next reader makes them anew."""
        with self._cache.wire() as wire:
            for ids in _batches(post_ids):
                wire.ask([pack(b"UNLINK", body_key(post_id).encode()) for post_id in ids])


def body_key(post_id: int) -> str:
    """Decimal, as SORT … GET p:* needs it."""
    return f"p:{post_id}"


def _batches(post_ids: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(post_ids), BATCH):
        yield post_ids[start : start + BATCH]
