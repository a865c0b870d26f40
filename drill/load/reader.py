"""Reads feeds as clients do: a first page, or all pages.

The history records a first page as `read`, and a walk over all pages as `walk` with its `page`s.
"""

import random
import threading
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from drill.history import History
from drill.http_status import is_client_error
from drill.load.connection import ApiConnection, Response

FIRST_PAGE_LIMITS = (20, 20, 20, 20, 1, 7, 50)
WALK_LIMITS = (1, 7, 20, 20, 20, 50, 100)
"""One of these page sizes is drawn for each read."""
LARGEST_LIMIT = 100
PAGE_ATTEMPTS = 5
FINAL_PAGE_ATTEMPTS = 60
"""After the last fault a page must come in the end: a restarted graph plans each query anew."""
RETRY_SECONDS = 0.5
MAX_SMALL_PAGES = 40
"""After so many pages a walk goes on with pages of LARGEST_LIMIT."""


class Reader:
    """Reads feeds, each page through one of the connections."""

    def __init__(
        self,
        history: History,
        connections: Sequence[ApiConnection],
        rng: random.Random,
        stop: threading.Event,
    ) -> None:
        self._history = history
        self._connections = connections
        self._rng = rng
        self._stop = stop

    def first_page(
        self,
        viewer: int,
        token: str,
        session: str,
        limit: int = 0,
        *,
        connection: ApiConnection | None = None,
    ) -> Response:
        """Read the first page. Without a `limit` the size is drawn, mostly 20."""
        limit = limit or self._rng.choice(FIRST_PAGE_LIMITS)
        number = self._history.invoke(session, "read", viewer=viewer, token=session, limit=limit)
        used = connection or self._rng.choice(self._connections)
        response = used.request("GET", f"/v1/me/feed?limit={limit}", token=token)
        self._end(number, response)
        return response

    def walk(
        self,
        viewer: int,
        token: str,
        session: str,
        *,
        limit: int = 0,
        connection: ApiConnection | None = None,
        pages: int = 0,
        **facts: Any,
    ) -> bool:
        """Read all pages from the newest to the last; returns whether the last one was read.

        With `pages` at most that many. Without a `connection` one is drawn for each page. `facts`
        are recorded with each line.
        """
        size = limit or self._rng.choice(WALK_LIMITS)
        all_facts = facts | {"viewer": viewer, "token": session}
        walk = self._history.invoke(session, "walk", limit=size, **all_facts)
        cursor, at = "", 0
        while True:
            path = f"/v1/me/feed?limit={size}" + (f"&cursor={cursor}" if cursor else "")
            page_facts = all_facts | {"walk": walk, "at": at}
            response = self._page(session, path, token, connection, page_facts)
            if response is None:
                self._history.end(walk, "fail", pages=at)
                return False
            cursor, at = response.body.get("next", ""), at + 1
            if not cursor or at == pages:
                self._history.end(walk, "ok", pages=at)
                return True
            if at >= MAX_SMALL_PAGES:
                size = LARGEST_LIMIT

    def _page(
        self,
        session: str,
        path: str,
        token: str,
        connection: ApiConnection | None,
        facts: dict[str, Any],
    ) -> Response | None:
        """One page of a walk, or None if it is refused or all attempts fail."""
        for _ in range(FINAL_PAGE_ATTEMPTS if facts.get("final") else PAGE_ATTEMPTS):
            number = self._history.invoke(session, "page", **facts)
            used = connection or self._rng.choice(self._connections)
            response = used.request("GET", path, token=token)
            self._end(number, response)
            if response.status == HTTPStatus.OK:
                return response
            if _is_refusal(response.status) or self._stop.wait(RETRY_SECONDS):
                return None
        return None

    def _end(self, number: int, response: Response) -> None:
        ok = response.status == HTTPStatus.OK
        facts = response.facts | page_facts(response)
        self._history.end(number, "ok" if ok else "fail", **facts)


def _is_refusal(status: int) -> bool:
    """Whether the page is refused for good; after a 429 it is answered later."""
    return is_client_error(status) and status != HTTPStatus.TOO_MANY_REQUESTS


def page_facts(response: Response) -> dict[str, Any]:
    """What the history records of a page: [id, author, tag] of each post, and if there is a next.

    `names` has each [author, name] that its posts show. Empty for a response that is no page.
    """
    if response.status != HTTPStatus.OK:
        return {}
    posts = [
        [int(post["id"]), int(post["author"]["id"]), post["caption"]]
        for post in response.body["posts"]
    ]
    names = {(int(post["author"]["id"]), post["author"]["name"]) for post in response.body["posts"]}
    return {"posts": posts, "next": "next" in response.body, "names": sorted(map(list, names))}
