"""GET /v1/me/feed without Flask: session, limit and most pages in one round trip to the cache.

It uses the same services and rendering as the view in endpoints/feed.py, which documents the route.
The front forwards a request to the view if the request is unusual or its page cannot be read now.
"""

import re
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple
from wsgiref.types import StartResponse

import structlog
from structlog.contextvars import bound_contextvars

from api.fast_feed.access_log import AccessLog
from api.http.auth import SCHEME
from api.http.context import Context
from api.http.cursors import InvalidCursorError
from api.http.handover import Handover, hand_over
from api.http.limits import rate_limit_headers
from api.http.observing import choose_request_id
from api.http.parsing import MAX_HEADER_BYTES
from api.http.responses import JSON, SAFE_HEADERS, render_feed_page
from api.services.sessions import AdmittedViewer, unverified_session, viewer_of
from api.services.tokens import Token, read_token
from feed.errors import FeedBusyError
from feed.pages import Cursor, FeedPage
from feed.reading import page_from_window, read_page
from graph.errors import GraphError
from observing.metrics import FRONT_PASSED_ON
from storage.errors import StorageError
from storage.feed_reads import FeedRead
from storage.limits import LimitUse

log = structlog.get_logger()

PATH = "/v1/me/feed"

DEFAULT_LIMIT = 20
"""The same as in api/http/paging.py."""

_LIMIT, _CURSOR = re.compile(r"[1-9][0-9]?|100"), re.compile(r"[A-Za-z0-9_-]+")
"""Limit and cursor without leading zeros, escapes or other variants."""

_TAG = re.compile(r'"[^"]*"')
"""An If-None-Match with one strong tag."""

_UNUSUAL_HEADERS = ("HTTP_TRANSFER_ENCODING", "HTTP_IF_MATCH")

WsgiApp = Callable[[dict[str, Any], StartResponse], Iterable[bytes]]


class WsgiResponse(NamedTuple):
    """A response of the front."""

    status: str
    headers: list[tuple[str, str]]
    body: list[bytes]


class _FeedRequest(NamedTuple):
    """The parsed request."""

    token: Token
    """Not verified yet."""
    cursor: Cursor | None
    limit: int
    request_id: str


class Front:
    """WSGI middleware before the Flask app with this context."""

    def __init__(self, app: WsgiApp, context: Context) -> None:
        self._app = app
        self._context = context
        self._reads = context.storage.feed_reads(context.admissions)
        self._access_log = AccessLog(PATH, trusted_proxies=context.settings.trusted_proxies)

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """The page of the feed, or the response of the app."""
        if environ["PATH_INFO"] != PATH or environ["REQUEST_METHOD"] != "GET":
            return self._app(environ, start_response)
        try:
            response = self._respond(environ)
        except Exception:  # a bug here: the view may succeed, and returns a 500 if not
            log.exception("front failed")
            response = None
        if response is None:
            FRONT_PASSED_ON.inc()
            return self._app(environ, start_response)
        start_response(response.status, response.headers)
        return response.body

    def close(self) -> None:
        """Flush the access log."""
        self._access_log.flush()

    def _respond(self, environ: dict[str, Any]) -> WsgiResponse | None:
        """The response; None if the request is unusual or its page cannot be read now."""
        start_time = time.perf_counter()
        request = self._parse(environ)
        read = self._read_cache(request) if request else None
        if request is None or read is None:
            return None
        page = page_from_window(self._context.graph, read.window, request.cursor, request.limit)
        from_window = page is not None
        if page is None:
            page = self._read_page(environ, request, read)
        if page is None:
            return None
        response = self._render(environ, request, page, read.admission.limit_use)
        self._access_log.add(
            environ,
            start_time,
            response.status[:3],
            request.request_id,
            request.token.user_id,
            from_window=from_window,
        )
        return response

    def _parse(self, environ: Mapping[str, Any]) -> _FeedRequest | None:
        """The request; None if it is unusual or invalid."""
        token, query = _token(environ), _parse_query(environ["QUERY_STRING"])
        if token is None or query is None or not _is_usual(environ):
            return None
        limit, text = query
        try:
            cursor = self._context.cursors.read(PATH, token.user_id, text) if text else None
        except InvalidCursorError:
            return None
        request_id = choose_request_id(environ.get("HTTP_X_REQUEST_ID", ""))
        return _FeedRequest(token, cursor, limit, request_id)

    def _read_cache(self, request: _FeedRequest) -> FeedRead | None:
        """Session, limit and window; None if the cache is down or does not admit the request."""
        cursor = request.cursor
        before = cursor.id if cursor and cursor.direction == "before" else None
        try:
            read = self._reads.read(unverified_session(request.token), before, request.limit)
        except StorageError:
            return None
        admission = read.admission
        return read if admission.is_authenticated and admission.limit_use.allowed else None

    def _read_page(
        self, environ: dict[str, Any], request: _FeedRequest, read: FeedRead
    ) -> FeedPage | None:
        """The page that the window does not prove; None if it cannot be read now."""
        context, viewer = self._context, viewer_of(request.token)
        hand_over(environ, Handover(AdmittedViewer(viewer, read.admission.limit_use), read.window))
        try:
            with bound_contextvars(request_id=request.request_id, viewer_id=viewer.user_id):
                return read_page(
                    context.graph,
                    context.storage,
                    context.rebuilder,
                    viewer_id=viewer.user_id,
                    cursor=request.cursor,
                    limit=request.limit,
                    window=read.window,
                )
        except (GraphError, StorageError, FeedBusyError):
            return None

    def _render(
        self, environ: Mapping[str, Any], request: _FeedRequest, page: FeedPage, use: LimitUse
    ) -> WsgiResponse:
        """The page, or 304 if the client has it."""
        context = self._context
        rendered = render_feed_page(
            page,
            context.cursors,
            path=PATH,
            viewer_id=request.token.user_id,
            limit=request.limit,
        )
        headers = [
            *SAFE_HEADERS.items(),
            *rendered.headers.items(),
            *rate_limit_headers([(context.admissions.policy, use)]).items(),
            ("X-Request-Id", request.request_id),
        ]
        if environ.get("HTTP_IF_NONE_MATCH") == rendered.etag:
            return WsgiResponse("304 Not Modified", headers, [])
        headers += [("Content-Type", JSON), ("Content-Length", str(len(rendered.body)))]
        return WsgiResponse("200 OK", headers, [rendered.body])


def _token(environ: Mapping[str, Any]) -> Token | None:
    scheme, _, text = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
    return read_token(text.strip()) if scheme.lower() == SCHEME else None


def _parse_query(text: str) -> tuple[int, str] | None:
    """Limit and cursor, "" for the first page; None for any other parameter or variant."""
    limit, cursor = 0, ""
    for part in text.split("&") if text else ():
        name, _, value = part.partition("=")
        if name == "limit" and not limit and _LIMIT.fullmatch(value):
            limit = int(value)
        elif name == "cursor" and not cursor and _CURSOR.fullmatch(value):
            cursor = value
        else:
            return None
    return limit or DEFAULT_LIMIT, cursor


def _is_usual(environ: Mapping[str, Any]) -> bool:
    """Whether it has no body, no header that changes its meaning, and headers below the limit."""
    if environ.get("CONTENT_LENGTH") or not environ.keys().isdisjoint(_UNUSUAL_HEADERS):
        return False
    if "HTTP_IF_NONE_MATCH" in environ and not _TAG.fullmatch(environ["HTTP_IF_NONE_MATCH"]):
        return False
    size = sum([len(key) + len(environ[key]) for key in environ if key[:5] == "HTTP_"])
    return size <= MAX_HEADER_BYTES
