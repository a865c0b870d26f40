"""A long feed walked both ways while its list comes and goes: case 29."""

import random
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from feed import reading
from feed.pages import Cursor
from graph.ids import new_id
from storage.timeline_layout import timeline_key
from tests.support.stage import CAP, NoRebuilder, Stage

POSTS = 1_500
SHORT = 150
"""Of a walk post by post: far beyond where the list ends and the graph goes on."""


@dataclass(slots=True)
class Feed:
    """A viewer's feed, and what is known to have been delivered, rising."""

    stage: Stage
    viewer: int
    author: int
    delivered: list[int] = field(default_factory=list)

    def down(self, limit: int, most: int) -> list[int]:
        """A walk from the top, newest first, for at least so many posts."""
        seen: list[int] = []
        cursor: Cursor | None = None
        while len(seen) < most:
            ids, cursor = self.stage.page(self.viewer, cursor, limit=limit)
            assert len(ids) <= limit
            seen += ids
            if cursor is None:
                break
        return seen

    def up(self, limit: int, after: int) -> list[int]:
        """A walk upward from an id, until nothing newer is there."""
        seen: list[int] = []
        cursor = Cursor("after", after)
        while True:
            page = reading.read_page(
                self.stage.graph,
                self.stage.storage,
                NoRebuilder(),
                viewer_id=self.viewer,
                cursor=cursor,
                limit=limit,
            )
            ids = [int(body.split(b'"')[3]) for body in page.bodies]
            if not ids:
                return seen
            assert page.prev
            seen += reversed(ids)
            cursor = page.prev


@pytest.fixture
def long_feed(stage: Stage) -> Feed:
    viewer, author = stage.town.users(2)
    stage.town.add_followees(viewer, author)
    newest = new_id()
    posts = [newest - (n * 30_000 << 12) for n in range(POSTS, 0, -1)]  # one in half a minute
    for start in range(0, POSTS, 500):
        stage.town.old_posts(author, posts[start : start + 500])
    stage.build(viewer)
    return Feed(stage, viewer, author, posts)


@contextmanager
def coming_and_going(long_feed: Feed) -> Iterator[None]:
    """Posts arrive; the list is dropped, expires, is rebuilt, is trimmed."""
    stage, over = long_feed.stage, threading.Event()
    key, draw = timeline_key(long_feed.viewer), random.Random(29)

    def live() -> None:
        while not over.is_set():
            post, event = stage.town.post(long_feed.author)
            stage.do(event)
            long_feed.delivered.append(post)
            what = draw.randrange(6)
            if what == 0:
                stage.storage.timelines.drop(long_feed.viewer)
            elif what == 1:
                stage.storage.cache.client.pexpire(key, 1)
            elif what == 2:
                stage.storage.cache.client.ltrim(key, -CAP // 2, -1)
            else:
                stage.rebuild(long_feed.viewer)

    with ThreadPoolExecutor(1) as thread:
        living = thread.submit(live)
        try:
            yield
        finally:
            over.set()
        living.result(30)


# Case 29
@pytest.mark.timeout(300)
def test_long_walks_both_ways_miss_nothing_while_the_list_comes_and_goes(
    long_feed: Feed,
) -> None:
    with coming_and_going(long_feed):
        for limit, most in ((100, POSTS * 2), (20, POSTS * 2), (7, POSTS * 2), (1, SHORT)):
            before = list(long_feed.delivered)
            seen = long_feed.down(limit, most)
            assert seen == sorted(set(seen), reverse=True), "ids fall, and nothing comes twice"
            lowest = seen[-1]
            assert not {i for i in before if i >= lowest} - set(seen), f"missed at limit {limit}"
            assert most == SHORT or lowest == long_feed.delivered[0], "it ended before its end"

            start = before[-SHORT if limit == 1 else 0]
            rising = long_feed.up(limit, start)
            assert rising == sorted(set(rising))
            assert not {i for i in before if i > start} - set(rising), f"missed upward at {limit}"
    assert long_feed.stage.read(long_feed.viewer, limit=100) == long_feed.stage.town.expected_feed(
        long_feed.viewer
    )
