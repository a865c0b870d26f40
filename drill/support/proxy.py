"""A TCP proxy between one process, or one client, and one store.

It forces races and outages without hooks in the product. It can hold a request or an answer at a
byte pattern, reset connections at once or after some bytes, delay chunks, limit the bytes per
second, refuse connections, and keep connections open without passing anything on. Loopback only;
every wait has a bound.
"""

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Iterator
from typing import Literal, Self
from urllib.parse import urlsplit, urlunsplit

Side = Literal["request", "answer"]

LONGEST_HOLD_SECONDS = 120.0
"""After this time a hold releases itself: a failing test must not hang."""
MAX_CONNECTIONS = 64
CHUNK_BYTES = 65_536
QUIET_SECONDS = 0.02
"""A server that sends nothing for so long has sent its whole answer."""
PIECES_A_SECOND = 20
"""A narrow proxy splits the bytes of a second into so many pieces."""


class Hold:
    """A pause of one connection at a byte pattern of its requests; see Proxy.hold."""

    def __init__(self, pattern: bytes, side: Side) -> None:
        self.pattern = pattern
        self.side = side
        self._lock = threading.Lock()
        self._reached = threading.Event()
        self._released = threading.Event()
        self._server_ended: threading.Event | None = None

    def wait(self, seconds: float = 10.0) -> None:
        """Return when a connection is held. Raises AssertionError after `seconds`."""
        if not self._reached.wait(seconds):
            raise AssertionError(f"no request with {self.pattern!r} within {seconds} s")

    @property
    def taken(self) -> bool:
        """Whether it holds a connection, or has held one."""
        return self._server_ended is not None

    def release(self) -> None:
        """Forward the held bytes, if both ends are still connected."""
        self._released.set()

    @property
    def closed_by_server(self) -> bool:
        """Whether the server has closed the held connection, for instance because it is idle."""
        return self._server_ended is not None and self._server_ended.is_set()

    def take(self, server_ended: threading.Event) -> bool:
        """Assign the hold to a connection; returns False if it was assigned or released before."""
        with self._lock:
            if self._server_ended is not None or self._released.is_set():
                return False
            self._server_ended = server_ended
            return True

    def pause(self) -> None:
        """Return when the hold is released."""
        self._reached.set()
        self._released.wait(LONGEST_HOLD_SECONDS)


class Cut:
    """The reset of a connection after a number of bytes; see Proxy.cut_after."""

    def __init__(self, count: int, side: Side) -> None:
        self.side = side
        self.done = False
        self._left = count
        self._lock = threading.Lock()

    def take(self, size: int) -> int | None:
        """Count `size` bytes; returns how many of them may pass, None for all of them."""
        with self._lock:
            if self.done or size < self._left:
                self._left -= size
                return None
            self.done = True
            return self._left


class _Link:
    """A connection from a client and one to the server, with a pump for each direction."""

    def __init__(self, proxy: "Proxy", client: socket.socket, server: socket.socket) -> None:
        self._proxy = proxy
        self._client = client
        self._server = server
        self._held_answers: Hold | None = None
        self._tail = b""
        self._reset = False
        self._server_ended = threading.Event()

    def start(self) -> None:
        for source, target, requests in (
            (self._client, self._server, True),
            (self._server, self._client, False),
        ):
            threading.Thread(
                target=self._pump, args=(source, target, requests), daemon=True
            ).start()

    def _pump(self, source: socket.socket, target: socket.socket, requests: bool) -> None:
        with contextlib.suppress(OSError):
            while chunk := source.recv(CHUNK_BYTES):
                self._proxy.obstruct()
                if requests:
                    self._requests(chunk)
                else:
                    self._send(target, self._answers(chunk), "answer")
        with contextlib.suppress(OSError):
            if not self._reset:
                target.shutdown(socket.SHUT_WR)  # what was sent before the end still arrives
        if not requests:
            self._server_ended.set()
            self.close()

    def _requests(self, chunk: bytes) -> None:
        """Send a chunk of requests; pauses before the first pattern of a hold."""
        seen = self._tail + chunk
        for hold in self._proxy.holds():
            at = seen.find(hold.pattern)
            if at < 0 or not hold.take(self._server_ended):
                continue
            if hold.side == "answer":
                self._held_answers = hold
                continue
            before = max(0, at - len(self._tail))
            self._send(self._server, chunk[:before], "request")
            hold.pause()
            chunk = chunk[before:]
        self._send(self._server, chunk, "request")
        self._tail = seen[-self._proxy.longest_pattern() :]

    def _send(self, target: socket.socket, data: bytes, side: Side) -> None:
        """Send bytes at the allowed rate. Raises ConnectionResetError at a cut."""
        cut = self._proxy.cut_on(side)
        last = cut.take(len(data)) if cut else None
        passing = data if last is None else data[:last]
        while passing:
            rate = self._proxy.rate
            size = max(1, rate // PIECES_A_SECOND) if rate else len(passing)
            target.sendall(passing[:size])
            if rate:
                time.sleep(len(passing[:size]) / rate)
            passing = passing[size:]
        if last is not None:
            self.close(reset=True)
            raise ConnectionResetError

    def _answers(self, chunk: bytes) -> bytes:
        """The chunk of answers; under a hold the whole answer, after the release."""
        hold, self._held_answers = self._held_answers, None
        if hold is None:
            return chunk
        self._server.settimeout(QUIET_SECONDS)
        with contextlib.suppress(TimeoutError):
            while more := self._server.recv(CHUNK_BYTES):
                chunk += more
        self._server.settimeout(None)
        hold.pause()
        return chunk

    def close(self, *, reset: bool = False) -> None:
        reset = self._reset = self._reset or reset  # both pumps call this
        for end in (self._client, self._server):
            with contextlib.suppress(OSError):
                if (
                    reset
                ):  # close() sends an RST; the recv of the pump returns without an orderly end
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                end.shutdown(socket.SHUT_RD if reset else socket.SHUT_RDWR)
            with contextlib.suppress(OSError):
                end.close()
        self._proxy.forget(self)


class Proxy:
    """Listens on `port` and passes everything on to `upstream_port` at `host`."""

    def __init__(self, host: str, upstream_port: int) -> None:
        self._upstream = (host, upstream_port)
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=MAX_CONNECTIONS)
        self.port: int = self._listener.getsockname()[1]
        self._lock = threading.Lock()
        self._links: set[_Link] = set()
        self._holds: list[Hold] = []
        self._refusing = False
        self.refused = 0
        self._swallowing = threading.Event()
        self._latency = 0.0
        self._cuts: list[Cut] = []
        self.rate = 0
        self._closed = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    def hold(self, pattern: bytes, *, side: Side = "request") -> Hold:
        """Hold the next connection whose requests contain `pattern`; others are not affected.

        Side "request": the server gets the pattern after the release; bytes before it are passed
        on. Side "answer": the server gets and does the request, and the answer is passed on after
        the release. One hold holds one connection, once.
        """
        hold = Hold(pattern, side)
        with self._lock:
            self._holds.append(hold)
        return hold

    def cut(self) -> None:
        """Reset every connection; new ones are accepted."""
        for link in self._open_links():
            link.close(reset=True)

    def cut_after(self, count: int, *, side: Side = "answer") -> Cut:
        """Pass `count` more bytes of that side, then reset the connection of the last byte."""
        cut = Cut(count, side)
        with self._lock:
            self._cuts.append(cut)
        return cut

    def narrow(self, bytes_a_second: int) -> None:
        """Limit each direction of each connection to this rate until `resume`."""
        self.rate = bytes_a_second

    def down(self) -> None:
        """Reset every connection and refuse new ones until `up`."""
        self._refusing = True
        self.cut()

    def up(self) -> None:
        """Accept connections again."""
        self._refusing = False

    def swallow(self) -> None:
        """Keep connections half-open: accept new ones and forward nothing until `resume`."""
        self._swallowing.set()

    def resume(self) -> None:
        """End every disturbance: swallowing, latency, rate limit, refusal and planned cuts."""
        self._swallowing.clear()
        self._latency = 0.0
        self.rate = 0
        with self._lock:
            self._cuts.clear()
        self._refusing = False

    def slow(self, seconds: float) -> None:
        """Delay every chunk of each direction by this time."""
        self._latency = seconds

    @contextlib.contextmanager
    def outage(self) -> Iterator[None]:
        """A context in which the proxy is down."""
        self.down()
        try:
            yield
        finally:
            self.up()

    def close(self) -> None:
        """Release every hold and reset every connection."""
        self._closed.set()
        for hold in self._holds:
            hold.release()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # For the links.

    def holds(self) -> list[Hold]:
        """The holds without a connection."""
        with self._lock:
            return [hold for hold in self._holds if not hold.taken]

    def cut_on(self, side: Side) -> Cut | None:
        """The next cut on that side."""
        with self._lock:
            self._cuts = [cut for cut in self._cuts if not cut.done]
            return next((cut for cut in self._cuts if cut.side == side), None)

    def longest_pattern(self) -> int:
        """How many bytes of a pattern may end one chunk while the rest begins the next."""
        with self._lock:
            return max((len(hold.pattern) - 1 for hold in self._holds), default=0) or 1

    def obstruct(self) -> None:
        """Delay a chunk, and wait while the proxy swallows."""
        if self._latency:
            time.sleep(self._latency)
        end = time.monotonic() + LONGEST_HOLD_SECONDS
        while self._swallowing.is_set() and time.monotonic() < end and not self._closed.is_set():
            time.sleep(0.01)

    def forget(self, link: _Link) -> None:
        """Remove a closed link."""
        with self._lock:
            self._links.discard(link)

    def _open_links(self) -> list[_Link]:
        with self._lock:
            return list(self._links)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while not self._closed.is_set():
                client, _ = self._listener.accept()
                self._connect(client)

    def _connect(self, client: socket.socket) -> None:
        if self._refusing or len(self._open_links()) >= MAX_CONNECTIONS:
            self.refused += 1
            client.close()
            return
        try:
            server = socket.create_connection(self._upstream, timeout=5)
        except OSError:
            client.close()
            return
        for end in (client, server):
            end.settimeout(None)
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        link = _Link(self, client, server)
        with self._lock:
            self._links.add(link)
        link.start()


def proxied(url: str) -> tuple[Proxy, str]:
    """A proxy to the host and port of the URL, and the URL through the proxy. Raises ValueError."""
    parts = urlsplit(url)
    if not (parts.hostname and parts.port):
        raise ValueError("the URL has no host or no port")
    proxy = Proxy(parts.hostname, parts.port)
    log_in = parts.netloc.rpartition("@")[0]
    netloc = f"{log_in}@127.0.0.1:{proxy.port}" if log_in else f"127.0.0.1:{proxy.port}"
    scheme = parts.scheme.replace("neo4j", "bolt")  # routing would go around the proxy
    return proxy, urlunsplit(parts._replace(scheme=scheme, netloc=netloc))
