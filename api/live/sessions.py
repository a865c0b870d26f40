"""Whether the sessions of streams stand: by the process's copies, the cache, else the graph."""

import asyncio
import time
from collections.abc import Callable, Sequence
from functools import partial

from api.live.streams import Stream
from api.loop.threads import BoundedThreads, OverloadedError
from api.services.last_uses import LastUses
from api.services.sessions import Viewer
from feed.copy_reading import AsyncCache, CopyReader
from graph.errors import GraphError
from storage.errors import StorageError
from storage.sessions import SessionCopy, pack_read, parse_read

Load = Callable[[Sequence[Viewer]], dict[int, SessionCopy]]
"""Reads the copies of sessions that have not ended from the graph; blocks."""

MOST_AT_ONCE = 128
"""Sessions that one statement reads from the graph."""


class SessionChecks:
    """For the loop's thread."""

    def __init__(
        self,
        cache: AsyncCache,
        reader: CopyReader,
        threads: BoundedThreads,
        load: Load,
        last_uses: LastUses,
    ) -> None:
        self._cache = cache
        self._reader = reader
        self._copies = reader.copies
        self._threads = threads
        self._load = load
        self._last_uses = last_uses
        self._in_doubt: dict[Stream, None] = {}
        self._task: asyncio.Task[None] | None = None

    async def read(self, viewer: Viewer) -> SessionCopy | None:
        """The copy of the session in the cache, which may have expired. Raises StorageError."""
        [value] = await self._cache.execute([_pack(viewer)])
        return parse_read(value)

    async def load(self, viewer: Viewer) -> SessionCopy | None:
        """The session from the graph. Raises StorageError, GraphError, OverloadedError."""
        loaded = await self._threads.run(lambda: self._load([viewer]))
        return loaded.get(viewer.session_id)

    def unknown(self, streams: Sequence[Stream]) -> list[Stream]:
        """The streams whose session has no copy in this process."""
        now, session = time.time(), self._copies.session
        return [s for s in streams if session(s.viewer.session_id, now) is None]

    def pack(self, streams: Sequence[Stream]) -> list[bytes]:
        """The packed commands that read the copies of these sessions."""
        return [_pack(stream.viewer) for stream in streams]

    def keep(
        self, streams: Sequence[Stream], values: Sequence[bytes | None], began: int
    ) -> list[Stream]:
        """The streams whose session does not stand by these values of the cache.

        Those whose session has ended end; the graph is asked about the others. An open stream uses
        its session. `began`: by the copies, before the values were read.
        """
        now = time.time()
        missing = []
        for stream, value in zip(streams, values, strict=True):
            copy = self._reader.keep_session(stream.viewer.session_id, value, began, now)
            if copy is None:
                missing.append(stream)
            else:
                stream.expires_at = copy.expires_at
                self._last_uses.note(stream.viewer.user_id, stream.viewer.session_id)
        self._doubt(missing)
        return missing

    async def dropped(self, streams: Sequence[Stream], began: int) -> list[Stream]:
        """The streams whose session was dropped since `began`, and does not stand by the cache."""
        dropped = [] if began == self._copies.clock else self.unknown(streams)
        if not dropped:
            return []
        values = await self._cache.execute(self.pack(dropped))
        return self.keep(dropped, values, began)

    def _doubt(self, streams: Sequence[Stream]) -> None:
        """Ask the graph about the sessions of these streams, soon."""
        self._in_doubt |= dict.fromkeys(streams)
        if self._in_doubt and (self._task is None or self._task.done()):
            self._task = asyncio.get_running_loop().create_task(self._check())

    async def _check(self) -> None:
        """End the streams whose session has ended. Without the graph, a later look asks again."""
        while self._in_doubt:
            streams = list(self._in_doubt)[:MOST_AT_ONCE]
            try:
                viewers = [stream.viewer for stream in streams]
                loaded = await self._threads.run(partial(self._load, viewers))
            except (GraphError, StorageError, OverloadedError):
                self._in_doubt.clear()
                return
            for stream in streams:
                del self._in_doubt[stream]
                if stream.viewer.session_id not in loaded:
                    stream.end("signed-out")


def _pack(viewer: Viewer) -> bytes:
    return pack_read(viewer.user_id, viewer.session_id)
