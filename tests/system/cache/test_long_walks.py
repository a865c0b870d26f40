"""Long walks both ways while the list is dropped, expires and is rebuilt (case 29)."""

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
from tests.support.stage import CAP, NoRebuilder, Stage, page_ids

POSTS = 1_500
ALL = 2 * POSTS
"""More posts than the feed has at the end."""
SHORT = 150
"""Posts of a walk one by one: beyond the end of the list, where pages come from the graph."""


@dataclass(slots=True)
class Feed:
    """A viewer's feed."""

    stage: Stage
    viewer: int
    author: int
    delivered: list[int] = field(default_factory=list)
    """The ids of the posts that have been delivered, rising."""

    def walk_down(self, limit: int, posts: int) -> list[int]:
        """The ids of a walk from the newest post, until it has this number of posts or ends."""
        ids: list[int] = []
        cursor: Cursor | None = None
        while len(ids) < posts:
            page, cursor = self.stage.page(self.viewer, cursor, limit=limit)
            assert len(page) <= limit
            ids += page
            if cursor is None:
                break
        return ids

    def walk_up(self, limit: int, after: int) -> list[int]:
        """The ids of a walk upward from an id, until there is nothing newer."""
        ids: list[int] = []
        cursor = Cursor("after", after)
        while True:
            page = reading.read_page(
                self.stage.graph,
                self.stage.storage,
                NoRebuilder(),
                self.stage.graph_pages,
                viewer_id=self.viewer,
                cursor=cursor,
                limit=limit,
            )
            if not page.bodies:
                return ids
            assert page.prev
            ids += reversed(page_ids(page))
            cursor = page.prev


@pytest.fixture
def feed(stage: Stage) -> Feed:
    """A feed with a post every half minute, and a list of the newest."""
    viewer, author = stage.town.users(2)
    stage.town.add_followees(viewer, author)
    newest = new_id()
    posts = [newest - (n * 30_000 << 12) for n in range(POSTS, 0, -1)]
    for start in range(0, POSTS, 500):
        stage.town.old_posts(author, posts[start : start + 500])
    stage.build(viewer)
    return Feed(stage, viewer, author, posts)


@contextmanager
def changing_list(feed: Feed) -> Iterator[None]:
    """Posts arrive during the context; the list is dropped, expires, is rebuilt or is trimmed."""
    stage, stop = feed.stage, threading.Event()
    key, rng = timeline_key(feed.viewer), random.Random(29)

    def change() -> None:
        while not stop.is_set():
            post, event = stage.town.post(feed.author)
            stage.do(event)
            feed.delivered.append(post)
            step = rng.randrange(6)
            if step == 0:
                stage.storage.timelines.drop(feed.viewer)
            elif step == 1:
                stage.storage.cache.client.pexpire(key, 1)
            elif step == 2:
                stage.storage.cache.client.ltrim(key, -CAP // 2, -1)
            else:
                stage.rebuild(feed.viewer)

    with ThreadPoolExecutor(1) as thread:
        changing = thread.submit(change)
        try:
            yield
        finally:
            stop.set()
        changing.result(30)


# Case 29
@pytest.mark.timeout(300)
def test_long_walks_both_ways_miss_no_post_while_the_list_changes(feed: Feed) -> None:
    with changing_list(feed):
        for limit, posts in ((100, ALL), (20, ALL), (7, ALL), (1, SHORT)):
            before = list(feed.delivered)
            falling = feed.walk_down(limit, posts)
            assert falling == sorted(set(falling), reverse=True)
            lowest = falling[-1]
            missing = {post for post in before if post >= lowest} - set(falling)
            assert not missing, f"missed at limit {limit}"
            assert posts == SHORT or lowest == feed.delivered[0], "the walk ended too early"

            start = before[-SHORT if limit == 1 else 0]
            rising = feed.walk_up(limit, start)
            assert rising == sorted(set(rising))
            missing = {post for post in before if post > start} - set(rising)
            assert not missing, f"missed upward at limit {limit}"
    expected = feed.stage.town.expected_feed(feed.viewer)
    assert feed.stage.read(feed.viewer, limit=100) == expected
