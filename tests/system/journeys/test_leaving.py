import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from typing import Any

import pytest
import requests

from tests.support.eventually import eventually
from tests.system.journeys.people import B_SECONDS, Filler, Person

CLIENTS = 8
ROUNDS = 3
GOING_ON_SECONDS = 3.0
"""How long the clients go on reading after the last 204."""
PAUSE_SECONDS = 0.1
"""Between two posts: a page of a hundred shows the last ten seconds of them."""
GONE = frozenset({HTTPStatus.NOT_FOUND})
QUICK_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Read:
    """One answer: when it was asked for and came, from where, and what it showed."""

    began: float
    ended: float
    path: str
    status: int
    shown: frozenset[str]


@dataclass
class Hammer:
    """Eight clients that read these paths as fast as they can."""

    reader: Person
    paths: list[str]
    reads: list[Read] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        client = self.reader.again()
        while not self.stop.is_set():
            for path in self.paths:
                began = time.monotonic()
                answer = client.call("GET", path)
                read = Read(began, time.monotonic(), path, answer.status_code, shown_in(answer))
                self.reads.append(read)

    def between(self, start: float, end: float = float("inf")) -> list[Read]:
        """The reads that lie wholly in that time."""
        return [read for read in self.reads if read.began >= start and read.ended <= end]

    def sees(self, shown: str, *, everywhere: bool = False) -> None:
        """Wait until a read begun from now on shows it; `everywhere`: one on each path."""
        since = time.monotonic()

        def check() -> bool:
            paths = {read.path for read in self.between(since) if shown in read.shown}
            return paths == set(self.paths) if everywhere else bool(paths)

        eventually(check, seconds=B_SECONDS)


def shown_in(answer: requests.Response) -> frozenset[str]:
    """Every id of a post or a person that the answer names as visible."""
    if not answer.ok:
        return frozenset()
    body: dict[str, Any] = answer.json()
    posts = [*body.get("posts", []), *([body] if "photos" in body else [])]
    people = [*body.get("users", []), *([body] if "username" in body else [])]
    ids = {post["id"] for post in posts} | {post["author"]["id"] for post in posts}
    return frozenset(ids | {user["id"] for user in people})


@contextmanager
def hammering(reader: Person, *paths: str) -> Iterator[Hammer]:
    hammer = Hammer(reader, list(paths))
    clients = [threading.Thread(target=hammer.run) for _ in range(CLIENTS)]
    for client in clients:
        client.start()
    try:
        yield hammer
    finally:
        hammer.stop.set()
        for client in clients:
            client.join()


@contextmanager
def posting(author: Person, photos: list[int]) -> Iterator[list[int]]:
    """Someone who goes on posting meanwhile; the ids of their posts."""
    stop = threading.Event()
    posted: list[int] = []

    def run() -> None:
        for photo in photos:
            if stop.is_set():
                return
            posted.append(author.post(photo))
            stop.wait(PAUSE_SECONDS)

    poster = threading.Thread(target=run)
    poster.start()
    try:
        yield posted
    finally:
        stop.set()
        poster.join()


def done(answer: Callable[[], requests.Response]) -> float:
    """Repeat a request until its 204; when that came."""

    def once() -> bool:
        status = answer().status_code
        assert status in {HTTPStatus.NO_CONTENT, HTTPStatus.SERVICE_UNAVAILABLE}
        return status == HTTPStatus.NO_CONTENT

    eventually(once, seconds=30, every=0.5)
    return time.monotonic()


@pytest.fixture
def pair(person: Callable[[str], Person], filler: Filler) -> tuple[Person, Person, list[int]]:
    """A reader, an author whom they follow and see, and the author's photos to post."""
    reader, author = person("reader"), person("author")
    reader.follow(author)
    photos = filler.ready_photos(author.id, 2_000)
    first = author.post(photos.pop())
    eventually(lambda: first in reader.feed_ids(), seconds=B_SECONDS)
    # So many photos at once have the graph plan anew: who asked meanwhile would be told it is busy
    eventually(lambda: all(_quick(reader, author) for _ in range(5)), seconds=B_SECONDS)
    return reader, author, photos


def _quick(reader: Person, author: Person) -> bool:
    """Whether a page of the graph is there soon: a follow drops the list, also one that stands."""
    reader.follow(author)
    began = time.monotonic()
    reader.call("GET", "/v1/me/feed?limit=100")
    return time.monotonic() - began < QUICK_SECONDS


def some_reads(hammer: Hammer, since: float) -> None:
    """Let the clients read on for a while, and be sure that they did."""
    eventually(
        lambda: (
            time.monotonic() - since > GOING_ON_SECONDS
            and len(hammer.between(since)) > CLIENTS * len(hammer.paths)
        ),
        seconds=60,
    )


def test_after_the_unfollow_the_feed_never_shows_them(
    pair: tuple[Person, Person, list[int]],
) -> None:
    reader, author, photos = pair
    me = str(author.id)
    away: list[tuple[float, float]] = []
    with (
        hammering(reader, "/v1/me/feed?limit=5", "/v1/me/feed?limit=100") as hammer,
        posting(author, photos),
    ):
        for _ in range(ROUNDS):
            hammer.sees(me)
            left = done(lambda: reader.call("DELETE", f"/v1/me/following/{author.id}"))
            some_reads(hammer, left)
            away.append((left, time.monotonic()))
            reader.follow(author)
    assert {read.status for read in hammer.reads} == {HTTPStatus.OK}
    for left, back in away:
        reads = hammer.between(left, back)
        assert len(reads) > CLIENTS
        assert [read for read in reads if me in read.shown] == []


def test_after_the_block_no_route_shows_them_to_each_other(
    pair: tuple[Person, Person, list[int]],
) -> None:
    reader, author, photos = pair
    me = str(author.id)
    author.follow(reader)
    paths = (
        "/v1/me/feed",
        f"/v1/users/{author.id}",
        f"/v1/users/{author.id}/posts",
        f"/v1/posts/{reader.feed_ids()[0]}",
        "/v1/me/following",
        "/v1/me/followers",
    )
    with hammering(reader, *paths) as hammer, posting(author, photos) as posted:
        hammer.sees(me, everywhere=True)
        blocked = done(lambda: reader.call("PUT", f"/v1/me/blocks/{author.id}"))
        some_reads(hammer, blocked)
        newest = posted[-1]
    after = hammer.between(blocked)
    assert [read for read in after if me in read.shown] == []
    hidden = {paths[1], paths[2], paths[3]}
    assert {read.status for read in after if read.path in hidden} == GONE
    assert {read.status for read in after if read.path not in hidden} == {HTTPStatus.OK}
    assert reader.call("GET", f"/v1/posts/{newest}").status_code in GONE
    assert author.call("GET", f"/v1/users/{reader.id}").status_code in GONE
    assert author.get("/v1/me/following")["users"] == []


def test_after_the_delete_no_route_shows_the_post_to_anyone(
    pair: tuple[Person, Person, list[int]],
) -> None:
    reader, author, photos = pair
    with posting(author, photos) as posted:
        for who in (reader, author):
            eventually(lambda: len(posted) > 3, seconds=60)
            victim = posted[-1]
            one = f"/v1/posts/{victim}"
            paths = (one, "/v1/me/feed?limit=100", f"/v1/users/{author.id}/posts?limit=100")
            with hammering(who, *paths) as hammer:
                hammer.sees(str(victim), everywhere=True)
                deleted = done(partial(author.call, "DELETE", one))
                some_reads(hammer, deleted)
            after = hammer.between(deleted)
            assert [read for read in after if str(victim) in read.shown] == []
            assert {read.status for read in after if read.path == one} == GONE
            again = author.call("DELETE", f"/v1/posts/{victim}")
            assert again.status_code == HTTPStatus.NO_CONTENT
