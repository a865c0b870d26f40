"""Clients that read without a pause while a reader leaves an author or a post is deleted."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from typing import Any

import pytest

from storage import Storage
from tests.support.eventually import eventually
from tests.support.people import Person
from tests.support.town import Town
from tests.support.transports import ApiResponse

CLIENTS = 8
ROUNDS = 3
READ_ON_SECONDS = 3.0
"""How long the clients read on after the last 204."""
PAUSE_SECONDS = 1.0
"""Between two posts: a page of a hundred has the posts of more than B."""
GONE = frozenset({HTTPStatus.NOT_FOUND})
ANSWERED = frozenset({HTTPStatus.OK, HTTPStatus.TOO_MANY_REQUESTS})
"""The clients are all of one user, whose pages come from the graph one at a time while they leave
somebody. A client more is refused."""
REFUSED_SECONDS = 0.02
"""The pause of a client after a refusal."""
PLANNED_SECONDS = 0.1
"""A page from the graph takes longer while the graph plans its statement again."""


@dataclass(frozen=True, slots=True)
class Read:
    """A response, with the times of its request and its arrival."""

    began: float
    ended: float
    path: str
    status: int
    shown: frozenset[str]
    """The ids of the posts and users in it."""


@dataclass
class ReadLoad:
    """Clients that read these paths as fast as they can."""

    reader: Person
    paths: list[str]
    reads: list[Read] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        reader = self.reader.on_new_connection()
        while not self.stop.is_set():
            for path in self.paths:
                began = time.monotonic()
                response = reader.get(path)
                shown = ids_in(response)
                self.reads.append(Read(began, time.monotonic(), path, response.status_code, shown))
                if response.status_code == HTTPStatus.TOO_MANY_REQUESTS:
                    self.stop.wait(REFUSED_SECONDS)

    def between(self, start: float, end: float = float("inf")) -> list[Read]:
        """The reads that began after `start` and ended before `end`."""
        return [read for read in self.reads if read.began >= start and read.ended <= end]

    def wait_until_shown(self, shown: str, *, on_every_path: bool = False) -> None:
        """Waits until a read that begins after this call shows the id."""
        since = time.monotonic()

        def is_shown() -> bool:
            paths = {read.path for read in self.between(since) if shown in read.shown}
            return paths == set(self.paths) if on_every_path else bool(paths)

        eventually(is_shown)

    def read_on(self, since: float) -> None:
        """Waits until the clients have read for READ_ON_SECONDS, each of them every path."""
        eventually(
            lambda: (
                time.monotonic() - since > READ_ON_SECONDS
                and len(self.between(since)) > CLIENTS * len(self.paths)
            )
        )


def ids_in(response: ApiResponse) -> frozenset[str]:
    """The ids of all posts and users that the response shows."""
    if response.status_code != HTTPStatus.OK:
        return frozenset()
    body: dict[str, Any] = response.json
    posts = [*body.get("posts", []), *([body] if "photos" in body else [])]
    users = [*body.get("users", []), *([body] if "username" in body else [])]
    ids = {post["id"] for post in posts} | {post["author"]["id"] for post in posts}
    return frozenset(ids | {user["id"] for user in users})


@contextmanager
def reading(reader: Person, *paths: str) -> Iterator[ReadLoad]:
    """Reads these paths during the context."""
    load = ReadLoad(reader, list(paths))
    clients = [threading.Thread(target=load.run) for _ in range(CLIENTS)]
    for client in clients:
        client.start()
    try:
        yield load
    finally:
        load.stop.set()
        for client in clients:
            client.join()


@contextmanager
def publishing(author: Person, photos: list[int]) -> Iterator[list[int]]:
    """Publishes posts during the context; the list of their ids grows."""
    stop = threading.Event()
    posts: list[int] = []

    def run() -> None:
        for photo in photos:
            if stop.is_set():
                return
            posts.append(author.publish(photo))
            stop.wait(PAUSE_SECONDS)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield posts
    finally:
        stop.set()
        thread.join()


def time_of_204(send: Callable[[], ApiResponse]) -> float:
    """Repeats a request while it is 503; the time of its 204."""

    def is_done() -> bool:
        status = send().status_code
        assert status in {HTTPStatus.NO_CONTENT, HTTPStatus.SERVICE_UNAVAILABLE}
        return status == HTTPStatus.NO_CONTENT

    eventually(is_done, every=0.5)
    return time.monotonic()


@pytest.fixture
def pair(
    person: Callable[[str], Person], town: Town, storage: Storage
) -> tuple[Person, Person, list[int]]:
    """A reader, an author whose post the reader's feed shows, and photos of the author."""
    reader, author = person("reader"), person("author")
    reader.follow(author)
    photos = town.photos(author.id, 2_000)
    first = author.publish(photos.pop())
    eventually(lambda: first in reader.feed())
    # After so many new nodes the graph plans its statements again: reads during that are 503.
    eventually(lambda: all(is_page_planned(reader, storage) for _ in range(5)))
    return reader, author, photos


def is_page_planned(reader: Person, storage: Storage) -> bool:
    """Whether a page from the graph is quick."""
    storage.timelines.drop(reader.id)
    began = time.monotonic()
    reader.get("/v1/me/feed?limit=100")
    return time.monotonic() - began < PLANNED_SECONDS


# Case 21
def test_after_an_unfollow_the_feed_never_shows_the_author(
    pair: tuple[Person, Person, list[int]],
) -> None:
    reader, author, photos = pair
    author_id = str(author.id)
    not_following: list[tuple[float, float]] = []
    with (
        reading(reader, "/v1/me/feed?limit=5", "/v1/me/feed?limit=100") as load,
        publishing(author, photos),
    ):
        for _ in range(ROUNDS):
            load.wait_until_shown(author_id)
            left = time_of_204(lambda: reader.delete(f"/v1/me/following/{author.id}"))
            load.read_on(left)
            not_following.append((left, time.monotonic()))
            reader.follow(author)
    assert {read.status for read in load.reads} <= ANSWERED
    for left, followed in not_following:
        reads = load.between(left, followed)
        assert len(reads) > CLIENTS
        assert [read for read in reads if author_id in read.shown] == []


def test_after_a_block_no_route_shows_one_user_to_the_other(
    pair: tuple[Person, Person, list[int]],
) -> None:
    reader, author, photos = pair
    author_id = str(author.id)
    author.follow(reader)
    paths = (
        "/v1/me/feed",
        f"/v1/users/{author.id}",
        f"/v1/users/{author.id}/posts",
        f"/v1/posts/{reader.feed()[0]}",
        "/v1/me/following",
        "/v1/me/followers",
    )
    with reading(reader, *paths) as load, publishing(author, photos) as posts:
        load.wait_until_shown(author_id, on_every_path=True)
        blocked = time_of_204(lambda: reader.put(f"/v1/me/blocks/{author.id}"))
        load.read_on(blocked)
        newest = posts[-1]
    after = load.between(blocked)
    assert [read for read in after if author_id in read.shown] == []
    hidden = {paths[1], paths[2], paths[3]}
    assert {read.status for read in after if read.path in hidden} == GONE
    assert {read.status for read in after if read.path not in hidden} <= ANSWERED
    assert reader.get(f"/v1/posts/{newest}").status_code in GONE
    assert author.get(f"/v1/users/{reader.id}").status_code in GONE
    assert author.read("/v1/me/following")["users"] == []


def test_after_a_deletion_no_route_shows_the_post_to_anyone(
    pair: tuple[Person, Person, list[int]],
) -> None:
    reader, author, photos = pair
    with publishing(author, photos) as posts:
        for viewer in (reader, author):
            eventually(lambda: len(posts) > 3)
            deleted_post = posts[-1]
            path = f"/v1/posts/{deleted_post}"
            paths = (path, "/v1/me/feed?limit=100", f"/v1/users/{author.id}/posts?limit=100")
            with reading(viewer, *paths) as load:
                load.wait_until_shown(str(deleted_post), on_every_path=True)
                deleted = time_of_204(partial(author.delete, path))
                load.read_on(deleted)
            after = load.between(deleted)
            assert [read for read in after if str(deleted_post) in read.shown] == []
            assert {read.status for read in after if read.path == path} == GONE
            assert author.delete(path).status_code == HTTPStatus.NO_CONTENT
