"""GET /v1/me/feed on the event loop: one round trip to the cache for 24 ids and a number.

Sessions and bodies come from the copies of this process (feed/copies.py). A page is kept while
nothing in it has changed. What the cache cannot prove is read in a thread by the functions of the
view in endpoints/feed.py, which documents the route. Flask gets the unusual requests.
"""

import time
from collections.abc import Sequence
from typing import Any, cast

import structlog
from structlog.contextvars import bound_contextvars

from api.fast_feed.access_log import AccessLog
from api.fast_feed.pages import KeptPage, KeptPages
from api.fast_feed.requests import PATH, FeedRequest, client_of, parse_request
from api.http.context import Context
from api.http.handover import Handover, hand_over
from api.http.limits import TooManyRequestsError, rate_limit_headers
from api.http.plain_problems import overloaded, plain_problem
from api.http.responses import JSON, SAFE_HEADERS, render_feed_page
from api.loop.flask_adapter import FlaskAdapter, OverloadedError, answer_of
from api.loop.messages import Answer, Receive, Scope, Send, environ_of, send_answer
from api.services.sessions import AdmittedViewer, token_matches, viewer_of
from feed.copies import Body, Copies
from feed.copy_reading import CopyReader
from feed.errors import FeedBusyError
from feed.pages import FeedPage, draft_from_window
from feed.reading import read_page
from graph.errors import GraphError
from storage import windows
from storage.changes import pack_latest
from storage.errors import StorageError
from storage.limits import LimitUse
from storage.read_quotas import ReadQuotas
from storage.redis.partitions import partition_of
from storage.redis.pipeline import Pipeline
from storage.sessions import SessionCopy, pack_read, parse_read
from storage.windows import BELOW, Window

log = structlog.get_logger()

MAX_AT_ONCE = 2_048
"""Pages that are read at the same time. A request beyond them is refused at once."""

_COMMON_HEADERS = [(n.lower().encode(), v.encode()) for n, v in SAFE_HEADERS.items()]


class FastFeed:
    """An ASGI application for one route. All its methods belong to the loop's thread."""

    def __init__(
        self,
        context: Context,
        flask: FlaskAdapter,
        *,
        cache: Pipeline,
        copies: Copies,
        reader: CopyReader,
        quotas: ReadQuotas,
        pages: KeptPages,
        access_log: AccessLog,
    ) -> None:
        self._context = context
        self._flask = flask
        self._cache = cache
        self._copies = copies
        self._reader = reader
        self._quotas = quotas
        self._pages = pages
        self._log = access_log
        self._at_once = 0
        self._prolonged = _OncePerDay()
        policy = quotas.policy
        self._policy_header = (
            b"ratelimit-policy",
            f'"{policy.name}";q={policy.quota};w={policy.window_seconds}'.encode(),
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The page of the feed, or the response of Flask."""
        answer = await self._answer_or_none(scope)
        if answer is None:
            self._log.pass_on()
            await self._flask(scope, receive, send)
            return
        await send_answer(send, answer)

    async def _answer_or_none(self, scope: Scope) -> Answer | None:
        """The response; None if Flask has to answer. It is a bound on the pages read at once."""
        if self._at_once >= MAX_AT_ONCE:
            self._log.count("GET", 503)
            return answer_of(overloaded())
        self._at_once += 1
        try:
            return await self._answer(scope)
        except Exception:  # a bug here: the view may succeed, and returns a 500 if not
            log.exception("front failed")
            return None
        finally:
            self._at_once -= 1

    async def _answer(self, scope: Scope) -> Answer | None:
        """The response; None if Flask has to answer."""
        start_time = time.perf_counter()
        request = parse_request(scope, self._context.cursors)
        if request is None:
            return None
        try:
            reply = await self._read_cache(request)
        except StorageError:
            return None
        if reply is None:
            return None
        use = self._quotas.take(request.token.user_id, time.monotonic())
        if not use.allowed:
            return self._log_answer(scope, request, self._refusal(request, use), start_time)
        page = self._kept_page(request, reply)
        if page is None:
            page, window = await self._new_page(request, reply)
            if page is None:
                return await self._answer_by_thread(scope, request, use, window, start_time)
        answer = self._page_answer(page, request, use)
        return self._log_answer(scope, request, answer, start_time, from_window=True)

    async def _read_cache(self, request: FeedRequest) -> Any:
        """The reply with the list's entries; None if the token's session is not in the cache.

        One buffer: the newest change, the entries, and the session if there is no copy of it.
        Afterwards the copies are as fresh as the cache was when this began. Raises StorageError.
        """
        copies, token = self._copies, request.token
        session = copies.session(token.session_id, time.time())
        commands = self._pack(request, with_session=session is None)
        began = copies.begin()
        try:
            replies = await self._cache.execute(
                commands, *(() if request.before is None else (BELOW,))
            )
            if not self._reader.is_current(token.user_id, replies[0]):
                await self._reader.catch_up(partition_of(token.user_id))
            if session is None:
                session = self._keep_session(request, replies[2], began)
            elif began != copies.clock and not copies.session(token.session_id, time.time()):
                session = self._keep_session(request, await self._read_session(request), began)
        finally:
            copies.end(began)
        return replies[1] if session and token_matches(token, session) else None

    def _keep_session(
        self, request: FeedRequest, value: bytes | None, began: int
    ) -> SessionCopy | None:
        session = parse_read(value)
        if session:
            session_id = request.token.session_id
            self._copies.keep_session(session_id, session, began, time.time())
        return session

    def _pack(self, request: FeedRequest, *, with_session: bool) -> list[bytes]:
        user_id, before = request.token.user_id, request.before
        commands = [pack_latest(user_id)]
        if before is None:
            commands.append(windows.pack_newest(user_id, request.limit))
        else:
            commands.append(windows.pack_below(user_id, before, request.limit))
        if with_session:
            commands.append(pack_read(user_id, request.token.session_id))
        if self._prolonged.is_due(user_id):
            commands.append(windows.pack_ttl_renewal(user_id))
        return commands

    async def _read_session(self, request: FeedRequest) -> bytes | None:
        """The session's value, for a session whose copy a change has dropped just now."""
        command = pack_read(request.token.user_id, request.token.session_id)
        [value] = await self._cache.execute([command])
        return cast("bytes | None", value)

    def _kept_page(self, request: FeedRequest, reply: Any) -> KeptPage | None:
        """The page that was made earlier, if it would be the same now."""
        page = self._pages.get((request.token.user_id, request.limit, request.cursor))
        degraded = self._context.graph.circuit_open
        if page is not None and page.is_current(reply, self._copies, degraded=degraded):
            return page
        return None

    async def _new_page(self, request: FeedRequest, reply: Any) -> tuple[KeptPage | None, Window]:
        """The page, which is kept; or None and what could not prove it."""
        degraded, tick = self._context.graph.circuit_open, self._copies.tick
        parse = windows.parse_newest if request.before is None else windows.parse_below
        entries = parse(reply)
        bodies = await self._bodies_of(entries.post_ids)
        jsons = {post_id: body and body.json for post_id, body in bodies.items()}
        window = Window.of_entries(entries, jsons)
        page = self._make_page(request, reply, window, bodies, tick=tick, degraded=degraded)
        if page is not None:
            self._pages.keep((request.token.user_id, request.limit, request.cursor), page)
        return page, window

    async def _bodies_of(self, ids: Sequence[int]) -> dict[int, Body | None]:
        """Each post's body from the copies, else from the cache; None if it is in neither."""
        local = self._copies.bodies_of(ids)
        if None not in local:
            return dict(zip(ids, local, strict=True))
        try:
            return await self._reader.bodies(ids)
        except StorageError:
            return dict(zip(ids, local, strict=True))

    def _make_page(
        self,
        request: FeedRequest,
        reply: Any,
        window: Window,
        bodies: dict[int, Body | None],
        *,
        tick: int,
        degraded: bool,
    ) -> KeptPage | None:
        """The page if the window proves it and every body is there."""
        draft = draft_from_window(window, request.cursor, request.limit)
        if draft is None or None in draft.bodies:
            return None
        shown = [body for post_id in draft.ids if (body := bodies[post_id]) and body.json]
        feed_page = draft.finish(draft.bodies, degraded=("graph",) if degraded else ())
        page = KeptPage(
            entries=reply,
            bodies_by_id=bodies,
            tick=tick,
            degraded=degraded,
        )
        self._render(page, request, feed_page, [body.digest for body in shown])
        return page

    def _render(
        self,
        page: KeptPage,
        request: FeedRequest,
        feed_page: FeedPage,
        digests: Sequence[bytes] | None,
    ) -> None:
        """Write the page's JSON, headers and ETag."""
        rendered = render_feed_page(
            feed_page,
            self._context.cursors,
            path=PATH,
            viewer_id=request.token.user_id,
            limit=request.limit,
            digests=digests,
        )
        page.json, page.etag = rendered.body, rendered.etag.encode()
        page.headers = [
            *_COMMON_HEADERS,
            *((name.lower().encode(), value.encode()) for name, value in rendered.headers.items()),
            self._policy_header,
        ]

    def _page_answer(self, page: KeptPage, request: FeedRequest, use: LimitUse) -> Answer:
        """The page, or 304 if the client has it."""
        limit = f'"{self._quotas.policy.name}";r={use.remaining};t={use.reset_seconds}'
        headers = [
            *page.headers,
            (b"ratelimit", limit.encode()),
            (b"x-request-id", request.request_id.encode()),
        ]
        if request.if_none_match == page.etag:
            return Answer(304, headers, b"")
        headers.append((b"content-type", JSON.encode()))
        headers.append((b"content-length", b"%d" % len(page.json)))
        return Answer(200, headers, page.json)

    def _refusal(self, request: FeedRequest, use: LimitUse) -> Answer:
        """429: the viewer's quota is used up."""
        policy = self._quotas.policy
        error = TooManyRequestsError(policy, use)
        headers = {**rate_limit_headers([(policy, use)]), "Retry-After": str(error.retry_after)}
        return answer_of(
            plain_problem(
                429,
                "too-many-requests",
                str(error),
                request_id=request.request_id,
                headers=headers,
            )
        )

    async def _answer_by_thread(
        self,
        scope: Scope,
        request: FeedRequest,
        use: LimitUse,
        window: Window,
        start_time: float,
    ) -> Answer:
        """The page that the window does not prove, by a thread; else the response of Flask."""
        try:
            result = await self._flask.run(lambda: self._read_page(scope, request, use, window))
        except OverloadedError:
            self._log.count("GET", 503)
            return answer_of(overloaded())
        if isinstance(result, Answer):
            self._log.pass_on()
            return result
        page = KeptPage(entries=None, bodies_by_id={}, tick=0, degraded=False)
        self._render(page, request, result, None)
        answer = self._page_answer(page, request, use)
        return self._log_answer(scope, request, answer, start_time)

    def _read_page(
        self, scope: Scope, request: FeedRequest, use: LimitUse, window: Window
    ) -> FeedPage | Answer:
        """Blocks. The page, or the response of the view where no store can answer now."""
        context, viewer = self._context, viewer_of(request.token)
        try:
            with bound_contextvars(request_id=request.request_id, viewer_id=viewer.user_id):
                return read_page(
                    context.graph,
                    context.storage,
                    context.rebuilder,
                    viewer_id=viewer.user_id,
                    cursor=request.cursor,
                    limit=request.limit,
                    window=window,
                )
        except (GraphError, StorageError, FeedBusyError):
            environ = environ_of(scope, b"")
            hand_over(environ, Handover(AdmittedViewer(viewer, use), window))
            return self._flask.call(environ)

    def _log_answer(
        self,
        scope: Scope,
        request: FeedRequest,
        answer: Answer,
        start_time: float,
        *,
        from_window: bool = False,
    ) -> Answer:
        """The answer, which is logged and counted."""
        self._log.add(
            start_time,
            answer.status,
            request.request_id,
            request.token.user_id,
            client_of(scope, self._context.settings.trusted_proxies),
            from_window=from_window,
        )
        return answer


class _OncePerDay:
    """Users whose timeline this process has prolonged today. Forgets everybody each day."""

    MOST = 1_000_000
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
