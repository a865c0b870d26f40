"""A window: entries of a timeline that stand together, and how they are read in one round trip.

feed/proof.py says what a window proves about a feed.
"""

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple, Self

from storage.claims import CLAIM_MARK
from storage.redis.protocol import pack
from storage.redis.scripts import Script
from storage.timeline_layout import TIMELINE_KEY, TIMELINE_TTL_SECONDS, timeline_key

EXTRA = 4
"""Entries read beyond a page's limit: for tombstones, duplicates, and proof of order."""
NEWER = 4
"""Entries read on the tail's side of a cursor: for proof that nothing older stands beyond them."""
BELOW = Script("below")
WITH_ENTRIES = 2
"""Parts of its reply where it has found the place."""

_SOMEBODY = timeline_key(0)


class Window(NamedTuple):
    """Entries of a list that stand together, tail first, with bodies: b"" deleted, None missing.

    They begin with the list's tail if `newest`. Empty: there is no list, or no such place in it.
    """

    ids: Sequence[int]
    bodies: Sequence[bytes | None]
    newest: bool = True
    head: Sequence[int] | None = None
    """The list's first entry, or nothing of no list; None where the window does not say."""

    @classmethod
    def of(cls, entries: Sequence[tuple[int, bytes | None]], *, newest: bool = True) -> Self:
        """The window of these entries, each an id (or the sentinel) and a body."""
        return cls([i for i, _ in entries], [body for _, body in entries], newest)

    @property
    def entries(self) -> list[tuple[int, bytes | None]]:
        """Each entry and its body."""
        return list(zip(self.ids, self.bodies, strict=True))


def newest(user_id: int, limit: int) -> bytes:
    """The packed command for the newest entries with bodies."""
    return _newest(limit + EXTRA) % user_id


def read_newest(reply: Sequence[Any]) -> Window:
    """What `newest` was answered."""
    return _window(reply)


def below(user_id: int, before: int, limit: int) -> bytes:
    """The same for the entries around a cursor's place. BELOW has to be known to the server."""
    return BELOW.call([timeline_key(user_id)], [before, NEWER, NEWER + 1 + limit + EXTRA])


def read_below(reply: Sequence[Any]) -> Window:
    """What `below` was answered."""
    if len(reply) < WITH_ENTRIES:
        return Window([], [], head=list(map(int, reply)))
    return _window(reply[1], newest=bool(reply[0]))


def lives_on(user_id: int) -> bytes:
    """The packed command for a list that is being read."""
    return pack(b"EXPIRE", timeline_key(user_id), TIMELINE_TTL_SECONDS)


@functools.lru_cache(maxsize=128)
def _newest(count: int) -> bytes:
    """A template: the key is of fixed width, so formatting is all that is left for each user.

    DESC with LIMIT starts at the tail of an unsorted list.
    """
    sort = (b"SORT_RO", _SOMEBODY, b"BY", b"nosort", b"LIMIT", 0, count, b"DESC")
    packed = pack(*sort, b"GET", b"#", b"GET", b"p:*")
    return packed.replace(_SOMEBODY, TIMELINE_KEY)


def _window(flat: Sequence[Any], *, newest: bool = True) -> Window:
    """Of entry, body, entry, body …: a claim reads as missing."""
    bodies = [b if b is None or b[:1] != CLAIM_MARK else None for b in flat[1::2]]
    return Window(list(map(int, flat[::2])), bodies, newest)
