"""GET /v1/me/feed on the event loop: one round trip to the cache for 24 ids and a number.

A page is kept while nothing in it has changed. What the cache cannot prove is read in a thread by
the functions of the view in endpoints/feed.py, which documents the route. Flask gets the unusual
requests.
"""

import time
from collections.abc import Mapping, Sequence
from typing import Any

import structlog
from structlog.contextvars import bound_contextvars

from api.fast_feed.access_log import AccessLog
from api.fast_feed.answers import Answers, forged, too_many_failing
from api.fast_feed.body_loading import BodyLoading
from api.fast_feed.cache_reading import CacheReader, parse_entries
from api.fast_feed.pages import FinishedPage, KeptPage, KeptPages
from api.fast_feed.requests import FeedRequest, ForgedTokenError, parse_request
from api.http.context import Context
from api.http.handover import Handover, hand_over
from api.http.plain_problems import overloaded
from api.loop.flask_adapter import FlaskAdapter, answer_of
from api.loop.messages import Answer, Receive, Scope, Send, client_of, environ_of, send_answer
from api.loop.threads import OverloadedError
from api.services.sessions import AdmittedViewer, viewer_of
from feed.bodies import bodies_of
from feed.copies import Body, Copies
from feed.errors import FeedBusyError, GraphShareUsedError
from feed.pages import FeedPage, PageDraft, draft_from_window
from feed.reading import read_page
from graph.errors import GraphError
from storage.errors import StorageError
from storage.limits import LimitUse
from storage.read_quotas import ReadQuotas
from storage.windows import Window

log = structlog.get_logger()

MAX_AT_ONCE = 2_048
"""Pages that are read at the same time. A request beyond them is refused at once."""


class FastFeed:
    """An ASGI application for one route. All its methods belong to the loop's thread."""

    def __init__(
        self,
        context: Context,
        flask: FlaskAdapter,
        *,
        cache: CacheReader,
        copies: Copies,
        quotas: ReadQuotas,
        pages: KeptPages,
        access_log: AccessLog,
    ) -> None:
        self._context = context
        self._flask = flask
        self._cache = cache
        self._copies = copies
        self._quotas = quotas
        self._pages = pages
        self._answers = Answers(context.cursors, quotas.policy)
        self._log = access_log
        self._loading = BodyLoading(cache.bodies, self._read_bodies)
        self._at_once = 0

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
            return self._overloaded()
        start_time = time.perf_counter()
        self._at_once += 1
        try:
            request = parse_request(scope, self._context.cursors, self._context.token_keys)
            if request is None:
                return None
            is_doubtful = self._context.failing_tokens.is_doubtful(request.token)
            refusal = is_doubtful and self._refuse_doubtful(scope, request, start_time)
            return refusal or await self._answer(scope, request, start_time)
        except ForgedTokenError as error:
            return self._refuse_forged(scope, error.request_id, start_time)
        except StorageError:
            return None
        except Exception:  # a bug here: the view may succeed, and returns a 500 if not
            log.exception("front failed")
            return None
        finally:
            self._at_once -= 1

    async def _answer(self, scope: Scope, request: FeedRequest, start_time: float) -> Answer | None:
        """The response; None if Flask has to answer. Raises StorageError.

        Once the request is counted, nothing here raises: Flask would count it again.
        """
        reply = await self._cache.entries(request)
        if reply is None:
            return None
        use = self._quotas.take(request.token.user_id, time.monotonic())
        try:
            if not use.allowed:
                refusal = self._answers.refusal(request, use)
                return self._log_answer(scope, request, refusal, start_time)
            page = self._kept_page(request, reply)
            if page is None:
                page, window = await self._new_page(request, reply)
                if page is None:
                    return await self._answer_by_thread(scope, request, use, window, start_time)
            answer = self._answers.page(page, request, use)
            return self._log_answer(scope, request, answer, start_time, from_window=True)
        except OverloadedError:
            return self._overloaded()
        except Exception:  # a bug, as above
            log.exception("front failed", request_id=request.request_id)
            return await self._answer_by_view(scope, request, use)

    def _kept_page(self, request: FeedRequest, reply: Any) -> FinishedPage | None:
        """The page that was made earlier, if it would be the same now."""
        kept = self._pages.get((request.token.user_id, request.limit, request.cursor))
        degraded = self._context.graph.circuit_open
        if kept is not None and kept.is_current(reply, self._copies, degraded=degraded):
            return kept.page
        return None

    async def _new_page(
        self, request: FeedRequest, reply: Any
    ) -> tuple[FinishedPage | None, Window]:
        """The page, which is kept; or None. Also the window that proves it, or does not."""
        degraded, tick = self._context.graph.circuit_open, self._copies.tick
        entries = parse_entries(request, reply)
        bodies = await self._cache.bodies(entries.post_ids)
        window = Window.of_entries(entries, {i: body and body.json for i, body in bodies.items()})
        draft = draft_from_window(window, request.cursor, request.limit)
        if draft is None:
            return None, window
        if None in draft.bodies:
            return await self._page_with_loaded_bodies(
                request, draft, bodies, degraded=degraded
            ), window
        page = self._finish(request, draft, bodies, degraded=degraded)
        self._pages.keep(
            (request.token.user_id, request.limit, request.cursor),
            KeptPage(page, entries=reply, bodies_by_id=bodies, tick=tick, degraded=degraded),
        )
        return page, window

    async def _page_with_loaded_bodies(
        self,
        request: FeedRequest,
        draft: PageDraft,
        bodies: dict[int, Body | None],
        *,
        degraded: bool,
    ) -> FinishedPage | None:
        """The page, some of whose bodies no cache had; None if the graph cannot be read now.

        It is not kept: the next page has these bodies from the cache. Raises OverloadedError.
        """
        missing = [post_id for post_id in draft.ids if bodies[post_id] is None]
        try:
            bodies |= await self._loading.bodies(missing)
        except (GraphError, StorageError, FeedBusyError):
            return None
        return self._finish(request, draft, bodies, degraded=degraded)

    async def _read_bodies(self, post_ids: Sequence[int]) -> Mapping[int, bytes]:
        """What no cache has, from the graph in a thread, which also writes it to the cache."""
        context = self._context
        return await self._flask.run(lambda: bodies_of(context.graph, context.storage, post_ids))

    def _finish(
        self,
        request: FeedRequest,
        draft: PageDraft,
        bodies: dict[int, Body | None],
        *,
        degraded: bool,
    ) -> FinishedPage:
        """The page of these posts; those that are deleted are left out."""
        shown = [body for post_id in draft.ids if (body := bodies[post_id]) and body.json]
        page = draft.finish([body.json for body in shown], degraded=("graph",) if degraded else ())
        return self._answers.finish(page, request, [body.digest for body in shown])

    async def _answer_by_thread(
        self,
        scope: Scope,
        request: FeedRequest,
        use: LimitUse,
        window: Window,
        start_time: float,
    ) -> Answer:
        """The page that the window does not prove, by a thread; else the response of Flask.

        Raises OverloadedError.
        """
        result = await self._flask.run(lambda: self._read_page(scope, request, use, window))
        if isinstance(result, Answer):
            self._log.pass_on()
            return result
        if isinstance(result, GraphShareUsedError):
            answer = self._answers.refusal_for(result, request, use)
            return self._log_answer(scope, request, answer, start_time)
        answer = self._answers.page(self._answers.finish(result, request), request, use)
        return self._log_answer(scope, request, answer, start_time)

    def _read_page(
        self, scope: Scope, request: FeedRequest, use: LimitUse, window: Window
    ) -> FeedPage | Answer | GraphShareUsedError:
        """Blocks. The page, or the response of the view where no store can answer now.

        The error where the viewer's pages have cost the graph too much: a refusal must cost little.
        """
        context, viewer_id = self._context, request.token.user_id
        try:
            with bound_contextvars(request_id=request.request_id, viewer_id=viewer_id):
                return read_page(
                    context.graph,
                    context.storage,
                    context.rebuilder,
                    context.graph_pages,
                    viewer_id=viewer_id,
                    cursor=request.cursor,
                    limit=request.limit,
                    window=window,
                )
        except GraphShareUsedError as error:
            return error
        except (GraphError, StorageError, FeedBusyError):
            return self._flask.call(_environ(scope, request, use, window))

    async def _answer_by_view(self, scope: Scope, request: FeedRequest, use: LimitUse) -> Answer:
        """The response of Flask to a request that is authenticated and counted."""
        self._log.pass_on()
        return await self._flask.answer(_environ(scope, request, use, None))

    def _refuse_forged(self, scope: Scope, request_id: str, start_time: float) -> Answer:
        """401, or 429 for a network that sends many: no store and no thread is asked."""
        client = client_of(scope, self._context.settings.trusted_proxies)
        failing = self._context.failing_tokens
        if use := failing.excess_of_forged(client):
            answer = too_many_failing(failing.policy, use, request_id)
        else:
            answer = forged(request_id)
        self._log.add(start_time, answer.status, request_id, None, client, from_window=False)
        return answer

    def _refuse_doubtful(
        self, scope: Scope, request: FeedRequest, start_time: float
    ) -> Answer | None:
        """429 for a token of a network that fails, before a store is asked; else None."""
        client = client_of(scope, self._context.settings.trusted_proxies)
        failing, request_id = self._context.failing_tokens, request.request_id
        use = failing.excess_before_stores(request.token, client)
        if use is None:
            return None
        answer = too_many_failing(failing.policy, use, request_id)
        self._log.add(start_time, answer.status, request_id, None, client, from_window=False)
        return answer

    def _overloaded(self) -> Answer:
        """503, counted."""
        self._log.count("GET", 503)
        return answer_of(overloaded())

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


def _environ(
    scope: Scope, request: FeedRequest, use: LimitUse, window: Window | None
) -> dict[str, Any]:
    """The request for Flask, with what has been read and counted."""
    environ = environ_of(scope, b"")
    hand_over(environ, Handover(AdmittedViewer(viewer_of(request.token), use), window))
    return environ
