"""GET /v1/me/feed ahead of Flask: session, quota and most pages by one question to the cache.

By the same service functions and rendering as the view in endpoints/feed.py, which stays as the
document of the route and for all that is unusual: whatever is not plain here, and whatever cannot
be answered now, is passed on to it.
"""

import re
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from wsgiref.types import StartResponse

import structlog
from structlog.contextvars import bound_contextvars

from api.fast_feed.access_log import AccessLog
from api.http import limits
from api.http.auth import SCHEME
from api.http.context import Parts
from api.http.cursors import InvalidCursorError
from api.http.handover import Handover, hand_over
from api.http.observing import request_id
from api.http.parsing import MAX_HEADER_BYTES
from api.http.responses import JSON, SAFE_HEADERS, Rendered, feed_page
from api.services.sessions import Admitted, claimant, viewer
from api.services.tokens import Token, read_token
from feed.errors import FeedBusyError
from feed.pages import Cursor, FeedPage
from feed.reading import page as page_of_stores
from feed.reading import page_at_once
from graph.errors import GraphError
from observing.metrics import FRONT_PASSED_ON
from storage.errors import StorageError
from storage.feed_reads import FeedReads
from storage.windows import Window

log = structlog.get_logger()

PATH = "/v1/me/feed"

DEFAULT_LIMIT = 20
"""As in api/http/paging.py."""

_LIMIT, _CURSOR = re.compile(r"[1-9][0-9]?|100"), re.compile(r"[A-Za-z0-9_-]+")
"""A limit and a cursor in their plain spelling."""

_TAG = re.compile(r'"[^"]*"')
"""An If-None-Match of one strong tag, as we hand them out."""

_UNUSUAL = ("HTTP_TRANSFER_ENCODING", "HTTP_IF_MATCH")

Answer = tuple[str, list[tuple[str, str]], list[bytes]]
"""Status, headers, body."""

WsgiApp = Callable[[dict[str, Any], StartResponse], Iterable[bytes]]


class Front:
    """A WSGI app before the one that these parts belong to."""

    def __init__(self, app: WsgiApp, parts: Parts) -> None:
        self._app = app
        self._parts = parts
        self._cursors = parts.cursors
        self._reads = FeedReads(parts.storage.cache, parts.admissions)
        self._access_log = AccessLog(PATH, trusted_proxies=parts.settings.trusted_proxies)

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """The page, or the answer of the app behind."""
        if environ["PATH_INFO"] != PATH or environ["REQUEST_METHOD"] != "GET":
            return self._app(environ, start_response)
        try:
            answer = self._answer(environ)
        except Exception:  # a mistake of ours: the view may know better, and it is a 500 there
            log.exception("front failed")
            answer = None
        if answer is None:
            FRONT_PASSED_ON.inc()
            return self._app(environ, start_response)
        status, headers, body = answer
        start_response(status, headers)
        return body

    def close(self) -> None:
        """Write what has been answered and not been logged yet."""
        self._access_log.flush()

    def _answer(self, environ: dict[str, Any]) -> Answer | None:
        """The page; None where the request or the page is not plain."""
        began = time.perf_counter()
        token, query = _token(environ), _query(environ["QUERY_STRING"])
        if token is None or query is None or not _is_plain(environ):
            return None
        limit, text = query
        try:
            cursor = self._cursors.read(PATH, token.user_id, text) if text else None
            before = cursor.id if cursor and cursor.direction == "before" else None
            read = self._reads.read(claimant(token), before, limit)
        except (InvalidCursorError, StorageError):
            return None
        taken = read.admission.taken
        if not (read.admission.proved and taken.allowed):
            return None
        asked_as = request_id(environ.get("HTTP_X_REQUEST_ID", ""))
        page = page_at_once(self._parts.graph, read.window, cursor, limit)
        at_once = page is not None
        if page is None:
            hand_over(environ, Handover(Admitted(viewer(token), taken), read.window))
            with bound_contextvars(request_id=asked_as, viewer_id=token.user_id):
                page = self._page(token.user_id, read.window, cursor, limit)
        if page is None:
            return None
        rendered = feed_page(page, self._cursors, path=PATH, viewer_id=token.user_id, limit=limit)
        status, headers, body = _response(rendered, environ.get("HTTP_IF_NONE_MATCH"))
        headers += limits.told([(self._parts.admissions.policy, taken)]).items()
        headers.append(("X-Request-Id", asked_as))
        self._access_log.add(environ, began, status[:3], asked_as, token.user_id, at_once=at_once)
        return status, headers, body

    def _page(
        self, viewer_id: int, window: Window, cursor: Cursor | None, limit: int
    ) -> FeedPage | None:
        """The page that the window does not prove; None where it cannot be had now."""
        parts = self._parts
        try:
            return page_of_stores(
                parts.graph,
                parts.storage,
                parts.rebuilder,
                viewer_id=viewer_id,
                cursor=cursor,
                limit=limit,
                window=window,
            )
        except (GraphError, StorageError, FeedBusyError):
            return None


def _token(environ: Mapping[str, Any]) -> Token | None:
    scheme, _, text = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
    return read_token(text.strip()) if scheme.lower() == SCHEME else None


def _query(text: str) -> tuple[int, str] | None:
    """Limit and cursor ("" of the first page), each at most once and plainly spelled; or None."""
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


def _is_plain(environ: Mapping[str, Any]) -> bool:
    """Without a body, with headers that mean nothing here, and few of them."""
    if environ.get("CONTENT_LENGTH") or not environ.keys().isdisjoint(_UNUSUAL):
        return False
    if "HTTP_IF_NONE_MATCH" in environ and not _TAG.fullmatch(environ["HTTP_IF_NONE_MATCH"]):
        return False
    size = sum([len(key) + len(environ[key]) for key in environ if key[:5] == "HTTP_"])
    return size <= MAX_HEADER_BYTES


def _response(rendered: Rendered, if_none_match: str | None) -> Answer:
    headers = [*SAFE_HEADERS.items(), *rendered.headers.items()]
    if if_none_match == rendered.etag:
        return "304 Not Modified", headers, []
    length = str(len(rendered.body))
    headers += [("Content-Type", JSON), ("Content-Length", length)]
    return "200 OK", headers, [rendered.body]
