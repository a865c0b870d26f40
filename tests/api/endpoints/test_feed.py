from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest
from flask import Flask

from api.http.context import context_of
from feed.errors import FeedBusyError
from feed.graph_pages import PAGES_AT_ONCE, charge, graph_time
from graph import Graph
from storage import Storage
from storage.limits import limit_key
from storage.timeline_layout import timeline_key
from tests.support.eventually import eventually
from tests.support.people import Builders, Person, assert_problem
from tests.support.town import Town

POSTS = 30


@pytest.fixture(scope="module")
def reader(builders: Builders, graph: Graph) -> Person:
    """A user who follows two authors, whose posts alternate."""
    reader, town = builders.new_user(), Town(graph)
    authors = [builders.new_user() for _ in range(2)]
    town.add_followees(reader.id, *(author.id for author in authors))
    for number in range(POSTS):
        town.post(authors[number % 2].id)
    return reader


@pytest.fixture(scope="module")
def expected_feed(reader: Person, graph: Graph) -> list[int]:
    return Town(graph).expected_feed(reader.id)


def walk(person: Person, path: str, link: str) -> list[list[int]]:
    """The ids of all pages, following `next` or `prev`."""
    pages, cursor = [], ""
    while True:
        page = person.get(f"{path}{cursor and '&cursor='}{cursor}").json
        pages.append([int(post["id"]) for post in page["posts"]])
        if link not in page or (link == "prev" and not page["posts"]):
            return pages
        cursor = page[link]


def has_timeline(person: Person, storage: Storage) -> bool:
    """Whether the timeline exists. The read before schedules another rebuild if one has failed."""
    person.get("/v1/me/feed?limit=1")
    return bool(storage.timelines.window(person.id, 24).ids)


@pytest.mark.parametrize("limit", [1, 7, 10, 30, 31, 100])
def test_a_walk_has_every_post_once_newest_first(
    reader: Person, expected_feed: list[int], storage: Storage, limit: int
) -> None:
    storage.timelines.drop(reader.id)
    for _ in range(2):  # from the graph, then from the timeline
        pages = walk(reader, f"/v1/me/feed?limit={limit}", "next")
        assert [post_id for page in pages for post_id in page] == expected_feed
        assert all(pages)
        assert len(pages) == -(-POSTS // limit)
        eventually(lambda: has_timeline(reader, storage))


def test_prev_leads_to_newer_posts(reader: Person, expected_feed: list[int]) -> None:
    first = reader.get("/v1/me/feed?limit=5").json
    second = reader.get(f"/v1/me/feed?limit=5&cursor={first['next']}").json
    back = reader.get(f"/v1/me/feed?limit=5&cursor={second['prev']}")
    assert [int(post["id"]) for post in back.json["posts"]] == expected_feed[:5]


def test_the_link_header_has_the_cursors_of_the_body(reader: Person) -> None:
    page = reader.get("/v1/me/feed?limit=5")
    links = page.headers["Link"].split(", ")
    assert f'</v1/me/feed?limit=5&cursor={page.json["next"]}>; rel="next"' in links
    assert len(links) == len({"next", "prev"} & page.json.keys())


def test_a_page_has_20_posts_by_default(reader: Person) -> None:
    page = reader.get("/v1/me/feed")
    assert len(page.json["posts"]) == 20
    assert page.headers["Cache-Control"] == "private, no-cache"
    assert page.content_type == "application/json"


def test_a_post_has_the_same_json_on_every_route(reader: Person) -> None:
    post = reader.get("/v1/me/feed?limit=1").json["posts"][0]
    assert reader.get(f"/v1/posts/{post['id']}").json == post
    path = f"/v1/users/{post['author']['id']}/posts?limit=1"
    assert reader.get(path).json["posts"] == [post]


def test_a_cursor_of_another_viewer_is_400_and_shows_nothing(
    reader: Person, builders: Builders
) -> None:
    cursor = reader.get("/v1/me/feed?limit=1").json["next"]
    response = builders.new_user().get(f"/v1/me/feed?cursor={cursor}")
    assert_problem(response, 400, "invalid-cursor")


def test_the_feed_of_a_new_user_is_empty_and_ends(builders: Builders) -> None:
    page = builders.new_user().get("/v1/me/feed").json
    assert page["posts"] == []
    assert "next" not in page


def test_the_feed_comes_from_the_graph_while_the_cache_is_down(
    reader: Person, expected_feed: list[int], app_without_cache: Flask
) -> None:
    pages = walk(reader.on(app_without_cache), "/v1/me/feed?limit=7", "next")
    assert [post_id for page in pages for post_id in page] == expected_feed


def test_a_cached_feed_is_served_while_the_graph_is_down(
    builders: Builders, app_without_graph: Flask
) -> None:
    person = builders.new_user()
    posts = [int(builders.publish(person)["id"]) for _ in range(2)]
    person.feed()  # caches session and bodies, and schedules the rebuild
    person = person.on(app_without_graph)
    eventually(lambda: person.get("/v1/me/feed").status_code == 200)
    assert person.feed() == posts[::-1]


def test_a_feed_needs_a_token(builders: Builders) -> None:
    person = builders.new_user()
    stranger = Person(transport=person.transport, id=0, username="", token="")
    assert_problem(stranger.get("/v1/me/feed"), 401, "not-signed-in")


def test_a_process_reads_few_pages_from_the_graph_at_once_and_refuses_others(
    builders: Builders, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = builders.new_user()
    graph_turns = context_of(builders.app).graph_pages.turns
    monkeypatch.setattr(graph_turns, "_wait_seconds", 0.05)
    with ExitStack() as turns:
        for _ in range(PAGES_AT_ONCE):
            turns.enter_context(graph_turns.turn(FeedBusyError))
        for _ in range(2):  # the first one waits in vain, the second one is refused at once
            response = person.get("/v1/me/feed")
            assert_problem(response, 503, "feed-busy")
            assert response.headers["Retry-After"] == "1"
    assert person.get("/v1/me/feed").status_code == 200


# Case 46
def test_an_app_that_starts_gets_feed_notifications_and_their_counts_without_a_list(
    builders: Builders, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = builders.new_user()
    person.get("/v1/me")  # puts a copy of the session into the cache
    storage.timelines.drop(person.id)
    pages = context_of(builders.app).graph_pages
    monkeypatch.setattr(pages.turns, "_busy_until", 0.0)
    for turns in (pages.turns, pages._own):
        monkeypatch.setattr(turns, "_wait_seconds", 30)
    paths = [
        f"/v1/me/{kind}{count}" for kind in ("feed", "notifications") for count in ("", "/unread")
    ]
    with ThreadPoolExecutor(len(paths)) as pool, ExitStack() as held:
        for _ in range(PAGES_AT_ONCE):
            held.enter_context(pages.turns.turn(FeedBusyError))
        responses = pool.map(lambda path: person.on_new_connection().get(path), paths)
        eventually(lambda: person.id in pages._own._lines)
        eventually(lambda: pages._own._lines[person.id].callers == len(paths))
        held.close()
        assert [response.status_code for response in responses] == [200] * len(paths)


# Case 46
def test_who_has_used_up_their_time_of_the_graph_is_429_except_for_pages_of_the_timeline(
    app: Flask, reader: Person, expected_feed: list[int], storage: Storage
) -> None:
    reader.feed()
    eventually(lambda: storage.timelines.entries(reader.id)[:1] == [0])
    below = reader.read("/v1/me/feed?limit=20")["next"]
    storage.cache.client.ltrim(timeline_key(reader.id), -20, -1)  # a list of the newest 20
    storage.cache.client.lpush(timeline_key(reader.id), -expected_feed[20])  # complete above that
    assert len(reader.read(f"/v1/me/feed?cursor={below}")["posts"]) == 10
    charge(storage.limits, reader.id, 1e6)
    assert_problem(reader.get(f"/v1/me/feed?cursor={below}"), 429, "too-many-requests")
    assert reader.feed(limit=10) == expected_feed[:10]
    storage.timelines.drop(reader.id)
    assert_problem(reader.get("/v1/me/feed"), 429, "too-many-requests")
    assert_problem(reader.get("/v1/me/notifications"), 429, "too-many-requests")
    storage.cache.client.delete(limit_key(graph_time(1), reader.id))  # the minute ends
    context_of(app).graph_pages._ends.clear()
    assert reader.feed() == expected_feed


@pytest.mark.parametrize(
    "path",
    [
        "/v1/users/{}/posts",
        "/v1/users/{}/followers",
        "/v1/users/{}/following",
        "/v1/me/followers",
        "/v1/me/following",
        "/v1/me/photos",
    ],
)
def test_pages_of_other_lists_count_too_and_are_429_when_the_time_is_used_up(
    builders: Builders, storage: Storage, path: str
) -> None:
    person, other = builders.new_user(), builders.new_user()
    path, key = path.format(other.id), limit_key(graph_time(1), person.id)
    person.get("/v1/me")
    assert not storage.cache.client.exists(key)
    assert person.get(path).status_code == 200
    assert storage.cache.client.exists(key)
    charge(storage.limits, person.id, 1e6)
    assert person.get(path).status_code == 200, "the process does not know it yet"
    for _ in range(2):
        assert_problem(person.get(path), 429, "too-many-requests")
