"""Notifications, the number of unread ones and the position, over HTTP."""

import time
from contextlib import ExitStack

import pytest
from flask import Flask

from api.http.context import context_of
from feed.errors import FeedBusyError
from feed.graph_pages import PAGES_AT_ONCE
from graph import Graph
from graph.ids import new_id
from storage import Storage
from storage.notices.newest_notifications import pack_newest
from tests.support.people import Builders, Person, assert_problem
from tests.support.town import Town

PATH = "/v1/me/notifications"
UNREAD, POSITION = f"{PATH}/unread", f"{PATH}/position"
DAY_MS = 86_400_000
NOON_MS = (time.time_ns() // 1_000_000 // DAY_MS - 1) * DAY_MS + DAY_MS // 2
"""Noon of yesterday (UTC)."""


def texts(person: Person) -> list[str]:
    return [one["text"] for one in person.read(PATH)["notifications"]]


def unread(person: Person) -> tuple[int, bool, str | None]:
    found = person.read(UNREAD)
    return found["count"], found["capped"], found["newest_id"]


def newest_in_cache(storage: Storage, user_id: int) -> int | None:
    [reply] = storage.cache.execute([pack_newest(user_id)])
    return None if reply is None else int(reply)


def test_without_notifications_the_list_is_empty(builders: Builders) -> None:
    ana = builders.new_user()
    assert ana.read(PATH) == {"notifications": []}
    assert unread(ana) == (0, False, None)


def test_a_follow_is_shown_to_the_followee_alone(builders: Builders) -> None:
    ana, ben = builders.new_user(name="Ana"), builders.new_user()
    ana.follow(ben)
    [one] = ben.read(PATH)["notifications"]
    assert one.pop("created_at").endswith("Z")
    assert one == {
        "id": one["id"],
        "kind": "followed",
        "actor": {"id": str(ana.id), "username": ana.username, "name": "Ana"},
        "others_count": 0,
        "text": "Ana followed you",
    }
    assert unread(ben) == (1, False, one["id"])
    assert ana.read(PATH) == {"notifications": []}


def test_the_followers_of_a_day_are_one_group(builders: Builders, graph: Graph) -> None:
    ben, town = builders.new_user(), Town(graph)
    people = [town.user(name) for name in ("Cy", "Bo", "Ana")]
    town.followed_at(NOON_MS - DAY_MS, ben.id, town.user("Di"))
    ids = town.followed_at(NOON_MS, ben.id, *people)
    first, second = ben.read(PATH)["notifications"]
    assert first["text"] == "Ana, Bo and 1 other followed you"
    assert (first["id"], first["actor"]["name"]) == (str(ids[2]), "Ana")
    assert first["others_count"] == 2
    assert second["text"] == "Di followed you"
    assert unread(ben) == (4, False, str(ids[2]))


def test_pages_follow_the_cursor_to_the_end(builders: Builders, graph: Graph) -> None:
    ben, town = builders.new_user(), Town(graph)
    for day in range(5):
        town.followed_at(NOON_MS - day * DAY_MS, ben.id, *town.users(2))
    page = ben.read(f"{PATH}?limit=2")
    seen = [one["id"] for one in page["notifications"]]
    while "next" in page:
        assert len(seen) <= 5, "the pages have no end"
        response = ben.get(f"{PATH}?limit=2&cursor={page['next']}")
        page = response.json
        seen += [one["id"] for one in page["notifications"]]
        assert ("Link" in response.headers) == ("next" in page)
    assert seen == [one["id"] for one in ben.read(PATH)["notifications"]]
    assert len(seen) == len(set(seen)) == 5


def test_a_cursor_of_another_list_or_person_is_400(builders: Builders, graph: Graph) -> None:
    ana, ben, town = builders.new_user(), builders.new_user(), Town(graph)
    for day in range(2):
        town.followed_at(NOON_MS - day * DAY_MS, ben.id, *town.users(1))
    cursor = ben.read(f"{PATH}?limit=1")["next"]
    for response in (
        ana.get(f"{PATH}?cursor={cursor}"),
        ben.get(f"/v1/me/followers?cursor={cursor}"),
        ben.get(f"{PATH}?cursor=x"),
    ):
        assert_problem(response, 400, "invalid-cursor")


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "limit=x", "before=1"])
def test_an_invalid_query_is_422(builders: Builders, query: str) -> None:
    assert_problem(builders.new_user().get(f"{PATH}?{query}"), 422, "invalid-fields")


@pytest.mark.parametrize("ending", ["unfollow", "remove", "block", "blocked"])
def test_an_ended_follow_is_not_shown_and_a_new_one_of_the_day_is_shown_once(
    builders: Builders, ending: str
) -> None:
    ana, ben = builders.new_user(name="Ana"), builders.new_user()
    ana.follow(ben)
    actor, method, path = {
        "unfollow": (ana, "DELETE", f"/v1/me/following/{ben.id}"),
        "remove": (ben, "DELETE", f"/v1/me/followers/{ana.id}"),
        "block": (ben, "PUT", f"/v1/me/blocks/{ana.id}"),
        "blocked": (ana, "PUT", f"/v1/me/blocks/{ben.id}"),
    }[ending]
    assert actor.call(method, path).status_code == 204
    assert texts(ben) == []
    assert unread(ben) == (0, False, None)
    if method == "PUT":
        actor.delete(path)
        assert texts(ben) == []
    ana.follow(ben)
    assert texts(ben) == ["Ana followed you"]
    assert unread(ben)[0] == 1


def test_the_position_moves_forward_on_all_devices(builders: Builders, graph: Graph) -> None:
    ben, town = builders.new_user(), Town(graph)
    ids = town.followed_at(NOON_MS, ben.id, *town.users(3))
    other_device = ben.sign_in()
    for position, left in [(ids[1], 1), (ids[0], 1), (ids[2], 0), (0, 0)]:
        response = ben.put(POSITION, json={"notification_id": str(position)})
        assert (response.status_code, response.text) == (204, "")
        assert unread(other_device) == (left, False, str(ids[2]))
    assert len(ben.read(PATH)["notifications"]) == 1


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"notification_id": 1},
        {"notification_id": None},
        {"notification_id": "x"},
        {"notification_id": str(2**53 + 1)},
        {"notification_id": "1", "x": 1},
        [],
    ],
)
def test_an_invalid_position_is_422(builders: Builders, body: object) -> None:
    assert_problem(builders.new_user().put(POSITION, json=body), 422, "invalid-fields")


def test_a_position_in_the_future_is_422(builders: Builders, graph: Graph) -> None:
    ana, ben = builders.new_user(), builders.new_user()
    future = str(new_id() + (60_000 << 12))
    problem = assert_problem(
        ben.put(POSITION, json={"notification_id": future}), 422, "invalid-fields"
    )
    assert set(problem["errors"]) == {"notification_id"}
    ana.follow(ben)
    assert graph.notifications.unread(ben.id).count == 1


def test_a_body_that_is_not_json_is_a_problem(builders: Builders) -> None:
    ana = builders.new_user()
    json = {"Content-Type": "application/json"}
    assert_problem(ana.put(POSITION, data="{", headers=json), 400, "malformed-json")
    text = {"Content-Type": "text/plain"}
    assert_problem(ana.put(POSITION, data="{}", headers=text), 415, "unsupported-media-type")


def test_the_newest_id_is_in_the_cache_before_the_response(
    builders: Builders, storage: Storage
) -> None:
    ana, ben = builders.new_user(), builders.new_user()
    ana.follow(ben)
    assert newest_in_cache(storage, ben.id) == int(ben.read(UNREAD)["newest_id"])
    assert newest_in_cache(storage, ana.id) is None


def test_a_repeated_follow_raises_the_newest_id_that_the_first_did_not(
    builders: Builders, storage: Storage, app_without_cache: Flask
) -> None:
    ana, ben = builders.new_user(), builders.new_user()
    assert ana.on(app_without_cache).put(f"/v1/me/following/{ben.id}").status_code == 204
    assert newest_in_cache(storage, ben.id) is None
    ana.follow(ben)
    assert newest_in_cache(storage, ben.id) == int(ben.read(UNREAD)["newest_id"])


def test_without_the_cache_notifications_are_read_and_the_position_moves(
    builders: Builders, app_without_cache: Flask
) -> None:
    ana, ben = builders.new_user(name="Ana"), builders.new_user()
    ana.follow(ben)
    ben = ben.on(app_without_cache)
    assert texts(ben) == ["Ana followed you"]
    newest_id = ben.read(UNREAD)["newest_id"]
    assert ben.put(POSITION, json={"notification_id": newest_id}).status_code == 204
    assert unread(ben) == (0, False, newest_id)


@pytest.mark.parametrize("path", [PATH, UNREAD])
def test_a_process_reads_few_notifications_at_once_and_refuses_others(
    builders: Builders, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    ana = builders.new_user()
    ana.get("/v1/me")  # puts a copy of the session into the cache
    graph_turns = context_of(builders.app).graph_pages.turns
    monkeypatch.setattr(graph_turns, "_wait_seconds", 0.05)
    monkeypatch.setattr(graph_turns, "_busy_until", 0.0)
    with ExitStack() as turns:
        for _ in range(PAGES_AT_ONCE):
            turns.enter_context(graph_turns.turn(FeedBusyError))
        for _ in range(2):  # the first one waits in vain, the second one is refused at once
            response = ana.get(path)
            assert_problem(response, 503, "feed-busy")
            assert response.headers["Retry-After"] == "1"
    assert ana.get(path).status_code == 200


def test_without_the_graph_it_is_503(builders: Builders, app_without_graph: Flask) -> None:
    ana = builders.new_user()
    ana.get(UNREAD)  # puts a copy of the session into the cache
    ana = ana.on(app_without_graph)
    for response in (
        ana.get(PATH),
        ana.get(UNREAD),
        ana.put(POSITION, json={"notification_id": "1"}),
    ):
        assert_problem(response, 503, "graph-unavailable")
