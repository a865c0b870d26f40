"""Copies of read positions (`rp:` and the user's id), and the newest entries of a timeline.

Copies are written as reservations.py defines, although a position only rises: a script that raises
it would also have to create it, and so could overwrite a reservation.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from storage.redis.partitions import key_of
from storage.redis.protocol import pack
from storage.redis.server import Server
from storage.reservations import Reservations, copy_or_none
from storage.timeline_layout import TIMELINE_TTL_SECONDS, timeline_key

COPY_TTL_SECONDS = 30 * 86_400
"""As for a timeline. Without a copy the position is read from the graph."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tail:
    """The newest entries of a list; `position` is None if there is no copy."""

    position: int | None
    entries: Sequence[int]
    """Oldest first; a sentinel is an entry too. Empty if there is no list."""
    whole: bool
    """Whether these are all entries of the list."""


class ReadPositions:
    """Read positions in the cache. Every method raises StorageUnavailableError."""

    def __init__(self, cache: Server, reservations: Reservations) -> None:
        self._cache = cache
        self._reservations = reservations

    def tail(self, user_id: int, *, most: int | None = None) -> Tail:
        """The copy, and the newest `most` entries of the list or all, in one round trip.

        Renews the list's TTL, as reading a page does.
        """
        renewal = pack(b"EXPIRE", timeline_key(user_id), TIMELINE_TTL_SECONDS)
        replies = self._cache.execute([*pack_tail(user_id, most), renewal])
        return parse_tail(replies, most)

    def tails(self, user_ids: Sequence[int], *, most: int) -> dict[int, Tail]:
        """What `tail` returns for each user, in one round trip. Renews no TTL."""
        if not user_ids:
            return {}
        replies = self._cache.execute(
            [command for user_id in user_ids for command in pack_tail(user_id, most)]
        )
        pairs = zip(replies[::2], replies[1::2], strict=True)
        return {
            user_id: parse_tail(pair, most) for user_id, pair in zip(user_ids, pairs, strict=True)
        }

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


def pack_tail(user_id: int, most: int | None) -> list[bytes]:
    """The two packed commands for the copy, and for the newest `most` entries or all."""
    start = 0 if most is None else -most
    return [
        pack(b"GET", _key(user_id).encode()),
        pack(b"LRANGE", timeline_key(user_id), start, -1),
    ]


def parse_tail(replies: Sequence[Any], most: int | None) -> Tail:
    """The tail in the replies to `pack_tail`."""
    position, entries = copy_or_none(replies[0]), replies[1]
    return Tail(
        position=None if position is None else int(position),
        entries=list(map(int, entries)),
        whole=most is None or len(entries) < most,
    )


def _key(user_id: int) -> str:
    return key_of(b"rp", user_id).decode()
