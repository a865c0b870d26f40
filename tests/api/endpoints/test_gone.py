"""P6: a request that begins after the response to a leaving or deletion does not show the posts."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from graph import Graph
from storage import Storage
from tests.support.eventually import eventually
from tests.support.outbox import run
from tests.support.people import Builders, Person, assert_problem
from tests.support.town import Town

RETRY_SECONDS = 0.2
"""The pause of a reader after a refusal."""
REFUSED = {429: "too-many-requests", 503: "feed-busy"}
"""Pages that need the graph while others of the reader, or of anybody, are read from it."""


@dataclass(slots=True)
class Load:
    """Eight threads: six read a user's feed, two publish posts of the followee and fan them out."""

    reader: Person
    author: Person
    builders: Builders
    storage: Storage
    reads: list[tuple[float, set[int]]] = field(default_factory=list)
    posts: list[int] = field(default_factory=list)
    _stopping: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def running(self) -> Iterator[None]:
        threads = [threading.Thread(target=self._read) for _ in range(6)]
        threads += [threading.Thread(target=self._post) for _ in range(2)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._stopping.set()
            for thread in threads:
                thread.join(30)

    def _read(self) -> None:
        while not self._stopping.is_set():
            start_time = time.monotonic()
            response = self.reader.get("/v1/me/feed?limit=100")
            if response.status_code in REFUSED:  # it shows nothing
                assert_problem(response, response.status_code, REFUSED[response.status_code])
                self._stopping.wait(RETRY_SECONDS)
                continue
            assert response.status_code == 200
            self.reads.append((start_time, {int(post["id"]) for post in response.json["posts"]}))

    def _post(self) -> None:
        town = Town(self.builders.graph)
        while not self._stopping.is_set():
            self.posts.append(int(self.builders.publish(self.author)["id"]))
            for event in town.events_of(self.posts[-1]):
                run(self.builders.graph, self.storage, event.id, event.epoch)

    def seen_after(self, moment: float) -> set[int]:
        return set().union(*(ids for start_time, ids in self.reads if start_time > moment))

    def reads_after(self, moment: float) -> int:
        return sum(start_time > moment for start_time, _ in self.reads)


@pytest.fixture
def load(builders: Builders, storage: Storage) -> Load:
    reader, author = builders.new_user(), builders.new_user()
    reader.follow(author)
    return Load(reader, author, builders, storage)


LEAVING: dict[str, Callable[[Load], int]] = {
    "unfollow": lambda load: load.reader.delete(f"/v1/me/following/{load.author.id}").status_code,
    "removal": lambda load: load.author.delete(f"/v1/me/followers/{load.reader.id}").status_code,
    "block": lambda load: load.author.put(f"/v1/me/blocks/{load.reader.id}").status_code,
}


@pytest.mark.parametrize("leaving", LEAVING)
def test_no_request_after_a_leaving_shows_a_post_of_the_author(load: Load, leaving: str) -> None:
    with load.running():
        eventually(lambda: len(load.posts) > 5 and load.seen_after(0), seconds=30)
        assert LEAVING[leaving](load) == 204
        response_time = time.monotonic()
        eventually(lambda: load.reads_after(response_time) > 40, seconds=30)
    assert load.seen_after(response_time) == set()


def test_no_later_request_shows_a_deleted_post(load: Load, graph: Graph) -> None:
    with load.running():
        for _ in range(3):
            count = len(load.posts)
            eventually(lambda count=count: len(load.posts) > count, seconds=30)  # type: ignore[misc]
            post_id = load.posts[-1]
            eventually(lambda: load.seen_after(0) & {post_id}, seconds=30)  # noqa: B023 - called at once
            assert load.author.delete(f"/v1/posts/{post_id}").status_code == 204
            response_time = time.monotonic()
            eventually(lambda: load.reads_after(response_time) > 15, seconds=30)  # noqa: B023
            assert post_id not in load.seen_after(response_time)
    assert graph.posts.many(load.posts)
