"""What the sender knows of each push service: its circuit, its free turns, its signed token.

A push service is an origin. One that hangs or fails holds only its own turns, so it does not delay
the messages for others.
"""

import asyncio
from collections import OrderedDict, defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import structlog

from observing import metrics
from workers.notices.push.waiting import TurnTimeoutError

log = structlog.get_logger()

CONCURRENT = 64
"""Requests to one origin at once."""

CONCURRENT_OF_SERVICE = 96
"""Requests to all origins of one service at once. With MOST_IDLE connections that are kept, the
five services have at most 800 sockets: fewer than the usual limit of a process, 1,024."""

TURN_WAIT_SECONDS = 10.0
"""How long a message waits for a turn of its origin and of its service."""

FAILURES_TO_OPEN = 5
"""Consecutive failures that open the circuit of an origin."""

OPEN_SECONDS = 10.0
"""How long an open circuit holds messages back. After that, one message probes the service."""

MOST_ORIGINS = 256
"""Origins with a closed circuit that are remembered, and as many with an open one. The least
recently used idle one is forgotten first. Both are counted apart: many labels of a vendor must not
push out what is known of a service that is away."""

IDLE_SECONDS = 900.0
"""An origin that was not used for this long is forgotten, with its circuit."""


class Circuit:
    """Holds messages back while a push service does not answer. Times are monotonic seconds."""

    def __init__(self, service: str) -> None:
        self._service = service
        self._failures = 0
        self._open_until: float | None = None

    @property
    def is_open(self) -> bool:
        """Whether messages are held back, but for probes."""
        return self._open_until is not None

    def hold_seconds(self, now: float) -> float:
        """How long a message has to wait; 0: it may be sent, as the probe if the circuit is open.

        If the probe never returns, the next one is due OPEN_SECONDS later.
        """
        if self._open_until is None:
            return 0.0
        if now < self._open_until:
            return self._open_until - now
        self._open_until = now + OPEN_SECONDS
        return 0.0

    def record_success(self) -> None:
        """Close the circuit: the service has answered, with any status below 500."""
        self._failures = 0
        self.close()

    def record_failure(self, now: float) -> None:
        """Count a time-out, a lost connection or a 5xx; open the circuit after several."""
        self._failures += 1
        if self._failures < FAILURES_TO_OPEN:
            return
        if self._open_until is None:
            metrics.PUSH_CIRCUITS_OPEN.labels(service=self._service).inc()
            log.warning("push service away, left alone", service=self._service)
        self._open_until = now + OPEN_SECONDS

    def close(self) -> None:
        """Hold nothing back any more."""
        if self._open_until is not None:
            metrics.PUSH_CIRCUITS_OPEN.labels(service=self._service).dec()
            log.info("push service no longer left alone", service=self._service)
        self._open_until = None


@dataclass(slots=True, kw_only=True)
class Origin:
    """The state of one push service."""

    circuit: Circuit
    turns_of_service: asyncio.Semaphore
    """Shared by the origins of one service: it bounds the sockets of all labels of a vendor."""
    turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(CONCURRENT))
    users: int = 0
    """Messages that are being sent or wait for a turn."""
    used_at: float = 0.0
    authorization: str = ""
    authorized_until: float = 0.0
    """Unix seconds after which a new token is signed."""

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Hold a turn for a request. Raises TurnTimeoutError if there is none in time."""
        await self._take_turn()
        try:
            yield
        finally:
            self.turns_of_service.release()
            self.turns.release()

    @property
    def is_idle(self) -> bool:
        """Whether no message uses it."""
        return self.users == 0

    async def _take_turn(self) -> None:
        if not (self.turns.locked() or self.turns_of_service.locked()):
            await self._take_both()  # usual, and without a timer
            return
        try:
            async with asyncio.timeout(TURN_WAIT_SECONDS):
                await self._take_both()
        except TimeoutError:
            raise TurnTimeoutError("no turn of the service") from None

    async def _take_both(self) -> None:
        await self.turns.acquire()
        try:
            await self.turns_of_service.acquire()
        except BaseException:
            self.turns.release()
            raise


class Origins:
    """The states of all push services, a bounded number of them. `clock` is monotonic."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._by_url: OrderedDict[str, Origin] = OrderedDict()
        self._turns: defaultdict[str, asyncio.Semaphore] = defaultdict(
            lambda: asyncio.Semaphore(CONCURRENT_OF_SERVICE)
        )

    def __len__(self) -> int:
        return len(self._by_url)

    def use(self, url: str, service: str) -> Origin:
        """The state of an origin, kept until it is released as often as used."""
        origin = self._by_url.get(url)
        if origin is None:
            origin = self._by_url[url] = Origin(
                circuit=Circuit(service), turns_of_service=self._turns[service]
            )
        self._by_url.move_to_end(url)
        origin.users += 1
        origin.used_at = self._clock()
        return origin

    def release(self, origin: Origin) -> None:
        """End one use; forget origins that are idle for long, and those beyond MOST_ORIGINS."""
        origin.users -= 1
        self._forget_unused()
        for is_open in (False, True):
            self._forget_beyond(MOST_ORIGINS, is_open=is_open)

    def _forget_unused(self) -> None:
        """Forget origins that nobody has used for IDLE_SECONDS."""
        for url, oldest in list(self._by_url.items()):
            if self._clock() - oldest.used_at <= IDLE_SECONDS:
                return
            self._forget_idle(url)

    def _forget_beyond(self, most: int, *, is_open: bool) -> None:
        """Forget idle origins until `most` are left of those whose circuit is, or is not, open."""
        if len(self._by_url) <= most:
            return
        urls = [url for url, one in self._by_url.items() if one.circuit.is_open == is_open]
        idle = [url for url in urls if self._by_url[url].is_idle]
        for url in idle[: max(0, len(urls) - most)]:
            self._forget_idle(url)

    def _forget_idle(self, url: str) -> None:
        if self._by_url[url].is_idle:
            self._by_url.pop(url).circuit.close()
