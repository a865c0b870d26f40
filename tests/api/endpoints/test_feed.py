from contextlib import ExitStack

import pytest
from flask import Flask

from feed import reading
from feed.errors import FeedBusyError
from graph import Graph
from storage import Storage
from tests.support.eventually import eventually
from tests.support.people import Builders, Person, assert_problem
from tests.support.town import Town

POSTS = 30


@pytest.fixture(scope="module")
def reader(builders: Builders, graph: Graph) -> Person:
    """Somebody who follows two people with posts, taking turns."""
    reader, town = builders.new_user(), Town(graph)
    authors = [builders.new_user() for _ in range(2)]
    town.follow(reader.id, *(author.id for author in authors))
    for number in range(POSTS):
        town.post(authors[number % 2].id)
    return reader


@pytest.fixture(scope="module")
def truth(reader: Person, graph: Graph) -> list[int]:
    return Town(graph).truth(reader.id)


def walked(person: Person, path: str, link: str) -> list[list[int]]:
    """The ids of each page along `next` or `prev`."""
    pages, cursor = [], ""
    while True:
        page = person.get(f"{path}{cursor and '&cursor='}{cursor}").json
        pages.append([int(post["id"]) for post in page["posts"]])
        if link not in page or (link == "prev" and not page["posts"]):
            return pages
        cursor = page[link]


def built(person: Person, storage: Storage) -> bool:
    """Whether the list stands; a read asks for it again where a store was too slow before."""
    person.get("/v1/me/feed?limit=1")
    return bool(storage.timelines.window(person.id, 24).entries)


@pytest.mark.parametrize("limit", [1, 7, 10, 30, 31, 100])
def test_a_walk_shows_every_post_once_newest_first_and_ends_only_at_the_end(
    reader: Person, truth: list[int], storage: Storage, limit: int
) -> None:
    storage.timelines.drop(reader.id)
    for _ in range(2):  # from the graph, then from the list that the first walk has had built
        pages = walked(reader, f"/v1/me/feed?limit={limit}", "next")
        assert [post_id for page in pages for post_id in page] == truth
        assert all(pages)
        assert len(pages) == -(-POSTS // limit)
        eventually(lambda: built(reader, storage))


def test_prev_leads_to_what_is_newer_than_the_page(reader: Person, truth: list[int]) -> None:
    first = reader.get("/v1/me/feed?limit=5").json
    second = reader.get(f"/v1/me/feed?limit=5&cursor={first['next']}").json
    back = reader.get(f"/v1/me/feed?limit=5&cursor={second['prev']}")
    assert [int(post["id"]) for post in back.json["posts"]] == truth[:5]


def test_the_link_header_says_what_the_body_says(reader: Person) -> None:
    page = reader.get("/v1/me/feed?limit=5")
    links = page.headers["Link"].split(", ")
    assert f'</v1/me/feed?limit=5&cursor={page.json["next"]}>; rel="next"' in links
    assert len(links) == len({"next", "prev"} & page.json.keys())


def test_a_page_has_20_posts_unless_told(reader: Person) -> None:
    page = reader.get("/v1/me/feed")
    assert len(page.json["posts"]) == 20
    assert page.headers["Cache-Control"] == "private, no-cache"
    assert page.content_type == "application/json"


def test_a_post_is_alike_in_the_feed_on_its_own_and_at_its_author(reader: Person) -> None:
    post = reader.get("/v1/me/feed?limit=1").json["posts"][0]
    assert reader.get(f"/v1/posts/{post['id']}").json == post
    path = f"/v1/users/{post['author']['id']}/posts?limit=1"
    assert reader.get(path).json["posts"] == [post]


def test_a_cursor_of_another_viewer_is_400_and_shows_nothing(
    reader: Person, builders: Builders
) -> None:
    cursor = reader.get("/v1/me/feed?limit=1").json["next"]
    answer = builders.new_user().get(f"/v1/me/feed?cursor={cursor}")
    assert_problem(answer, 400, "invalid-cursor")


def test_who_follows_nobody_has_an_empty_feed_that_ends(builders: Builders) -> None:
    page = builders.new_user().get("/v1/me/feed").json
    assert page["posts"] == []
    assert "next" not in page


def test_the_feed_comes_from_the_graph_while_the_cache_is_away(
    reader: Person, truth: list[int], app_without_cache: Flask
) -> None:
    pages = walked(reader.on(app_without_cache), "/v1/me/feed?limit=7", "next")
    assert [post_id for page in pages for post_id in page] == truth


def test_a_cached_feed_is_read_while_the_graph_is_away(
    builders: Builders, app_without_graph: Flask
) -> None:
    person = builders.new_user()
    posts = [int(builders.publish(person)["id"]) for _ in range(2)]
    person.feed()  # brings the session and the bodies, and has the list built
    here = person.on(app_without_graph)
    eventually(lambda: here.get("/v1/me/feed").status_code == 200)
    assert here.feed() == posts[::-1]


def test_a_feed_needs_a_token(builders: Builders) -> None:
    person = builders.new_user()
    nobody = Person(app=person.app, id=0, username="", token="")
    assert_problem(nobody.get("/v1/me/feed"), 401, "not-signed-in")


def test_a_process_asks_the_graph_for_few_pages_at_once_and_says_when_to_come_again(
    builders: Builders, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = builders.new_user()
    monkeypatch.setattr(reading.turns, "_wait_seconds", 0.05)
    with ExitStack() as taken:
        for _ in range(reading.GRAPH_PAGES):
            taken.enter_context(reading.turns.one(FeedBusyError))
        for _ in range(2):  # who waited in vain, and who is told at once that others did
            answer = person.get("/v1/me/feed")
            assert_problem(answer, 503, "feed-busy")
            assert answer.headers["Retry-After"] == "1"
    assert person.get("/v1/me/feed").status_code == 200
