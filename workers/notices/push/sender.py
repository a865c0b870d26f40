"""Sends push messages to push services, many at once.

A message is tried once: its outcome says whether and when to try it again. The caller decides then,
from what is true at that time: a notice may have been read, or its session may have ended. The
caller stores `tries` with the notice, so that a notice is tried MAX_TRIES times also if the process
is killed in between. A message that an open circuit holds back counts as tried: so a service that
is away for long is asked less and less, and its messages end.
"""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Self

import aiohttp
import structlog
from yarl import URL

from observing import metrics
from web_push.endpoints import OTHER, Endpoint, EndpointNotAllowedError, read_endpoint
from web_push.keys import AUTH_BYTES, POINT_BYTES, decode
from web_push.settings import WebPushSettings
from workers.notices.push.connecting import BoundedConnector
from workers.notices.push.encryption import encrypt
from workers.notices.push.messages import Message, Outcome, Result
from workers.notices.push.origins import OPEN_SECONDS, Origin, Origins
from workers.notices.push.resolving import (
    AddressNotAllowedError,
    CheckedResolver,
    NameNotFoundError,
)
from workers.notices.push.retrying import MAX_TRIES, pause_seconds, read_retry_after
from workers.notices.push.vapid import RENEW_SECONDS, Vapid
from workers.notices.push.waiting import TurnTimeoutError, time_limit

log = structlog.get_logger()

REQUEST_SECONDS = 5.0
"""Time limit of a request, from the look-up of the name to the end of the response. The wait for a
turn to look up does not count."""

LONGEST_RESPONSE = 16_384
"""Bytes of a response that are read. Nothing in it is used; the connection is then kept."""

HELD = "held"
"""The metric's outcome of a message that was not tried: a circuit is open, or no turn is free."""

_GONE = {HTTPStatus.NOT_FOUND, HTTPStatus.GONE}
_LATER = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}


@dataclass(frozen=True, slots=True)
class _Answer:
    """What a push service answered; status 0: nothing in time, or the connection was lost."""

    status: int
    retry_after: str | None = None


_REFUSED_ADDRESS = _Answer(HTTPStatus.MISDIRECTED_REQUEST)
"""Our own answer for a name that does not exist, or has an address that is not global: refused like
a 4xx."""

_NO_ANSWER = _Answer(0)

_NO_TURN = _Answer(HTTPStatus.TOO_EARLY)
"""Our own answer without a turn to look up: try it later, the service was not asked."""


class PushSender:
    """An async context manager, for one event loop."""

    def __init__(
        self,
        settings: WebPushSettings,
        *,
        resolver: CheckedResolver | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._allowed_origins = settings.origins
        self._vapid = Vapid(settings)
        self._origins = Origins(clock)
        self._resolver = resolver or CheckedResolver(settings.origins)
        self._session: aiohttp.ClientSession | None = None
        self._failures: Counter[tuple[str, str, int]] = Counter()

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=BoundedConnector(self._resolver),
            timeout=aiohttp.ClientTimeout(total=None),  # _post has the limit
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,  # no proxy, no .netrc
            auto_decompress=False,
            headers={"User-Agent": "photofeed"},
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        self.log_failures()
        if self._session:
            await self._session.close()
        await self._resolver.close()

    async def send(self, messages: Iterable[Message]) -> list[Outcome]:
        """Try each message once; the outcomes in the order of the messages. Raises nothing.

        A service that hangs holds its CONCURRENT turns for 5 s; then its circuit opens, and its
        other messages are held back at once.
        """
        counts: Counter[tuple[str, str, int]] = Counter()
        outcomes = await asyncio.gather(*(self._send_one(one, counts) for one in messages))
        for (outcome, service, status), count in counts.items():
            metrics.NOTICES.labels(outcome=outcome, service=service).inc(count)
            if outcome not in {Result.DELIVERED, Result.GONE, HELD}:
                self._failures[service, outcome, status] += count
        return outcomes

    def log_failures(self) -> None:
        """Write a line for each kind of failure since the last call: they can be many."""
        failures, self._failures = self._failures, Counter()
        for (service, outcome, status), count in failures.items():
            log.warning(
                "notices not delivered",
                service=service,
                outcome=outcome,
                status=status,
                count=count,
            )

    async def _send_one(self, message: Message, counts: Counter[tuple[str, str, int]]) -> Outcome:
        try:
            endpoint = read_endpoint(message.subscription.endpoint, self._allowed_origins)
        except EndpointNotAllowedError:  # allowed when it was registered
            counts[Result.REFUSED, OTHER, 0] += 1
            return Outcome(result=Result.REFUSED, tries=message.tries)
        origin = self._origins.use(endpoint.origin, endpoint.service)
        try:
            async with origin.turn():
                return await self._try(message, endpoint, origin, counts)
        except TurnTimeoutError:
            counts[HELD, endpoint.service, 0] += 1
            return _later(message.tries + 1, retry_after=OPEN_SECONDS)
        finally:
            self._origins.release(origin)

    async def _try(
        self,
        message: Message,
        endpoint: Endpoint,
        origin: Origin,
        counts: Counter[tuple[str, str, int]],
    ) -> Outcome:
        if hold := origin.circuit.hold_seconds(self._clock()):
            counts[HELD, endpoint.service, 0] += 1
            return _later(message.tries + 1, retry_after=hold)
        answer = await self._answer(message, endpoint, origin)
        outcome = _outcome_of(answer, message.tries + 1)
        counts[outcome.result, endpoint.service, answer.status] += 1
        return outcome

    async def _answer(self, message: Message, endpoint: Endpoint, origin: Origin) -> _Answer:
        """The push service's answer; the circuit learns of it."""
        try:
            body = _encrypt(message)
        except ValueError as error:  # our keys are checked before they are stored
            log.error("push message not encrypted", why=str(error))  # noqa: TRY400 - no secrets
            return _Answer(HTTPStatus.UNPROCESSABLE_ENTITY)
        answer = await self._post(endpoint, self._headers(message, endpoint, origin), body)
        if answer is _NO_ANSWER or answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            origin.circuit.record_failure(self._clock())
        elif answer is not _REFUSED_ADDRESS and answer is not _NO_TURN:  # the service was asked
            origin.circuit.record_success()
        return answer

    async def _post(self, endpoint: Endpoint, headers: dict[str, str], body: bytes) -> _Answer:
        if self._session is None:
            raise RuntimeError("the sender is used in `async with`")
        url = URL(endpoint.url, encoded=True)  # sent as it was checked
        answer = _NO_ANSWER
        try:
            async with time_limit(REQUEST_SECONDS):
                response = await self._session.post(
                    url, data=body, headers=headers, allow_redirects=False
                )
                answer = _Answer(response.status, response.headers.get("Retry-After"))
                await _finish(response)
        except aiohttp.ClientConnectorDNSError as error:
            return _answer_to(error.os_error)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
            return answer
        return answer

    def _headers(self, message: Message, endpoint: Endpoint, origin: Origin) -> dict[str, str]:
        now = time.time()
        if now > origin.authorized_until:
            origin.authorization = self._vapid.authorization(endpoint.origin, now)
            origin.authorized_until = now + RENEW_SECONDS
        headers = {
            "Authorization": origin.authorization,
            "Content-Encoding": "aes128gcm",
            "Content-Type": "application/octet-stream",
            "TTL": str(message.ttl_seconds),
            "Urgency": message.urgency,
        }
        return headers | ({"Topic": message.topic} if message.topic else {})


async def _finish(response: aiohttp.ClientResponse) -> None:
    """Read the rest of a short response, so that its connection is kept; close others."""
    try:
        data = await response.content.read(LONGEST_RESPONSE)
        while data and not response.content.at_eof() and len(data) < LONGEST_RESPONSE:
            more = await response.content.read(LONGEST_RESPONSE - len(data))
            data = data + more if more else data
    finally:
        if response.content.at_eof():
            response.release()
        else:
            response.close()


def _answer_to(error: OSError) -> _Answer:
    """Our own answer if a name has no address that may be used."""
    if isinstance(error, TurnTimeoutError):
        return _NO_TURN
    is_refused = isinstance(error, (AddressNotAllowedError, NameNotFoundError))
    return _REFUSED_ADDRESS if is_refused else _NO_ANSWER


def _encrypt(message: Message) -> bytes:
    """The message's body. Raises ValueError."""
    return encrypt(
        message.payload.encode(),
        p256dh=decode(message.subscription.p256dh, POINT_BYTES),
        auth=decode(message.subscription.auth, AUTH_BYTES),
    )


def _outcome_of(answer: _Answer, tries: int) -> Outcome:
    """What to do after an answer to the try of this number."""
    result = _result_of(answer.status)
    if result != Result.LATER:
        return Outcome(result=result, tries=tries)
    return _later(tries, retry_after=read_retry_after(answer.retry_after, now=time.time()))


def _later(tries: int, *, retry_after: float | None) -> Outcome:
    """Try again after a pause, unless this was the last try."""
    if tries >= MAX_TRIES:
        return Outcome(result=Result.EXHAUSTED, tries=tries)
    pause = pause_seconds(tries, retry_after=retry_after, random=random.random())  # noqa: S311 - jitter
    return Outcome(result=Result.LATER, tries=tries, pause_seconds=pause)


def _result_of(status: int) -> Result:
    """Redirects are refused too: the endpoint that was checked is the only one."""
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return Result.DELIVERED
    if status in _GONE:
        return Result.GONE
    if status == 0 or status in _LATER or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return Result.LATER
    return Result.REFUSED
