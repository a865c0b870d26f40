"""The finished JSON of posts, alike for all viewers. Key: `p:` and the post's id in decimal.

The body of a new post is rendered from what the post was created with. That is older than the
commit: the author's name may have changed meanwhile, and the discard after a change of name does
not find the new post yet. So the post's id is in a set of the author (`am:`) until it is committed.
A change of name takes the set away, and a body is written only if its id was still in the set.
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from storage.body_format import decode, encode
from storage.redis.partitions import key_of
from storage.redis.protocol import pack
from storage.redis.server import Server
from storage.reservations import RESERVE, Reservations, copy_or_none, new_token

BODY_TTL_SECONDS = 30 * 86_400
"""At least the TTL of a timeline that nobody reads."""
JITTER = 0.1
"""The largest random part added to a TTL: bodies written together must not expire together."""
TOMBSTONE = b""
"""The body of a deleted post."""
BATCH = 500
"""Keys or commands per round trip."""
EXPECTED_SECONDS = 60
"""TTL of an author's set. A publish that takes longer leaves the body to the first reader."""
ALL = 1_000_000
"""More posts than an author can have under way."""


class NewBodyReservation(NamedTuple):
    """The reservation of a body whose post is about to be created: see Bodies.reserve_new()."""

    post_id: int
    author_id: int
    token: str


class Bodies:
    """The bodies of posts: reserved before the graph is read, filled if still reserved."""

    def __init__(self, cache: Server, reservations: Reservations) -> None:
        self._cache = cache
        self._reservations = reservations

    def read_many(self, post_ids: Sequence[int]) -> dict[int, bytes | None]:
        """Each post's body: None if missing or reserved, b"" (the tombstone) if deleted.

        A value that cannot be decoded is missing too. It is removed, so that it can be reserved.
        """
        bodies_by_id: dict[int, bytes | None] = {}
        for ids in _batches(post_ids):
            commands = [pack_read(post_id) for post_id in ids]
            values = dict(zip(ids, map(copy_or_none, self._cache.execute(commands)), strict=True))
            bodies_by_id.update({i: value and decode(value) for i, value in values.items()})
            if unreadable := [i for i in ids if values[i] and bodies_by_id[i] is None]:
                self.discard(unreadable)
        return bodies_by_id

    def reserve_many(self, post_ids: Sequence[int]) -> dict[int, str]:
        """Tokens for `fill_many`, to be taken before the graph is read.

        A post has no token if its key holds a body, a tombstone or another reservation.
        """
        tokens: dict[int, str] = {}
        for ids in _batches(post_ids):
            by_key = self._reservations.reserve_many([body_key(post_id) for post_id in ids])
            tokens.update({p: by_key[body_key(p)] for p in ids if body_key(p) in by_key})
        return tokens

    def fill_many(self, bodies: Mapping[int, bytes], tokens: Mapping[int, str]) -> set[int]:
        """Write bodies of reserved posts. Returns the posts that were still reserved."""
        filled: set[int] = set()
        for ids in _batches(list(bodies)):
            values = {body_key(post_id): encode(bodies[post_id]) for post_id in ids}
            tokens_by_key = {body_key(post_id): tokens[post_id] for post_id in ids}
            written = self._reservations.fill_many(values, tokens_by_key, _ttl_seconds())
            filled.update(post_id for post_id in ids if body_key(post_id) in written)
        return filled

    def reserve_new(self, post_id: int, author_id: int) -> NewBodyReservation | None:
        """A reservation for `fill_new`, to be taken before the post is created.

        None if the id is in use.
        """
        token, expected = new_token(), expected_key(author_id)
        commands = [
            pack(b"SADD", expected, post_id),
            pack(b"EXPIRE", expected, EXPECTED_SECONDS),
            pack(b"SET", body_key(post_id).encode(), token.encode(), *RESERVE),
        ]
        reserved = self._cache.execute(commands)[-1]
        return NewBodyReservation(post_id, author_id, token) if reserved else None

    def fill_new(self, reservation: NewBodyReservation, body: bytes) -> bool:
        """Write the body of a new post that is committed.

        False if the post is no longer expected or its reservation is gone. A rename that comes
        between the two steps discards the body: it finds the post in the graph.
        """
        post_id, author_id, token = reservation
        [expected] = self._cache.execute([pack(b"SREM", expected_key(author_id), post_id)])
        return bool(expected and self.fill_many({post_id: body}, {post_id: token}))

    def discard_expected(self, author_id: int) -> None:
        """Prevent `fill_new` from writing bodies with an old name of the author.

        To be called after the commit of a new name and before the author's bodies are discarded.
        """
        with self._cache.connection() as connection:
            [post_ids] = connection.execute([pack(b"SPOP", expected_key(author_id), ALL)])
        self.discard(list(map(int, post_ids)))

    def tombstone(self, post_ids: Sequence[int]) -> None:
        """Mark posts as deleted: replace their bodies and reservations."""
        seconds = b"%d" % BODY_TTL_SECONDS
        with self._cache.connection() as connection:
            for ids in _batches(post_ids):
                connection.execute(
                    [pack(b"SET", body_key(p).encode(), TOMBSTONE, b"EX", seconds) for p in ids]
                )

    def discard(self, post_ids: Sequence[int]) -> None:
        """Delete outdated bodies and reservations; the next reader renders the bodies again."""
        with self._cache.connection() as connection:
            for ids in _batches(post_ids):
                connection.execute([pack(b"UNLINK", body_key(post_id).encode()) for post_id in ids])


def pack_read(post_id: int) -> bytes:
    """The packed command that reads a body's value; a fifth of the time of `pack`."""
    key = b"p:%d" % post_id
    return b"*2\r\n$3\r\nGET\r\n$%d\r\n%b\r\n" % (len(key), key)


def body_key(post_id: int) -> str:
    """The key of a body: the id in decimal, as the lists have it."""
    return f"p:{post_id}"


def _ttl_seconds() -> int:
    return round(BODY_TTL_SECONDS * (1 + JITTER * random.random()))  # noqa: S311 - no secret


def expected_key(author_id: int) -> bytes:
    """The key of the set of the author's posts that are not committed yet."""
    return key_of(b"am", author_id)


def _batches(post_ids: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(post_ids), BATCH):
        yield post_ids[start : start + BATCH]
