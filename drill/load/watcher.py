"""Measures the delivery lag: the time from a post's 201 until a follower's feed shows the post."""

import queue
import threading

from drill.load.connection import ApiConnection
from drill.load.reader import Reader, page_facts
from drill.load.shared_state import SharedState, WatchTask

WATCH_LIMIT = 50
"""Less than the cap of a timeline, so that a timeline can prove the page. The graph shows a post
before it is delivered."""
LONGEST_WATCH_SECONDS = 200.0
FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 1.0
PAUSE_GROWTH = 1.3
"""Between two reads of a watched feed: the pause grows by this factor."""


class Watcher(threading.Thread):
    """Takes watch tasks until the drill stops, and records each lag as a `watch` operation."""

    def __init__(self, state: SharedState, number: int) -> None:
        super().__init__(name=f"watcher-{number}", daemon=True)
        self._state = state
        self._session = f"w{number}"
        connections = [ApiConnection(url) for url in state.api_urls]
        self._reader = Reader(state.history, connections, state.rng(self.name), state.stop)

    def run(self) -> None:
        """Works on one task after the other."""
        while not self._state.stop.is_set():
            try:
                task = self._state.watch_tasks.get(timeout=0.5)
            except queue.Empty:
                continue
            self._watch(task)

    def _watch(self, task: WatchTask) -> None:
        post, viewer, history = task.post, task.viewer, self._state.history
        number = history.invoke(
            self._session, "watch", viewer=viewer.id, author=post.author_id, id=post.post_id
        )
        pause, end = FIRST_PAUSE_SECONDS, post.acknowledged + LONGEST_WATCH_SECONDS
        while self._state.still_due(task) and history.now() < end:
            if self._shows(task):
                history.end(number, "ok", lag=round(history.now() - post.acknowledged, 3))
                return
            if self._state.stop.wait(pause):
                break
            pause = min(LONGEST_PAUSE_SECONDS, pause * PAUSE_GROWTH)
        history.end(number, "fail", why="no longer due, or not shown within the time")

    def _shows(self, task: WatchTask) -> bool:
        viewer = task.viewer
        response = self._reader.first_page(
            viewer.id, viewer.watching_token, self._session, WATCH_LIMIT
        )
        posts = page_facts(response).get("posts", [])
        return any(post_id == task.post.post_id for post_id, _, _ in posts)
