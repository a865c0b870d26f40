"""Reading feeds as clients do: a first page, or every page; and watching for a post.

A read is three kinds of lines: `read` (a first page), and `walk` with its `page`s.
"""

import queue
import random
import threading
from collections.abc import Sequence
from typing import Any

from drill.history import History
from drill.load.api_client import Answer, Door
from drill.load.world import Watch, World

LIMITS = (1, 7, 20, 20, 20, 50, 100)
LARGEST_LIMIT = 100
PAGE_TRIES = 5
FINAL_PAGE_TRIES = 60
"""When all is quiet a page must come: a graph that has just come back plans each query anew."""
PAGES = 40
"""A walk of so many pages takes larger ones from there on."""
WATCHING_SECONDS = 200.0
POLL_SECONDS = 0.1
LONGEST_POLL_SECONDS = 1.0


class Reader:
    """Reads one user's feed through any of the doors."""

    def __init__(
        self, history: History, doors: Sequence[Door], rng: random.Random, stop: threading.Event
    ) -> None:
        self._history = history
        self._doors = doors
        self._rng = rng
        self._stop = stop

    def first_page(self, viewer: int, token: str, session: str, limit: int = 0) -> Answer:
        """One first page, of 20 mostly."""
        limit = limit or self._rng.choice((20, 20, 20, 20, 1, 7, 50))
        number = self._history.invoke(session, "read", viewer=viewer, token=session, limit=limit)
        answer = self._rng.choice(self._doors).ask("GET", f"/v1/me/feed?limit={limit}", token=token)
        ok = answer.status == 200
        self._history.end(number, "ok" if ok else "fail", **answer.facts, **shown(answer))
        return answer

    def walk(
        self,
        viewer: int,
        token: str,
        session: str,
        *,
        limit: int = 0,
        door: Door | None = None,
        **facts: Any,
    ) -> bool:
        """Every page from the top to the end; whether that was reached."""
        size = limit or self._rng.choice(LIMITS)
        about = facts | {"viewer": viewer, "token": session}
        walk = self._history.invoke(session, "walk", limit=size, **about)
        cursor, at = "", 0
        while True:
            path = f"/v1/me/feed?limit={size}" + (f"&cursor={cursor}" if cursor else "")
            page_facts = about | {"walk": walk, "at": at}
            answer = self._page(session, path, token, door, page_facts)
            if answer is None:
                self._history.end(walk, "fail", pages=at)
                return False
            cursor, at = answer.body.get("next", ""), at + 1
            if not cursor:
                self._history.end(walk, "ok", pages=at)
                return True
            if at >= PAGES:
                size = LARGEST_LIMIT

    def _page(
        self, session: str, path: str, token: str, door: Door | None, facts: dict[str, Any]
    ) -> Answer | None:
        for _ in range(FINAL_PAGE_TRIES if facts.get("final") else PAGE_TRIES):
            number = self._history.invoke(session, "page", **facts)
            answer = (door or self._rng.choice(self._doors)).ask("GET", path, token=token)
            ok = answer.status == 200
            self._history.end(number, "ok" if ok else "fail", **answer.facts, **shown(answer))
            if ok:
                return answer
            if 400 <= answer.status < 500 or self._stop.wait(0.5):
                return None
        return None


def shown(answer: Answer) -> dict[str, Any]:
    """What a page shows: [id, author, tag] of each post, and whether another page is promised."""
    if answer.status != 200:
        return {}
    posts = [
        [int(post["id"]), int(post["author"]["id"]), post["caption"]]
        for post in answer.body["posts"]
    ]
    return {"posts": posts, "next": "next" in answer.body}


class Watcher(threading.Thread):
    """Looks into followers' feeds until they show the post they should: that time is the lag."""

    def __init__(self, world: World, number: int) -> None:
        super().__init__(name=f"watcher-{number}", daemon=True)
        self._world = world
        self._session = f"w{number}"
        doors = [Door(url) for url in world.api_urls]
        self._reader = Reader(world.history, doors, world.rng(self.name), world.stop)

    def run(self) -> None:
        while not self._world.stop.is_set():
            try:
                watch = self._world.watches.get(timeout=0.5)
            except queue.Empty:
                continue
            self._watch(watch.viewer.id, watch.viewer.watching_token, watch)

    def _watch(self, viewer: int, token: str, watch: Watch) -> None:
        posted = watch.posted
        history = self._world.history
        number = history.invoke(
            self._session, "watch", viewer=viewer, author=posted.author_id, id=posted.post_id
        )
        pause, end = POLL_SECONDS, posted.acknowledged_at + WATCHING_SECONDS
        while self._world.still_due(watch) and history.now() < end:
            answer = self._reader.first_page(viewer, token, self._session, LARGEST_LIMIT)
            if any(one[0] == posted.post_id for one in shown(answer).get("posts", [])):
                lag = history.now() - posted.acknowledged_at
                history.end(number, "ok", lag=round(lag, 3))
                return
            if self._world.stop.wait(pause):
                break
            pause = min(LONGEST_POLL_SECONDS, pause * 1.3)
        history.end(number, "fail", why="not due any more, or not within the time")
