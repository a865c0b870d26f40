"""Reads Redis for the copies of one process, and keeps them exact (docs/decisions/0014).

A request sends `pack_latest` of its viewer before all its other reads, and looks at no copy before
`is_current`, or `catch_up`, has said that the copies are exact. Any failure of the cache raises
StorageUnavailableError: then the request must not use the copies.
"""

from collections.abc import Awaitable, Iterable, Sequence
from typing import Any, Protocol

from feed.copies import Body, Copies, body_of
from storage import changes
from storage.bodies import pack_read
from storage.body_format import decode
from storage.changes import CHANGES_SINCE, NO_CHANGE, Change, Since
from storage.redis.partitions import partition_of
from storage.redis.scripts import Script
from storage.reservations import copy_or_none
from storage.sessions import SessionCopy

NOTHING = b""
"""In place of the last applied entry: no change of the partition has been applied."""


class AsyncCache(Protocol):
    """The cache as an event loop uses it."""

    def execute(self, commands: Sequence[bytes], *scripts: Script) -> Awaitable[list[Any]]:
        """The replies to packed commands, sent together; as storage.redis.server.Server."""


class CopyReader:
    """Brings the changes to the copies, and reads the bodies that are missing.

    For one thread; between two awaits nothing else runs.
    """

    def __init__(self, cache: AsyncCache, copies: Copies) -> None:
        self._cache = cache
        self.copies = copies
        self._applied = [NOTHING] * len(changes.KEYS)
        """The newest applied entry of each partition: all changes up to it are applied."""
        self._recently_read = [False] * len(changes.KEYS)
        self._connections = 0

    def is_current(self, user_id: int, latest: bytes | None) -> bool:
        """Whether the copies are exact for a request whose `pack_latest` had this reply.

        A single change is applied here. If False, the request must await `catch_up`.
        """
        return self.is_partition_current(partition_of(user_id), latest)

    def is_partition_current(self, partition: int, latest: bytes | None) -> bool:
        """The same for a `pack_latest_of` the partition."""
        self._recently_read[partition] = True
        return latest == self._applied[partition] or self._apply_next(partition, latest)

    async def catch_up(self, *partitions: int) -> None:
        """Apply the changes of these partitions, or drop everything if some are missing."""
        await self._catch_up(partitions)

    async def reset(self) -> None:
        """Read the newest change of every partition, *then* drop everything.

        In the other order, a body could be kept between the drop and a change that is not applied.
        """
        while True:
            connections = self._connections
            replies = await self._cache.execute(changes.pack_all_newest(), CHANGES_SINCE)
            if connections == self._connections:
                break
        newest = [changes.parse_since(reply).newest for reply in replies]
        if newest != self._applied:  # else another call has done it meanwhile
            self.copies.drop_everything()
            self._applied = newest

    async def ask_idle(self) -> None:
        """Catch up with the partitions that no request has read since the last call."""
        idle = [number for number, read in enumerate(self._recently_read) if not read]
        self._recently_read = [False] * len(self._recently_read)
        if not idle:
            return
        replies = await self._cache.execute([changes.pack_latest_of(number) for number in idle])
        await self._catch_up(
            [
                number
                for number, latest in zip(idle, replies, strict=True)
                if latest != self._applied[number] and not self._apply_next(number, latest)
            ]
        )

    def forget(self) -> None:
        """Drop everything, for a new connection: its server may have other numbers."""
        self._connections += 1
        self._applied = [NOTHING] * len(self._applied)
        self.copies.drop_everything()

    async def bodies(self, post_ids: Iterable[int]) -> dict[int, Body | None]:
        """The body of each post, from the copies, else from Redis; None if Redis has none."""
        wanted = list(dict.fromkeys(post_ids))
        bodies = dict(zip(wanted, self.copies.bodies_of(wanted), strict=True))
        if missing := [post_id for post_id, body in bodies.items() if body is None]:
            bodies.update(await self._read_bodies(missing))
        return bodies

    def keep_session(
        self, session_id: int, value: bytes | None, began: int, now: float
    ) -> SessionCopy | None:
        """The session copy in a value of Redis, which is kept; None if the value holds none.

        `began`: from `copies.begin()`, before the read was sent. The caller calls `copies.end`.
        """
        text = copy_or_none(value)
        copy = None if text is None else SessionCopy.from_bytes(text)
        if copy is not None:
            self.copies.keep_session(session_id, copy, began, now)
        return copy

    async def _read_bodies(self, post_ids: Sequence[int]) -> dict[int, Body | None]:
        """Bodies from Redis; each is kept unless a drop concerned it meanwhile."""
        began = self.copies.begin()
        try:
            values = await self._cache.execute(list(map(pack_read, post_ids)))
            bodies = dict(zip(post_ids, map(_body_or_none, values), strict=True))
            self.copies.keep_bodies(bodies, began)
        finally:
            self.copies.end(began)
        return bodies

    async def _catch_up(self, partitions: Sequence[int]) -> None:
        if not partitions:
            return
        connections, applied = self._connections, list(self._applied)
        replies = await self._cache.execute(
            [changes.pack_since(number, applied[number]) for number in partitions], CHANGES_SINCE
        )
        whole = connections == self._connections and all(
            self._apply(number, applied[number], changes.parse_since(reply))
            for number, reply in zip(partitions, replies, strict=True)
        )
        if not whole:
            await self.reset()

    def _apply(self, partition: int, applied: bytes, since: Since) -> bool:
        """Apply the changes since the applied entry; False if some are missing."""
        if since.newest == self._applied[partition]:
            return True
        if not since.follows(applied):
            return False
        self.copies.apply(since.changes)
        self._applied[partition] = since.newest
        return True

    def _apply_next(self, partition: int, latest: bytes | None) -> bool:
        """Apply the newest change if it is the next one after the applied one."""
        applied, change = Change.from_bytes(self._applied[partition]), latest_change(latest)
        if applied is None or change is None or change.number != applied.number + 1:
            return False
        self.copies.apply([change])
        self._applied[partition] = latest or NOTHING
        return True


def latest_change(latest: bytes | None) -> Change | None:
    """The change of a newest entry; None if the counter is missing or has begun anew."""
    change = Change.from_bytes(latest or NOTHING)
    return None if change is None or change.id == NO_CHANGE else change


def _body_or_none(value: bytes | None) -> Body | None:
    """The body in a value of Redis; None if it is missing, reserved or cannot be decoded."""
    copy = copy_or_none(value)
    json = None if copy is None else decode(copy)
    return None if json is None else body_of(json)
