"""Walks through a feed of more than a thousand posts (case 29)."""

import secrets
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import pytest

from api.services.posts import Draft, publish
from graph import Graph
from storage import Storage
from tests.support.eventually import eventually
from tests.support.people import Person, post_ids
from tests.support.town import Town

FOLLOWEES = 20
POSTS = 1_200
BEFORE = 1_000
"""Posts before the first walk. The others are published through the API during the walks."""
LIMITS = (100, 20, 7, 1)


class Authors:
    """Authors, their photos, and the ids of the posts that they have published."""

    def __init__(self, people: Sequence[Person], town: Town) -> None:
        self.people = people
        self.photos = {
            author.id: iter(town.photos(author.id, POSTS // FOLLOWEES)) for author in people
        }
        self.posts: list[int] = []

    def publish_directly(self, graph: Graph, storage: Storage, count: int) -> None:
        """Publishes with the API's own service, without HTTP: with the same writes and wake-ups."""
        turns = [self.people[n % FOLLOWEES] for n in range(count)]

        def publish_one(author: Person) -> int:
            draft = Draft(photo_ids=(next(self.photos[author.id]),), caption="", location=None)
            key = secrets.token_hex(8)
            return publish(graph, storage, draft, author_id=author.id, key=key).post_id

        with ThreadPoolExecutor(4) as threads:
            self.posts += threads.map(publish_one, turns)

    def publish_rest(self, stop: threading.Event) -> None:
        """Publishes the other posts through the API, until `stop` is set."""
        for n in range(POSTS - BEFORE):
            if stop.is_set():
                return
            author = self.people[n % FOLLOWEES]
            self.posts.append(author.publish(next(self.photos[author.id])))

    def has_events(self, town: Town) -> bool:
        return bool(town.events_of(*[author.id for author in self.people]))


def ids_of(pages: Iterator[dict[str, Any]], limit: int) -> list[int]:
    """The ids of a walk. Asserts that they fall and that no page is larger than its limit."""
    ids: list[int] = []
    for page in pages:
        assert len(page["posts"]) <= limit
        ids += post_ids(page)
    assert all(newer > older for newer, older in pairwise(ids)), "ids do not fall strictly"
    return ids


# Case 29
@pytest.mark.timeout(600)
def test_walks_of_any_page_size_miss_no_post_while_authors_publish(
    person: Callable[[str], Person], graph: Graph, storage: Storage, town: Town
) -> None:
    reader = person("reader")
    with ThreadPoolExecutor(4) as threads:
        people = list(threads.map(person, [f"author{n}" for n in range(FOLLOWEES)]))
    for author in people:
        reader.follow(author)
    authors = Authors(people, town)
    authors.publish_directly(graph, storage, BEFORE)
    eventually(lambda: not authors.has_events(town), every=1)

    stop = threading.Event()
    publishing = threading.Thread(target=authors.publish_rest, args=(stop,))
    publishing.start()
    try:
        delivered = set(authors.posts[:BEFORE])
        for limit in LIMITS:
            ids = ids_of(reader.on_new_connection().feed_pages(limit=limit), limit)
            missing = delivered - set(ids)
            assert not missing, f"limit {limit} missed {len(missing)} posts"
            assert ids[-1] == min(delivered), "the walk ended before the oldest post"
            newest = max(authors.posts)
            unacknowledged = {post_id for post_id in ids if post_id > newest}
            assert set(ids) <= set(authors.posts) | unacknowledged
            delivered |= set(ids)  # a later walk must have every post that a walk has shown
    finally:
        stop.set()
        publishing.join()

    while len(authors.posts) < POSTS:
        authors.publish_directly(graph, storage, min(100, POSTS - len(authors.posts)))
    eventually(lambda: not authors.has_events(town), every=1)
    for limit in (100, 20, 7):
        ids = ids_of(reader.feed_pages(limit=limit), limit)
        assert ids == sorted(authors.posts, reverse=True)


# Case 29
@pytest.mark.timeout(300)
def test_a_walk_upward_shows_each_newer_post_once(
    person: Callable[[str], Person], town: Town
) -> None:
    reader, author = person("reader"), person("author")
    reader.follow(author)
    photos = town.photos(author.id, 25)
    posts = [author.publish(photo) for photo in photos[:10]]
    eventually(lambda: reader.feed() == posts[::-1])
    page = reader.read("/v1/me/feed?limit=4")
    posts += [author.publish(photo) for photo in photos[10:]]
    eventually(lambda: reader.feed() == posts[::-1])
    ids: list[int] = []
    while "prev" in page:
        page = reader.read(f"/v1/me/feed?limit=4&cursor={page['prev']}")
        if not page["posts"]:
            break
        ids = post_ids(page) + ids
    assert ids == posts[10:][::-1]
