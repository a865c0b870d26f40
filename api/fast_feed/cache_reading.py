"""What the fast feed reads for a request: one round trip to the cache, and the copies.

Sessions and bodies come from the copies of this process (feed/copies.py).
"""

import asyncio
import time
from collections.abc import Sequence
from typing import Any

from api.fast_feed.requests import FeedRequest
from api.services.last_uses import LastUses
from api.services.sessions import token_matches
from api.services.tokens import Token
from feed.copies import Body, Copies
from feed.copy_reading import AsyncCache, CopyReader
from storage import windows
from storage.changes import pack_latest
from storage.errors import StorageError
from storage.redis.partitions import partition_of
from storage.sessions import SessionCopy, pack_read
from storage.windows import BELOW, Entries


class CacheReader:
    """Reads lists, sessions and bodies. For the loop's thread."""

    def __init__(
        self, cache: AsyncCache, copies: Copies, reader: CopyReader, last_uses: LastUses
    ) -> None:
        self._cache = cache
        self._copies = copies
        self._reader = reader
        self._catching_up: dict[int, asyncio.Task[None]] = {}
        """By partition, the calls that begin at the next turn of the loop."""
        self._prolonged = _OncePerDay()
        self._last_uses = last_uses

    async def entries(self, request: FeedRequest) -> Any:
        """The reply with the list's entries; None if the token's session is not in the cache.

        Afterwards the copies are as fresh as the cache was when this began. Raises StorageError.
        """
        token = request.token
        session, reply = await self._session_and_entries(request)
        if session is None or not token_matches(token, session):
            return None
        self._last_uses.note(token.user_id, token.session_id)
        if self._prolonged.is_due(token.user_id):
            await self._cache.execute([windows.pack_ttl_renewal(token.user_id)])
        return reply

    async def bodies(self, ids: Sequence[int]) -> dict[int, Body | None]:
        """Each post's body from the copies, else from the cache; None if it is in neither.

        If the cache fails, only the copies.
        """
        try:
            return await self._reader.bodies(ids)
        except StorageError:
            return dict(zip(ids, self._copies.bodies_of(ids), strict=True))

    async def _session_and_entries(self, request: FeedRequest) -> tuple[SessionCopy | None, Any]:
        """One buffer: the newest change, the entries, and the session if there is no copy of it."""
        copies, token = self._copies, request.token
        session = copies.session(token.session_id, time.time())
        began = copies.begin()
        try:
            replies = await self._cache.execute(
                _pack(request, with_session=session is None),
                *(() if request.before is None else (BELOW,)),
            )
            if not self._reader.is_current(token.user_id, replies[0]):
                await self._catch_up(partition_of(token.user_id))
            if session is None:
                session = self._keep_session(token, replies[2], began)
            elif began != copies.clock and not copies.session(token.session_id, time.time()):
                session = await self._read_session(token, began)
        finally:
            copies.end(began)
        return session, replies[1]

    async def _catch_up(self, partition: int) -> None:
        """Apply the changes of a partition, once for all requests of this turn of the loop.

        It is read after all their replies. Without this, each request that is in flight when the
        cache loses its data would drop all copies again.
        """
        task = self._catching_up.get(partition)
        if task is None:
            task = asyncio.create_task(self._begin_to_catch_up(partition))
            self._catching_up[partition] = task
        await asyncio.shield(task)

    async def _begin_to_catch_up(self, partition: int) -> None:
        del self._catching_up[partition]  # who comes from now on must read later than this
        await self._reader.catch_up(partition)

    async def _read_session(self, token: Token, began: int) -> SessionCopy | None:
        """The session in the cache, for one whose copy a change has dropped just now."""
        [value] = await self._cache.execute([pack_read(token.user_id, token.session_id)])
        return self._keep_session(token, value, began)

    def _keep_session(self, token: Token, value: bytes | None, began: int) -> SessionCopy | None:
        return self._reader.keep_session(token.session_id, value, began, time.time())


def parse_entries(request: FeedRequest, reply: Any) -> Entries:
    """The entries in the reply to a request."""
    if request.before is None:
        return windows.parse_newest(reply)
    return windows.parse_below(reply)


def _pack(request: FeedRequest, *, with_session: bool) -> list[bytes]:
    token, before = request.token, request.before
    commands = [
        pack_latest(token.user_id),
        windows.pack_newest(token.user_id, request.limit)
        if before is None
        else windows.pack_below(token.user_id, before, request.limit),
    ]
    if with_session:
        commands.append(pack_read(token.user_id, token.session_id))
    return commands


class _OncePerDay:
    """Users whose timeline this process has prolonged today. Forgets everybody each day."""

    MOST = 100_000
    """Users that are remembered: beyond them it forgets everybody, and prolongs once more."""

    def __init__(self) -> None:
        self._day = 0
        self._users: set[int] = set()

    def is_due(self, user_id: int) -> bool:
        """Whether this is the first call for the user today."""
        day = int(time.time()) // 86_400
        if day != self._day or len(self._users) >= self.MOST:
            self._day = day
            self._users = set()
        if user_id in self._users:
            return False
        self._users.add(user_id)
        return True
