"""Entries of a timeline, consecutive, and windows: entries with their bodies.

The entries are read in one round trip; feed/reading.py reads the bodies of their posts in another.
feed/proof.py decides what a window proves about a feed.
"""

import functools
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Self

from storage.redis.partitions import COUNT
from storage.redis.protocol import pack
from storage.redis.scripts import Script
from storage.timeline_layout import TIMELINE_KEYS, TIMELINE_TTL_SECONDS, timeline_key

EXTRA_ENTRIES = 4
"""Entries read beyond a page's limit: for tombstones, duplicates, and the proof of order."""
NEWER_ENTRIES = 4
"""Entries read that are newer than a cursor: they prove that no older entry follows them."""
BELOW = Script("below")
PARTS_OF_FULL_REPLY = 2
"""Parts of BELOW's reply if it has entries. A shorter reply has the list's first entry at most."""


class Entries(NamedTuple):
    """Consecutive entries of a list, tail first: ids of posts, and the sentinel if it is there.

    `newest`: they begin with the list's tail. Empty if there is no list or it does not have the
    cursor's id.
    """

    ids: Sequence[int]
    newest: bool = True
    head: Sequence[int] | None = None
    """The list's first entry, or empty if there is no list; None if it was not read."""

    @property
    def post_ids(self) -> Sequence[int]:
        """The entries without the sentinel."""
        return [entry for entry in self.ids if entry > 0]


class Window(NamedTuple):
    """Consecutive entries of a list, tail first, with bodies: b"" if deleted, None if missing.

    The other fields are those of Entries.
    """

    ids: Sequence[int]
    bodies: Sequence[bytes | None]
    newest: bool = True
    head: Sequence[int] | None = None

    @classmethod
    def of(cls, entries: Sequence[tuple[int, bytes | None]], *, newest: bool = True) -> Self:
        """The window of these entries, each an id (or the sentinel) and a body."""
        return cls([i for i, _ in entries], [body for _, body in entries], newest)

    @classmethod
    def of_entries(cls, entries: Entries, bodies_by_id: Mapping[int, bytes | None]) -> Self:
        """The window of these entries. A post without a body there has none in the cache."""
        bodies = list(map(bodies_by_id.get, entries.ids))
        return cls(entries.ids, bodies, entries.newest, entries.head)

    @property
    def entries(self) -> list[tuple[int, bytes | None]]:
        """Each entry and its body."""
        return list(zip(self.ids, self.bodies, strict=True))


def pack_newest(user_id: int, limit: int) -> bytes:
    """The packed command for the newest entries of a page of `limit`."""
    return _newest_templates(limit + EXTRA_ENTRIES)[user_id % COUNT] % user_id


def parse_newest(reply: Sequence[Any]) -> Entries:
    """The entries in a reply to `pack_newest`."""
    return Entries(list(map(int, reply[::-1])))


def pack_below(user_id: int, before: int, limit: int) -> bytes:
    """The packed command for the entries around a cursor's entry. The server must have BELOW."""
    wanted = NEWER_ENTRIES + 1 + limit + EXTRA_ENTRIES
    return BELOW.pack_call([timeline_key(user_id)], [before, NEWER_ENTRIES, wanted])


def parse_below(reply: Sequence[Any]) -> Entries:
    """The entries in a reply to `pack_below`."""
    if len(reply) < PARTS_OF_FULL_REPLY:
        return Entries([], head=list(map(int, reply)))
    return Entries(list(map(int, reply[1][::-1])), newest=bool(reply[0]))


def pack_ttl_renewal(user_id: int) -> bytes:
    """The packed command that renews the TTL of a timeline."""
    return pack(b"EXPIRE", timeline_key(user_id), TIMELINE_TTL_SECONDS)


@functools.lru_cache(maxsize=128)
def _newest_templates(count: int) -> Sequence[bytes]:
    """The packed command for `count` entries by partition, to be formatted with a user's id."""
    packed = pack(b"LRANGE", timeline_key(0), -count, -1)
    return [packed.replace(timeline_key(0), key) for key in TIMELINE_KEYS]
