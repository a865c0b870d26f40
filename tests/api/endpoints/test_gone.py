"""P6: once a leaving or a deletion is answered, no request begun later shows what is gone."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from graph import Graph
from storage import Storage
from tests.support.eventually import eventually
from tests.support.people import Builders, Person, assert_problem
from tests.support.town import Town
from workers import outbox

AGAIN_SECONDS = 0.2
"""Until a reader who was told that the feed is busy asks again."""


@dataclass(slots=True)
class Crowd:
    """Eight clients: readers of one feed, and an author who posts, each post fanned out."""

    reader: Person
    author: Person
    builders: Builders
    storage: Storage
    reads: list[tuple[float, set[int]]] = field(default_factory=list)
    posts: list[int] = field(default_factory=list)
    _over: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def at_it(self) -> Iterator[None]:
        threads = [threading.Thread(target=self._read) for _ in range(6)]
        threads += [threading.Thread(target=self._post) for _ in range(2)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._over.set()
            for thread in threads:
                thread.join(30)

    def _read(self) -> None:
        while not self._over.is_set():
            began = time.monotonic()
            answer = self.reader.get("/v1/me/feed?limit=100")
            if answer.status_code == 503:  # the graph has more to do than it can: shown nothing
                assert_problem(answer, 503, "feed-busy")
                self._over.wait(AGAIN_SECONDS)
                continue
            assert answer.status_code == 200
            self.reads.append((began, {int(post["id"]) for post in answer.json["posts"]}))

    def _post(self) -> None:
        town = Town(self.builders.graph)
        while not self._over.is_set():
            self.posts.append(int(self.builders.publish(self.author)["id"]))
            for event in town.events_of(self.posts[-1]):
                outbox.run(self.builders.graph, self.storage, event.id, event.epoch)

    def seen_after(self, moment: float) -> set[int]:
        return set().union(*(ids for began, ids in self.reads if began > moment))

    def reads_after(self, moment: float) -> int:
        return sum(began > moment for began, _ in self.reads)


@pytest.fixture
def crowd(builders: Builders, storage: Storage) -> Crowd:
    reader, author = builders.new_user(), builders.new_user()
    builders.follow(reader, author)
    return Crowd(reader, author, builders, storage)


LEAVING: dict[str, Callable[[Crowd], int]] = {
    "unfollow": lambda crowd: (
        crowd.reader.delete(f"/v1/me/following/{crowd.author.id}").status_code
    ),
    "removal": lambda crowd: crowd.author.delete(f"/v1/me/followers/{crowd.reader.id}").status_code,
    "block": lambda crowd: crowd.author.put(f"/v1/me/blocks/{crowd.reader.id}").status_code,
}


@pytest.mark.parametrize("way", LEAVING)
def test_after_leaving_none_of_the_authors_posts_is_seen_again(crowd: Crowd, way: str) -> None:
    with crowd.at_it():
        eventually(lambda: len(crowd.posts) > 5 and crowd.seen_after(0), seconds=30)
        assert LEAVING[way](crowd) == 204
        gone_at = time.monotonic()
        eventually(lambda: crowd.reads_after(gone_at) > 40, seconds=30)
    assert crowd.seen_after(gone_at) == set()


def test_a_deleted_post_is_not_seen_again(crowd: Crowd, graph: Graph) -> None:
    with crowd.at_it():
        for _ in range(3):
            count = len(crowd.posts)
            eventually(lambda count=count: len(crowd.posts) > count, seconds=30)  # type: ignore[misc]
            post_id = crowd.posts[-1]
            eventually(lambda: crowd.seen_after(0) & {post_id}, seconds=30)  # noqa: B023 - asked at once
            assert crowd.author.delete(f"/v1/posts/{post_id}").status_code == 204
            gone_at = time.monotonic()
            eventually(lambda: crowd.reads_after(gone_at) > 15, seconds=30)  # noqa: B023
            assert post_id not in crowd.seen_after(gone_at)
    assert graph.posts.many(crowd.posts)
