"""Requests of one more process with local copies, over a real cache."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any

from api.services.tokens import Token
from feed.copies import Copies
from feed.copy_reading import CopyReader
from storage.changes import pack_latest
from storage.redis.partitions import partition_of
from storage.redis.scripts import Script
from storage.redis.server import Server
from storage.sessions import SessionCopy, pack_read

LIMIT_BYTES = 10_000_000


class BlockingCache:
    """An AsyncCache whose replies are there when it is awaited."""

    def __init__(self, server: Server) -> None:
        self._server = server

    async def execute(self, commands: Sequence[bytes], *scripts: Script) -> list[Any]:
        return self._server.execute(commands, *scripts)


class CopyingProcess:
    """A process that keeps copies. Each method is a request of a viewer."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self.copies = Copies(LIMIT_BYTES)
        self.reader = CopyReader(BlockingCache(server), self.copies)

    def body(self, post_id: int, *, viewer_id: int) -> bytes | None:
        """The post's body: b"" if it is deleted, None if the graph must be read."""

        async def read() -> bytes | None:
            await self._be_current(viewer_id)
            body = (await self.reader.bodies([post_id]))[post_id]
            return body.json if body else None

        return asyncio.run(read())

    def session(self, token: Token, *, viewer_id: int) -> SessionCopy | None:
        """The copy of the token's session; None if the graph must be read."""

        async def read() -> SessionCopy | None:
            await self._be_current(viewer_id)
            began = self.copies.begin()
            copy = self.copies.session(token.session_id, time.time())
            if copy is None:
                [value] = self._server.execute([pack_read(token.user_id, token.session_id)])
                copy = self.reader.keep_session(token.session_id, value, began, time.time())
            self.copies.end(began)
            return copy

        return asyncio.run(read())

    def has_body(self, post_id: int) -> bool:
        """Whether the process keeps the body now."""
        return self.copies.bodies_of([post_id]) != [None]

    def has_session(self, session_id: int) -> bool:
        """Whether the process keeps the session now."""
        return self.copies.session(session_id, time.time()) is not None

    async def _be_current(self, viewer_id: int) -> None:
        [latest] = self._server.execute([pack_latest(viewer_id)])
        if not self.reader.is_current(viewer_id, latest):
            await self.reader.catch_up(partition_of(viewer_id))
