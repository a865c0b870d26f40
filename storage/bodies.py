"""The finished JSON of posts, `p:` and the id in decimal, alike for all viewers.

A body that is made of what its post was created with is older than the commit: its author may
have got a new name in between, and whoever discards bodies then does not find the post yet. So
it is written only while a mark of its author's, `am:`, stands, which a new name takes away.
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from storage.claims import CLAIM_MS, Claims, claim_token, unclaimed
from storage.redis.protocol import pack
from storage.redis.scripts import Script
from storage.redis.server import Server

BODY_TTL_SECONDS = 30 * 86_400
"""As long as a timeline nobody reads, at least."""
JITTER = 0.1
"""By how much of it a body may live longer: those written at once do not all go at once."""
TOMBSTONE = b""
"""The body of a deleted post."""
BATCH = 500
"""Keys or commands sent at once."""
AUTHOR_MARK_SECONDS = 60
"""How long an author's mark stands; a publish that finds it gone leaves its body to a reader."""

FILL_NEW = Script("fill_new")


class Expected(NamedTuple):
    """A body that is to come with its post's commit: see Bodies.expect()."""

    post_id: int
    author_id: int
    claim: bytes
    author_mark: bytes


class Bodies:
    """The bodies of posts: claimed before the graph is read, filled if the claim still stands."""

    def __init__(self, cache: Server, claims: Claims) -> None:
        self._cache = cache
        self._claims = claims

    def many(self, post_ids: Sequence[int]) -> dict[int, bytes | None]:
        """Each post's body: None is missing or just claimed, b"" a deleted post's tombstone."""
        found: dict[int, bytes | None] = {}
        for ids in _batches(post_ids):
            commands = [pack(b"GET", body_key(post_id).encode()) for post_id in ids]
            found.update(zip(ids, map(unclaimed, self._cache.ask(commands)), strict=True))
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
            written = self._claims.fill_many(values, taken, _ttl_seconds())
            filled.update(post_id for post_id in ids if body_key(post_id) in written)
        return filled

    def expect(self, post_id: int, author_id: int) -> Expected | None:
        """What `fill_new` needs, to be taken before the post is created; None for an id in use."""
        token = claim_token().encode()
        commands = [
            pack(b"SET", body_key(post_id).encode(), token, b"NX", b"PX", CLAIM_MS),
            pack(b"SET", _author_key(author_id), token, b"NX", b"GET", b"EX", AUTHOR_MARK_SECONDS),
        ]
        claimed, standing = self._cache.ask(commands)
        return Expected(post_id, author_id, token, standing or token) if claimed else None

    def fill_new(self, expected: Expected, body: bytes) -> bool:
        """Whether claim and author's mark still stood, and the new post's body was written."""
        keys = [body_key(expected.post_id).encode(), _author_key(expected.author_id)]
        arguments: list[bytes | int] = [
            expected.claim,
            expected.author_mark,
            body,
            _ttl_seconds(),
        ]
        return bool(self._cache.ask([FILL_NEW.call(keys, arguments)], FILL_NEW)[0])

    def forget_author(self, author_id: int) -> None:
        """Have no body written that may show an old name of the author's.

        To be done after the commit of a new one and before bodies are discarded.
        """
        with self._cache.wire() as wire:
            wire.ask([pack(b"UNLINK", _author_key(author_id))])

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


def _ttl_seconds() -> int:
    return round(BODY_TTL_SECONDS * (1 + JITTER * random.random()))  # noqa: S311 - no secret


def _author_key(author_id: int) -> bytes:
    return b"am:%014x" % author_id


def _batches(post_ids: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(post_ids), BATCH):
        yield post_ids[start : start + BATCH]
