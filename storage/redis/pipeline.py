"""One pipelined connection to a Redis server, for callers on an event loop.

Everything that is asked within one turn of the loop goes out in one send. All methods belong to the
loop's thread; nothing here blocks it.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import hiredis
import redis
from redis._parsers.base import BaseParser
from redis.asyncio.connection import AbstractConnection, Connection, parse_url
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError

from storage.errors import StorageUnavailableError
from storage.redis.circuit import RedisCircuit
from storage.redis.generation import Generation
from storage.redis.scripts import Script

TIMEOUT_SECONDS = 0.5
"""For connecting, and from a send to its last reply."""
CHECK_SECONDS = 0.1
"""How often the oldest request is checked for its time-out: one timer serves all requests."""
MAX_WAITING = 4_096
"""Requests that wait for replies. A request beyond them is refused: the server is too slow."""
MAX_UNSENT_BYTES = 4_000_000
"""Bytes that the kernel does not take because the server has stopped reading. While there are more,
requests are refused."""
POOL_SETTINGS = ("max_connections", "timeout")
"""Options of a URL that are for a pool of connections."""


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

    def __init__(self, part: str, connection: AbstractConnection) -> None:
        """Takes over the transport of the connection, which must not be used afterwards."""
        self.closed = False
        self._part = part
        self._reader = hiredis.Reader(
            protocolError=redis.InvalidResponse, replyError=BaseParser.parse_error
        )
        self._waiting: deque[_Waiter] = deque()
        self._buffers: list[bytes] = []
        self._loop = asyncio.get_running_loop()
        self._is_blocked = False
        self._writer = _take_writer(connection)  # it closes its transport when it is collected
        self._transport: asyncio.Transport = self._writer.transport
        self._transport.set_write_buffer_limits(high=MAX_UNSENT_BYTES)
        self._transport.set_protocol(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by the loop when the connection is closed."""
        self._lose(exc or "closed by the server")

    def pause_writing(self) -> None:
        """Called by the loop when MAX_UNSENT_BYTES are exceeded."""
        self._is_blocked = True

    def resume_writing(self) -> None:
        """Called by the loop when the server reads again."""
        self._is_blocked = False

    def data_received(self, data: bytes) -> None:
        """Called by the loop: give the replies to the requests, in their order."""
        self._reader.feed(data)
        try:
            self._distribute()
        except redis.RedisError as error:
            self._lose(error)

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
        return self._is_blocked or len(self._waiting) >= MAX_WAITING

    def fail(self, error: Exception, *, further: Exception | None = None) -> None:
        """Close the connection. The oldest request gets the error, the others `further` if given.

        A request whose caller is gone gets none.
        """
        self.closed = True
        waiting, self._waiting = self._waiting, deque()
        for waiter in waiting:
            if not waiter.future.done():
                waiter.future.set_exception(error)
                error = further or error
        self._transport.abort()

    def _lose(self, why: Exception | str) -> None:
        """Fail because of one event, which the circuit counts once for all requests."""
        self.fail(
            redis.ConnectionError(str(why)),
            further=StorageUnavailableError(self._part, "connection lost"),
        )

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
    an earlier one may come from another server. A lost connection counts as one failure of the
    circuit; a time-out counts for each request that waited, as in server.py.
    """

    def __init__(self, part: str, url: str, generation: Generation) -> None:
        """Connects to nothing yet. Raises ValueError for a URL that is not one of a Redis."""
        self.on_connect: Callable[[], None] = lambda: None
        self._part = part
        self._settings: dict[str, Any] = {**parse_url(url)}
        self._generation = generation
        self._circuit = RedisCircuit(part)  # of its own, so its lock is never contended
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
        """Close the connection, also one that is being opened. The next request opens another."""
        if self._opening:
            self._opening.cancel()
        if self._watcher:
            self._watcher.cancel()
        if self._link:
            self._link.fail(StorageUnavailableError(self._part, "closed by this process"))
        self._opening = self._watcher = self._link = None

    async def _execute(self, commands: Sequence[bytes]) -> list[Any]:
        if not commands:  # no reply would ever come for them
            return []
        with self._circuit.guard():
            link = self._link
            if link is None or link.closed:
                link = await self._connect()
            if link.is_full():
                raise StorageUnavailableError(self._part, "too many requests wait for replies")
            replies = await link.ask(b"".join(commands), len(commands))
            for reply in replies:  # few: cheaper than raise_first_error
                if isinstance(reply, redis.RedisError):
                    raise reply
            return replies

    async def _connect(self) -> _Link:
        """The connection that is being opened, for all callers."""
        opening = self._opening
        if opening is None:
            opening = self._opening = asyncio.get_running_loop().create_task(self._open())
            opening.add_done_callback(self._opened)
        await asyncio.wait([opening])  # a caller that is cancelled here does not cancel it
        if opening.cancelled():
            raise StorageUnavailableError(self._part, "closed by this process")
        return opening.result()

    def _opened(self, task: "asyncio.Task[_Link]") -> None:
        if self._opening is task:
            self._opening = None
        if not task.cancelled():
            task.exception()  # it was raised to the callers

    async def _open(self) -> _Link:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            connection = await _open_connection(self._settings, self._generation)
        link = _Link(self._part, connection)
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


async def _open_connection(
    url_settings: Mapping[str, Any], generation: Generation
) -> AbstractConnection:
    """A new connection that has signed in and is checked.

    redis-py opens it and signs in, as the URL says: TLS, users, sockets of files. Then its
    transport gets our protocol, which costs a tenth of redis-py's for each reply.
    """
    settings = {name: url_settings[name] for name in url_settings if name not in POOL_SETTINGS}
    settings |= {
        "socket_connect_timeout": TIMEOUT_SECONDS,
        "protocol": 2,
        "driver_info": None,
        "retry": Retry(NoBackoff(), 0),
    }
    connection: AbstractConnection = settings.pop("connection_class", Connection)(**settings)
    try:
        await connection.connect()  # type: ignore[no-untyped-call]
        await generation.check_async(connection)
    except BaseException:
        await connection.disconnect(nowait=True)
        raise
    return connection


def _take_writer(connection: AbstractConnection) -> Any:
    """The stream of the connection, which then counts as closed and closes nothing itself."""
    writer: Any = connection._writer  # noqa: SLF001
    connection._writer = connection._reader = None  # noqa: SLF001
    return writer
