import secrets
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest

from api.services.posts import Draft, publish
from graph import Graph
from storage import Storage
from tests.support.eventually import eventually
from tests.system.journeys.people import B_SECONDS, Filler, Person

FOLLOWEES = 20
POSTS = 1_200
BEFORE = 1_000
"""Posted before the first walk; the others are posted by way of the API while people walk."""
LIMITS = (100, 20, 7, 1)


class Town:
    """A reader, twenty people they follow, and the ids of what those have posted."""

    def __init__(self, reader: Person, authors: Sequence[Person], filler: Filler) -> None:
        self.reader = reader
        self.authors = authors
        self.photos = {
            author.id: iter(filler.ready_photos(author.id, POSTS // FOLLOWEES))
            for author in authors
        }
        self.posted: list[int] = []

    def post_directly(self, graph: Graph, storage: Storage, count: int) -> None:
        """Posts through the API's own service, without HTTP: the same writes, bell included."""
        turns = [self.authors[n % FOLLOWEES] for n in range(count)]

        def one(author: Person) -> int:
            draft = Draft(photo_ids=(next(self.photos[author.id]),), caption="", location=None)
            made = publish(graph, storage, draft, author_id=author.id, key=secrets.token_hex(8))
            return made.post_id

        with ThreadPoolExecutor(4) as threads:
            self.posted += threads.map(one, turns)

    def post_on(self, stop: threading.Event) -> None:
        """Post what is left through the API, one after the other, until told to stop."""
        for n in range(POSTS - BEFORE):
            if stop.is_set():
                return
            author = self.authors[n % FOLLOWEES]
            self.posted.append(author.post(next(self.photos[author.id])))


def walked(pages: Iterator[dict[str, object]], limit: int) -> list[int]:
    """The ids of a walk, after looking at what must hold of every walk."""
    ids = []
    for page in pages:
        posts = page["posts"]
        assert isinstance(posts, list)
        assert len(posts) <= limit
        ids += [int(post["id"]) for post in posts]
    assert all(newer > older for newer, older in pairwise(ids)), "ids do not fall strictly"
    return ids


@pytest.mark.timeout(600)
def test_walks_of_any_step_miss_nothing_while_others_post(
    person: Callable[[str], Person], graph: Graph, storage: Storage, filler: Filler
) -> None:
    reader = person("reader")
    with ThreadPoolExecutor(4) as threads:
        authors = list(threads.map(person, [f"author{n}" for n in range(FOLLOWEES)]))
    for author in authors:
        reader.follow(author)
    town = Town(reader, authors, filler)
    town.post_directly(graph, storage, BEFORE)
    everyone = [author.id for author in authors]
    eventually(lambda: not filler.owed(everyone), seconds=B_SECONDS, every=1)

    stop = threading.Event()
    poster = threading.Thread(target=town.post_on, args=(stop,))
    poster.start()
    try:
        delivered = set(town.posted[:BEFORE])
        for limit in LIMITS:
            ids = walked(reader.again().walk(limit), limit)
            missing = delivered - set(ids)
            assert not missing, f"limit {limit} missed {len(missing)} posts"
            assert ids[-1] == min(delivered), "it ended before its end"
            assert set(ids) <= set(town.posted) | last_of(town, ids)
            delivered |= set(ids)  # what was once shown stays
    finally:
        stop.set()
        poster.join()

    while len(town.posted) < POSTS:  # whatever the walks left no time for
        town.post_directly(graph, storage, min(100, POSTS - len(town.posted)))
    eventually(lambda: not filler.owed(everyone), seconds=B_SECONDS, every=1)
    for limit in (100, 20, 7):
        assert walked(reader.walk(limit), limit) == sorted(town.posted, reverse=True)


def last_of(town: Town, ids: list[int]) -> set[int]:
    """What is in the feed by now though its answer may not have come back to the test."""
    newest = max(town.posted)
    return {post_id for post_id in ids if post_id > newest}


@pytest.mark.timeout(300)
def test_the_way_up_shows_what_is_newer_and_nothing_twice(
    person: Callable[[str], Person], filler: Filler
) -> None:
    reader, author = person("reader"), person("author")
    reader.follow(author)
    photos = filler.ready_photos(author.id, 25)
    posted = [author.post(photo) for photo in photos[:10]]
    eventually(lambda: reader.feed_ids() == posted[::-1], seconds=B_SECONDS)
    top = reader.get("/v1/me/feed?limit=4")
    posted += [author.post(photo) for photo in photos[10:]]
    eventually(lambda: reader.feed_ids() == posted[::-1], seconds=B_SECONDS)
    seen: list[int] = []
    page = top
    while "prev" in page:
        page = reader.get(f"/v1/me/feed?limit=4&cursor={page['prev']}")
        if not page["posts"]:
            break
        seen = [int(post["id"]) for post in page["posts"]] + seen
    assert seen == posted[10:][::-1]
