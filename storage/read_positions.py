"""Copies of reading positions, `rp:` and the user's id, and what a list says above one.

A copy goes by the rule of claims.py, also where a position only rises: a script that raised it
would have to create it where it is missing, where a claim may just be under way.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from storage.claims import Claims
from storage.redis.scripts import Script
from storage.redis.server import Server
from storage.timeline_layout import DISORDER, TIMELINE_TTL_SECONDS, timeline_key

UNREAD = Script("unread")

COPY_TTL_SECONDS = 30 * 86_400
"""As long as a timeline lives on: whoever comes back later is answered by the graph."""

DELETED, UNKNOWN, NOT_ASKED = b"", b"?", b"-"
"""In an author's place, as scripts/unread.lua gives them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tail:
    """The newest entries of a list with their authors; `position` None: no copy stands."""

    position: int | None
    authors: Mapping[int, bytes]
    """By entry, a sentinel too; empty: there is no list."""


class ReadPositions:
    """Positions in the cache. Every method raises StorageUnavailableError."""

    def __init__(self, cache: Server, claims: Claims) -> None:
        self._cache = cache
        self._claims = claims

    def tail(self, user_id: int, *, most: int, position: int | None = None) -> Tail:
        """What the list says above `position`, or above the copy's, in one round trip.

        A list that is asked for lives on, as one whose pages are read.
        """
        keys = [_key(user_id).encode(), timeline_key(user_id)]
        above = b"" if position is None else position
        arguments = [above, DISORDER, most, user_id, TIMELINE_TTL_SECONDS]
        [flat] = self._cache.ask([UNREAD.call(keys, arguments)], UNREAD)
        return _tail(flat)

    def claim(self, user_id: int) -> str | None:
        """A token for `fill`, to be taken before the graph is read; None where something stands."""
        return self._claims.claim(_key(user_id))

    def fill(self, user_id: int, token: str, position: int) -> bool:
        """Whether the claim still stood and the copy was written."""
        return self._claims.fill(_key(user_id), token, b"%d" % position, COPY_TTL_SECONDS)

    def drop(self, user_id: int) -> None:
        """Removes copy and claim: to be done before the 2xx of a new position."""
        with self._cache.guard():
            self._cache.client.delete(_key(user_id))


def _tail(flat: Sequence[bytes]) -> Tail:
    pairs = zip(flat[1::2], flat[2::2], strict=True)
    authors = {int(entry): author for entry, author in pairs}
    return Tail(position=int(flat[0]) if flat[0] else None, authors=authors)


def _key(user_id: int) -> str:
    return f"rp:{user_id:014x}"
