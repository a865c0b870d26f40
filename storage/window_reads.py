"""How the windows of windows.py are asked for, packed, and what their replies say."""

import functools
from collections.abc import Sequence
from typing import Any

from storage.buffers import pack
from storage.claims import unclaimed
from storage.pushing import TIMELINE_KEY, timeline_key
from storage.scripts import Script
from storage.windows import EXTRA, Window

TIMELINE_TTL_SECONDS = 30 * 86_400
"""A list not read for so long goes; the graph answers whoever comes back."""
NEWER = 4
"""Entries read on the tail's side of a cursor: for proof that nothing older stands beyond them."""
BELOW = Script("below")

_SOMEBODY = timeline_key(0)


def newest(user_id: int, limit: int) -> list[bytes]:
    """The packed commands for the newest entries with bodies; the list lives on from now."""
    lives_on, entries = _newest(limit + EXTRA)
    return [lives_on % user_id, entries % user_id]


def read_newest(replies: Sequence[Any]) -> Window:
    """What `newest` was answered."""
    return Window(entries=_entries(replies[1]))


def below(user_id: int, before: int, limit: int) -> list[bytes]:
    """The same for the entries around a cursor's place. BELOW has to be known to the server."""
    key = timeline_key(user_id)
    call = BELOW.call([key], [before, NEWER, NEWER + 1 + limit + EXTRA])
    return [pack(b"EXPIRE", key, TIMELINE_TTL_SECONDS), call]


def read_below(replies: Sequence[Any]) -> Window:
    """What `below` was answered."""
    found = replies[1]
    if not found:
        return Window(entries=[])
    return Window(entries=_entries(found[1]), newest=bool(found[0]))


@functools.lru_cache(maxsize=128)
def _newest(count: int) -> tuple[bytes, bytes]:
    """Templates: the key is of fixed width, so formatting is all that is left for each user.

    DESC with LIMIT starts at the tail of an unsorted list.
    """
    sort = (b"SORT_RO", _SOMEBODY, b"BY", b"nosort", b"LIMIT", 0, count, b"DESC")
    bodies = (b"GET", b"#", b"GET", b"p:*")
    lives_on, entries = pack(b"EXPIRE", _SOMEBODY, TIMELINE_TTL_SECONDS), pack(*sort, *bodies)
    return lives_on.replace(_SOMEBODY, TIMELINE_KEY), entries.replace(_SOMEBODY, TIMELINE_KEY)


def _entries(flat: Sequence[bytes | None]) -> list[tuple[int, bytes | None]]:
    return list(zip(map(int, flat[::2]), map(unclaimed, flat[1::2]), strict=True))  # type: ignore[arg-type]
