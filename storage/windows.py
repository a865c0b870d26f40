"""Windows: consecutive entries of a timeline with their bodies, read in one round trip.

feed/proof.py decides what a window proves about a feed.
"""

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple, Self

from storage.body_format import decode
from storage.redis.protocol import pack
from storage.redis.scripts import Script
from storage.reservations import copy_or_none
from storage.timeline_layout import TIMELINE_KEY, TIMELINE_TTL_SECONDS, timeline_key

EXTRA_ENTRIES = 4
"""Entries read beyond a page's limit: for tombstones, duplicates, and the proof of order."""
NEWER_ENTRIES = 4
"""Entries read that are newer than a cursor: they prove that no older entry follows them."""
BELOW = Script("below")
PARTS_OF_FULL_REPLY = 2
"""Parts of BELOW's reply if it has entries. A shorter reply has the list's first entry at most."""

_TEMPLATE_KEY = timeline_key(0)


class Window(NamedTuple):
    """Consecutive entries of a list, tail first, with bodies: b"" if deleted, None if missing.

    `newest`: the entries begin with the list's tail. Empty if there is no list or it does not have
    the cursor's id.
    """

    ids: Sequence[int]
    bodies: Sequence[bytes | None]
    newest: bool = True
    head: Sequence[int] | None = None
    """The list's first entry, or empty if there is no list; None if it was not read."""

    @classmethod
    def of(cls, entries: Sequence[tuple[int, bytes | None]], *, newest: bool = True) -> Self:
        """The window of these entries, each an id (or the sentinel) and a body."""
        return cls([i for i, _ in entries], [body for _, body in entries], newest)

    @property
    def entries(self) -> list[tuple[int, bytes | None]]:
        """Each entry and its body."""
        return list(zip(self.ids, self.bodies, strict=True))


def pack_newest(user_id: int, limit: int) -> bytes:
    """The packed command for the newest entries with bodies."""
    return _newest_template(limit + EXTRA_ENTRIES) % user_id


def parse_newest(reply: Sequence[Any]) -> Window:
    """The window in a reply to `pack_newest`."""
    return _window(reply)


def pack_below(user_id: int, before: int, limit: int) -> bytes:
    """The packed command for the entries around a cursor's entry. The server must have BELOW."""
    wanted = NEWER_ENTRIES + 1 + limit + EXTRA_ENTRIES
    return BELOW.pack_call([timeline_key(user_id)], [before, NEWER_ENTRIES, wanted])


def parse_below(reply: Sequence[Any]) -> Window:
    """The window in a reply to `pack_below`."""
    if len(reply) < PARTS_OF_FULL_REPLY:
        return Window([], [], head=list(map(int, reply)))
    return _window(reply[1], newest=bool(reply[0]))


def pack_ttl_renewal(user_id: int) -> bytes:
    """The packed command that renews the TTL of a timeline."""
    return pack(b"EXPIRE", timeline_key(user_id), TIMELINE_TTL_SECONDS)


@functools.lru_cache(maxsize=128)
def _newest_template(count: int) -> bytes:
    """The packed command for `count` entries, to be formatted with a user's id.

    The key is of fixed width. DESC with LIMIT starts at the tail of an unsorted list.
    """
    sort = (b"SORT_RO", _TEMPLATE_KEY, b"BY", b"nosort", b"LIMIT", 0, count, b"DESC")
    packed = pack(*sort, b"GET", b"#", b"GET", b"p:*")
    return packed.replace(_TEMPLATE_KEY, TIMELINE_KEY)


def parse_bodies(values: Sequence[bytes | None]) -> list[bytes | None]:
    """The bodies in the cache's values; None if missing, reserved or not readable."""
    return [copy and decode(copy) for copy in map(copy_or_none, values)]


def _window(flat: Sequence[Any], *, newest: bool = True) -> Window:
    """The window of a reply that has each entry and its body in turn."""
    return Window(list(map(int, flat[::2])), parse_bodies(flat[1::2]), newest)
