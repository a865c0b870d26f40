"""GET /v1/live on the event loop: opens streams, sends what they are given, and ends them.

The view in endpoints/live.py documents the route, and refuses unusual requests.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import structlog

from api.http.failing_tokens import FailingTokens
from api.http.limits import TooManyRequestsError
from api.http.responses import SAFE_HEADERS
from api.live.events import opening
from api.live.journal import Journal
from api.live.refusals import method_not_allowed, refusal_of
from api.live.requests import (
    LiveRequest,
    UnexpectedBodyError,
    is_for_flask,
    parse_request,
    request_id_of,
)
from api.live.rounds import Rounds
from api.live.sessions import SessionChecks
from api.live.streams import OPENING, Stream, Streams
from api.loop.flask_adapter import FlaskAdapter, answer_of
from api.loop.messages import Receive, Scope, Send, client_of, send_answer
from api.loop.threads import OverloadedError
from api.services.errors import (
    LiveTicketRefusedError,
    NotSignedInError,
    ServiceError,
    TooManyStreamsError,
)
from api.services.live_tickets import Ticket
from api.services.sessions import Viewer, token_matches, viewer_of
from api.services.tokens import Token, TokenKeys
from bounds.loop_turns import LoopTurns
from feed.copy_reading import AsyncCache
from graph.errors import GraphError
from storage.errors import StorageError
from storage.limits import LimitUse
from storage.live_tickets import pack_redeem, parse_redeemed
from storage.read_quotas import ReadQuotas
from storage.sessions import SessionCopy

log = structlog.get_logger()

HEADERS = {
    **SAFE_HEADERS,
    "Content-Type": "text/event-stream",
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",
}
"""Of a stream. The last one keeps nginx from collecting events."""

SEND_SECONDS = 30.0
"""The longest that the server takes nothing of a stream, because the client does not read."""

MOST_BYTES = 256_000
"""Bytes of a stream: thousands of events. Then it ends, and the client opens another. Buffers of
the kernel take some megabytes before SEND_SECONDS begin: this bounds what they hold."""

OPENING_AT_ONCE = 32
"""Streams that are opened at the same time. All clients of a process that ends come at once: more
openings than this would keep the loop from the cache's replies until they are late."""

UNKNOWN_AT_ONCE = 8
"""Tokens whose session has no copy in the cache, read from the graph at the same time. Anybody can
make up such tokens: they hold up no ticket, and no session that has a copy."""

OPENING_WAIT_SECONDS = 5.0
"""How long a client waits for its turn; then it gets 503."""

EXPECTED = (
    ServiceError,
    StorageError,
    GraphError,
    OverloadedError,
    TooManyRequestsError,
    UnexpectedBodyError,
)
"""Errors that refuse a stream. Any other is a bug."""

Opened = tuple[Viewer, SessionCopy]


class Live:
    """An ASGI application for one route. All its methods belong to the loop's thread."""

    def __init__(
        self,
        streams: Streams,
        flask: FlaskAdapter,
        *,
        cache: AsyncCache,
        sessions: SessionChecks,
        rounds: Rounds,
        quotas: ReadQuotas,
        journal: Journal,
        keys: TokenKeys,
        failing: FailingTokens,
        trusted_proxies: int,
    ) -> None:
        self._streams = streams
        self._flask = flask
        self._cache = cache
        self._sessions = sessions
        self._rounds = rounds
        self._quotas = quotas
        self._journal = journal
        self._keys = keys
        self._failing = failing
        self._trusted_proxies = trusted_proxies
        self._stopping = False
        self._turns = LoopTurns(OPENING_AT_ONCE, wait_seconds=OPENING_WAIT_SECONDS)
        self._unknown_turns = LoopTurns(UNKNOWN_AT_ONCE, wait_seconds=OPENING_WAIT_SECONDS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """A stream until its end, or a problem."""
        if is_for_flask(scope):
            await self._flask(scope, receive, send)
            return
        request_id = request_id_of(scope)
        client = client_of(scope, self._trusted_proxies)
        try:
            request = parse_request(scope, self._keys)
            viewer, session = await self._open(request, client)
        except Exception as error:
            if not isinstance(error, EXPECTED):
                log.exception("live front failed", request_id=request_id)
            problem = refusal_of(error, request_id)
            self._journal.answered(problem.status, request_id, client, None)
            await send_answer(send, answer_of(problem))
            return
        self._journal.answered(200, request_id, client, viewer.user_id)
        stream = Stream(viewer, request.last_seen, expires_at=session.expires_at)
        await self._run(stream, request_id, receive, send)

    async def refuse_head(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """405 for HEAD, which Flask would answer by its own view."""
        problem = method_not_allowed(request_id_of(scope))
        await send_answer(send, answer_of(problem)._replace(body=b""))

    def stop(self) -> None:
        """End all streams, and open no more: the process is asked to stop."""
        self._stopping = True
        self._streams.end_all("stopping")

    async def _open(self, request: LiveRequest, client: str) -> Opened:
        """The viewer, for whom there is room. Raises what `refusal_of` takes.

        A ticket is not used up if the process is full.
        """
        self._refuse_if_full()
        viewer, session = await self._authenticate(request.credentials, client)
        use = self._quotas.take(viewer.user_id, time.monotonic())
        if not use.allowed:
            raise TooManyRequestsError(self._quotas.policy, use)
        if self._streams.user_is_full(viewer.user_id):
            raise TooManyStreamsError
        self._refuse_if_full()  # others have come meanwhile
        return viewer, session

    def _refuse_if_full(self) -> None:
        if self._stopping or self._streams.is_full:
            raise OverloadedError

    async def _authenticate(self, credentials: Ticket | Token | None, client: str) -> Opened:
        """Raises TooManyRequestsError instead of NotSignedInError for a network that fails."""
        if isinstance(credentials, Ticket):
            return await self._redeem(credentials)
        if credentials is None:
            raise self._not_signed_in(self._failing.excess_of_forged(client))
        failing = self._failing
        if failing.is_doubtful(credentials) and (
            use := failing.excess_before_stores(credentials, client)
        ):
            raise self._not_signed_in(use)
        viewer = viewer_of(credentials)
        async with _turn(self._turns):
            session = await self._sessions.read(viewer)
        if session is None:
            async with _turn(self._unknown_turns):
                session = await self._sessions.load(viewer)
        if session is None or not token_matches(credentials, session):
            raise self._not_signed_in(failing.excess_without_session(credentials, client))
        return viewer, session

    def _not_signed_in(self, use: LimitUse | None) -> TooManyRequestsError | NotSignedInError:
        """401; 429 if the client's network has used up its failing tokens."""
        return TooManyRequestsError(self._failing.policy, use) if use else NotSignedInError()

    async def _redeem(self, ticket: Ticket) -> Opened:
        async with _turn(self._turns):
            [reply] = await self._cache.execute([pack_redeem(ticket.user_id, ticket.secret)])
            session_id = parse_redeemed(reply)
            if session_id is None:
                raise LiveTicketRefusedError
            viewer = Viewer(user_id=ticket.user_id, session_id=session_id)
            session = await self._sessions.read(viewer) or await self._sessions.load(viewer)
        if session is None or session.expires_at <= time.time():
            raise LiveTicketRefusedError
        return viewer, session

    async def _run(self, stream: Stream, request_id: str, receive: Receive, send: Send) -> None:
        """Send the stream to its end."""
        start_time = time.monotonic()
        self._streams.add(stream)
        watch = asyncio.create_task(_watch(receive, stream))
        try:
            await send(_start(request_id))
            await self._look_first(stream)
            await _send_all(stream, send)
        finally:
            watch.cancel()
            self._streams.remove(stream)
            seconds, user_id = time.monotonic() - start_time, stream.viewer.user_id
            reason = stream.end_reason or "failed"
            self._journal.ended(reason, request_id, user_id, seconds, stream.events)

    async def _look_first(self, stream: Stream) -> None:
        """Look at once; without the cache, the next round looks."""
        with suppress(StorageError, GraphError):
            await self._rounds.look([stream])
        stream.put(OPENING, opening(stream.last_seen))


@asynccontextmanager
async def _turn(turns: LoopTurns) -> AsyncIterator[None]:
    """A turn. Raises OverloadedError where the wait for it is in vain."""
    if not await turns.take():
        raise OverloadedError
    try:
        yield
    finally:
        turns.give_back()


async def _send_all(stream: Stream, send: Send) -> None:
    """Send what the stream is given until it ends."""
    sent, is_open = 0, True
    while is_open:
        chunk = await stream.unsent()
        if stream.end_reason == "gone":
            return
        sent += len(chunk)
        if sent > MOST_BYTES:
            stream.end("renewed")
        is_open = not stream.end_reason
        message = {"type": "http.response.body", "body": chunk, "more_body": is_open}
        try:
            async with asyncio.timeout(SEND_SECONDS):
                await send(message)
        except TimeoutError:
            stream.end("slow")
            return


async def _watch(receive: Receive, stream: Stream) -> None:
    """End the stream when the client is gone, or goes on with a body, which could be endless."""
    message = await receive()
    if message["type"] == "http.request" and not message.get("more_body", False):
        await receive()  # what follows a whole body is the end
    stream.end("gone")


def _start(request_id: str) -> dict[str, object]:
    headers = {**HEADERS, "X-Request-Id": request_id}
    return {
        "type": "http.response.start",
        "status": 200,
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
    }
