"""Copies of read positions (`rp:` and the user's id), and the entries of a timeline above one.

Copies are written as reservations.py defines, although a position only rises: a script that raises
it would also have to create it, and so could overwrite a reservation.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from storage.redis.partitions import key_of
from storage.redis.scripts import Script
from storage.redis.server import Server
from storage.reservations import Reservations
from storage.timeline_layout import DISORDER, TIMELINE_TTL_SECONDS, timeline_key

UNREAD = Script("unread")

COPY_TTL_SECONDS = 30 * 86_400
"""As for a timeline. Without a copy the position is read from the graph."""

DELETED, UNKNOWN, NOT_READ = b"", b"?", b"-"
"""What scripts/unread.lua returns in place of an author."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tail:
    """The newest entries of a list with their authors; `position` is None if there is no copy."""

    position: int | None
    authors: Mapping[int, bytes]
    """By entry; a sentinel is an entry too. Empty if there is no list."""


class ReadPositions:
    """Read positions in the cache. Every method raises StorageUnavailableError."""

    def __init__(self, cache: Server, reservations: Reservations) -> None:
        self._cache = cache
        self._reservations = reservations

    def tail(self, user_id: int, *, most: int, position: int | None = None) -> Tail:
        """The list's entries above `position`, or above the copy's, in one round trip.

        Renews the list's TTL, as reading a page does. `most`: the highest count that matters.
        """
        keys = [_key(user_id).encode(), timeline_key(user_id)]
        above = b"" if position is None else position
        arguments = [above, DISORDER, most, user_id, TIMELINE_TTL_SECONDS]
        [flat] = self._cache.execute([UNREAD.pack_call(keys, arguments)], UNREAD)
        return _tail(flat)

    def reserve(self, user_id: int) -> str | None:
        """A token for `fill`, to be taken before the graph is read. None if the key exists."""
        return self._reservations.reserve(_key(user_id))

    def fill(self, user_id: int, token: str, position: int) -> bool:
        """Write the copy. False if the reservation no longer exists."""
        return self._reservations.fill(_key(user_id), token, b"%d" % position, COPY_TTL_SECONDS)

    def drop(self, user_id: int) -> None:
        """Delete copy and reservation. To be called before the 2xx of a new position."""
        with self._cache.guard():
            self._cache.client.delete(_key(user_id))


def _tail(flat: Sequence[bytes]) -> Tail:
    pairs = zip(flat[1::2], flat[2::2], strict=True)
    authors = {int(entry): author for entry, author in pairs}
    return Tail(position=int(flat[0]) if flat[0] else None, authors=authors)


def _key(user_id: int) -> str:
    return key_of(b"rp", user_id).decode()
