"""One pipelined connection to a Redis server, for callers on an event loop.

Everything that is asked within one turn of the loop goes out in one send. All methods belong to the
loop's thread; nothing here blocks it.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import hiredis
import redis
from redis._parsers.base import BaseParser
from redis.asyncio.connection import AbstractConnection, Connection, parse_url
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError

from storage.errors import StorageUnavailableError
from storage.redis.circuit import Circuit
from storage.redis.generation import Generation
from storage.redis.scripts import Script

TIMEOUT_SECONDS = 0.5
"""For connecting, and from a send to its last reply."""
CHECK_SECONDS = 0.1
"""How often the oldest request is checked for its time-out: one timer serves all requests."""
MAX_WAITING = 4_096
"""Requests that wait for replies. A request beyond them is refused: the server is too slow."""


class _Waiter:
    """A request that waits for its replies."""

    __slots__ = ("count", "future", "replies", "sent_at")

    def __init__(self, count: int, future: "asyncio.Future[list[Any]]", sent_at: float) -> None:
        self.count = count
        self.future = future
        self.sent_at = sent_at
        self.replies: list[Any] = []


class _Link(asyncio.Protocol):
    """One open connection. A failure fails the requests that wait on it, and no others."""

    def __init__(self, connection: AbstractConnection) -> None:
        self.closed = False
        self._reader = hiredis.Reader(
            protocolError=redis.InvalidResponse, replyError=BaseParser.parse_error
        )
        self._waiting: deque[_Waiter] = deque()
        self._buffers: list[bytes] = []
        self._loop = asyncio.get_running_loop()
        self._connection = connection  # it closes its transport when it is collected
        writer: Any = connection._writer  # noqa: SLF001
        self._transport: asyncio.Transport = writer.transport
        self._transport.set_protocol(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by the loop when the connection is closed."""
        self.fail(exc or redis.ConnectionError("closed by the server"))

    def data_received(self, data: bytes) -> None:
        """Called by the loop: give the replies to the requests, in their order."""
        self._reader.feed(data)
        try:
            self._distribute()
        except redis.RedisError as error:
            self.fail(error)

    def ask(self, buffer: bytes, count: int) -> "asyncio.Future[list[Any]]":
        """The future replies to a buffer of so many commands."""
        future = self._loop.create_future()
        if self.closed:
            future.set_exception(redis.ConnectionError("closed"))
            return future
        self._waiting.append(_Waiter(count, future, self._loop.time()))
        if not self._buffers:
            self._loop.call_soon(self._send)
        self._buffers.append(buffer)
        return future

    def is_late(self) -> bool:
        """Whether the oldest request has waited longer than the time-out."""
        waiting = self._waiting
        return bool(waiting) and self._loop.time() - waiting[0].sent_at > TIMEOUT_SECONDS

    def is_full(self) -> bool:
        """Whether no further request may wait."""
        return len(self._waiting) >= MAX_WAITING

    def fail(self, error: Exception) -> None:
        """Close the connection; every request that waits on it gets the error."""
        self.closed = True
        waiting, self._waiting = self._waiting, deque()
        for waiter in waiting:
            if not waiter.future.done():
                waiter.future.set_exception(error)
        self._transport.abort()

    def _send(self) -> None:
        buffers, self._buffers = self._buffers, []
        if not self.closed:
            self._transport.write(b"".join(buffers))

    def _distribute(self) -> None:
        gets, waiting = self._reader.gets, self._waiting
        while (reply := gets()) is not False:
            if not waiting:
                raise redis.InvalidResponse("a reply that nobody asked for")
            waiter = waiting[0]
            waiter.replies.append(reply)
            if len(waiter.replies) == waiter.count:
                waiting.popleft()
                if not waiter.future.done():  # else its caller is gone
                    waiter.future.set_result(waiter.replies)


class Pipeline:
    """The connection of one process to a cache, opened when it is first needed.

    `on_connect` is called for each new connection, before anything is read by it: what was read by
    an earlier one may come from another server.
    """

    def __init__(self, part: str, url: str, generation: Generation) -> None:
        self.on_connect: Callable[[], None] = lambda: None
        self._part = part
        self._url = url
        self._generation = generation
        self._circuit = Circuit(part)  # of its own, so its lock is never contended
        self._link: _Link | None = None
        self._opening: asyncio.Task[_Link] | None = None
        self._watcher: asyncio.TimerHandle | None = None

    async def execute(self, commands: Sequence[bytes], *scripts: Script) -> list[Any]:
        """The replies to packed commands; raises the first error among them.

        Loads the scripts if the server does not have them. Raises StorageUnavailableError,
        StorageRefusedError.
        """
        try:
            return await self._execute(commands)
        except StorageUnavailableError as error:
            if not scripts or not isinstance(error.__cause__, NoScriptError):
                raise
        await self._execute([script.pack_load() for script in scripts])
        return await self._execute(commands)

    def close(self) -> None:
        """Close the connection."""
        if self._watcher:
            self._watcher.cancel()
        if self._link:
            self._link.fail(redis.ConnectionError("closed"))

    async def _execute(self, commands: Sequence[bytes]) -> list[Any]:
        with self._circuit.guard():
            link = self._link
            if link is None or link.closed:
                link = await self._connect()
            if link.is_full():
                raise StorageUnavailableError(self._part, "too many requests wait for replies")
            replies = await link.ask(b"".join(commands), len(commands))
            for reply in replies:
                if isinstance(reply, redis.RedisError):
                    raise reply
            return replies

    async def _connect(self) -> _Link:
        """The connection that is being opened, for all callers."""
        if self._opening is None:
            self._opening = asyncio.get_running_loop().create_task(self._open())
            self._opening.add_done_callback(self._opened)
        return await asyncio.shield(self._opening)

    def _opened(self, task: "asyncio.Task[_Link]") -> None:
        self._opening = None
        if not task.cancelled():
            task.exception()  # it was raised to the callers

    async def _open(self) -> _Link:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            link = await _open_link(self._url, self._generation)
        self.on_connect()
        self._link = link
        if self._watcher is None:
            self._watch()
        return link

    def _watch(self) -> None:
        """Close the connection once a reply is late: replies after it would be late too."""
        if self._link and self._link.is_late():
            self._link.fail(redis.TimeoutError("no reply in time"))
        self._watcher = asyncio.get_running_loop().call_later(CHECK_SECONDS, self._watch)


async def _open_link(url: str, generation: Generation) -> _Link:
    """A new connection that has signed in and is checked.

    redis-py opens it and signs in, as the URL says: TLS, users, sockets of files. Then its
    transport gets our protocol, which costs a tenth of redis-py's for each reply.
    """
    settings: dict[str, Any] = {**parse_url(url)}
    connection: AbstractConnection = settings.pop("connection_class", Connection)(
        **settings,
        socket_connect_timeout=TIMEOUT_SECONDS,
        protocol=2,
        driver_info=None,
        retry=Retry(NoBackoff(), 0),
    )
    try:
        await connection.connect()  # type: ignore[no-untyped-call]
        await generation.check_async(connection)
    except BaseException:
        await connection.disconnect(nowait=True)
        raise
    return _Link(connection)
