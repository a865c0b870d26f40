"""Exports of one's data: asked for, made by a worker, downloaded by links for a day."""

import json
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import requests
from flask import Flask

from api.app import create_app
from feed.background import BackgroundRebuilder
from graph import Graph
from graph.events import Event
from storage import Storage
from tests.api.conftest import SETTINGS
from tests.support.concurrency import run_together
from tests.support.exports import add_photo, download, listed, noise, take_turns
from tests.support.images import jpeg
from tests.support.people import Builders, Person, assert_problem
from tests.support.town import Town
from tests.support.transports import ApiResponse
from workers.exports import part
from workers.exports.clearing import expire_exports


def asked(person: Person) -> str:
    """The id of a new export."""
    response = person.post("/v1/me/exports")
    assert response.status_code == 202, response.text
    return str(response.json["id"])


def event_of(graph: Graph, person: Person) -> Event:
    [event] = [one for one in Town(graph).events_of(person.id) if one.kind == "export-asked"]
    return event


def make(graph: Graph, storage: Storage, person: Person) -> None:
    assert take_turns(graph, storage, event_of(graph, person))[-1] == "done"


def set_export(graph: Graph, export_id: str, **changes: str | int) -> None:
    Town(graph).query(
        "MATCH (export:Export {id: $id}) SET export += $changes", id=int(export_id), changes=changes
    )


def ms_from_now(milliseconds: int) -> int:
    return time.time_ns() // 1_000_000 + milliseconds


def links(export: ApiResponse) -> list[str]:
    return [one["url"] for one in export.json["parts"]]


def test_what_was_uploaded_comes_back_in_an_export(
    builders: Builders, graph: Graph, storage: Storage
) -> None:
    person, fan = builders.new_user(name="Ana"), builders.new_user()
    fan.follow(person)
    picture = jpeg()
    photo_id = person.upload(picture)
    town = Town(graph)
    for event in town.events_of(person.id):
        if event.kind == "photo-uploaded":
            take_turns(graph, storage, event)
    person.publish(photo_id, caption="Dusk")

    response = person.post("/v1/me/exports")
    assert response.status_code == 202
    assert response.json["state"] == "waiting"
    path = f"/v1/me/exports/{response.json['id']}"
    assert response.headers["Location"] == path
    waiting = person.get(path)
    assert (waiting.json["state"], waiting.json["parts"]) == ("waiting", [])
    assert int(waiting.headers["Retry-After"]) >= 1
    assert "expires_at" not in waiting.json

    make(graph, storage, person)
    ready = person.get(path)
    assert ready.json["state"] == "ready"
    assert "Retry-After" not in ready.headers
    assert "next" not in ready.json
    until = datetime.fromisoformat(ready.json["expires_at"])
    assert abs(until - datetime.now(UTC) - timedelta(days=1)) < timedelta(minutes=2)
    [one] = ready.json["parts"]
    answer = requests.get(one["url"], timeout=20)
    assert len(answer.content) == one["size_bytes"] == ready.json["size_bytes"]
    assert answer.headers["Content-Type"] == "application/zip"
    disposition = answer.headers["Content-Disposition"]
    assert disposition == f'attachment; filename="photofeed-{response.json["id"]}-1.zip"'
    [files] = download([one["url"]])
    [entry] = json.loads(files["photos.json"])
    assert files[entry["file"]] == picture
    assert [user["username"] for user in json.loads(files["followers.json"])] == [fan.username]
    [post] = json.loads(files["posts.json"])
    assert (post["caption"], post["photo_ids"]) == ("Dusk", [str(photo_id)])


# Security 13
def test_links_are_in_no_cache_and_nobody_gets_a_part_without_one(
    builders: Builders, graph: Graph, storage: Storage
) -> None:
    person = builders.new_user()
    export_id = asked(person)
    make(graph, storage, person)
    response = person.get(f"/v1/me/exports/{export_id}")
    [link] = links(response)
    for answer in (response, person.get("/v1/me/exports"), person.post("/v1/me/exports")):
        assert answer.headers["Cache-Control"] == "no-store"
    assert requests.get(link, timeout=20).headers["Cache-Control"] == "private, no-store"
    unsigned = link.partition("?")[0]
    assert requests.get(unsigned, timeout=20).status_code == 403
    assert requests.get(link.replace("/1-", "/2-"), timeout=20).status_code == 403
    assert requests.put(link, data=b"x", timeout=20).status_code == 403
    assert requests.delete(link, timeout=20).status_code == 403


def test_one_export_is_made_at_a_time(builders: Builders, graph: Graph, storage: Storage) -> None:
    person = builders.new_user()
    export_id = asked(person)
    for _ in range(2):
        response = person.post("/v1/me/exports")
        problem = assert_problem(response, 409, "export-in-progress")
        assert export_id in problem["detail"]
        assert response.headers["Location"] == f"/v1/me/exports/{export_id}"
        assert int(response.headers["Retry-After"]) >= 1
    make(graph, storage, person)
    assert asked(person) != export_id


def test_requests_at_once_make_one_export(builders: Builders, graph: Graph) -> None:
    person = builders.new_user()
    statuses = run_together(*[lambda: person.post("/v1/me/exports").status_code] * 6)
    assert sorted(map(str, statuses)) == ["202"] + ["409"] * 5
    assert len(graph.exports.of_user(person.id)) == 1


def test_exports_beyond_those_of_a_day_are_429(
    builders: Builders, graph: Graph, storage: Storage, rebuilder: BackgroundRebuilder
) -> None:
    settings = replace(SETTINGS, limits_scale=1, exports_a_day=2)
    person = builders.new_user().on(create_app(settings, graph, storage, rebuilder))
    export_ids = []
    for _ in range(2):
        export_ids.append(asked(person))
        make(graph, storage, person)
    hour = 3_600_000
    set_export(graph, export_ids[0], created_at=ms_from_now(-20 * hour))
    response = person.post("/v1/me/exports")
    assert_problem(response, 429, "export-limit-reached")
    assert 3.9 * 3600 < int(response.headers["Retry-After"]) <= 4 * 3600
    set_export(graph, export_ids[0], created_at=ms_from_now(-25 * hour))
    third = asked(person)
    set_export(graph, third, state="failed", failure_code="no-progress")
    assert asked(person), "one that failed does not count"


def test_looks_at_an_export_are_limited(strict_app: Flask, builders: Builders) -> None:
    person = builders.new_user().on(strict_app)
    path = f"/v1/me/exports/{asked(person)}"
    assert [person.get(path).status_code for _ in range(31)] == [200] * 30 + [429]


# Security 7
def test_anothers_export_and_an_absent_one_are_the_same_404(
    builders: Builders, graph: Graph, storage: Storage
) -> None:
    person, other = builders.new_user(), builders.new_user()
    export_id = asked(person)
    make(graph, storage, person)
    problems = [
        assert_problem(other.get(f"/v1/me/exports/{one}"), 404, "not-found")
        for one in (export_id, "1")
    ]
    assert {**problems[0], "request_id": ""} == {**problems[1], "request_id": ""}
    assert other.get("/v1/me/exports").json == {"exports": []}


def test_exports_are_listed_newest_first_without_links(
    builders: Builders, graph: Graph, storage: Storage
) -> None:
    person = builders.new_user()
    first = asked(person)
    make(graph, storage, person)
    second = asked(person)
    exports = person.read("/v1/me/exports")["exports"]
    assert [(one["id"], one["state"]) for one in exports] == [(second, "waiting"), (first, "ready")]
    assert exports[1]["part_count"] == 1
    assert exports[1]["size_bytes"] > 0
    assert not any("parts" in one for one in exports)


# Security 13
def test_an_export_expires_with_its_links_and_its_files(
    builders: Builders, graph: Graph, storage: Storage
) -> None:
    person = builders.new_user()
    export_id = asked(person)
    make(graph, storage, person)
    path = f"/v1/me/exports/{export_id}"
    [link] = links(person.get(path))
    set_export(graph, export_id, state_until=ms_from_now(1500))
    [short_link] = links(person.get(path))
    assert "X-Amz-Expires=1" in short_link
    set_export(graph, export_id, state_until=ms_from_now(-1))
    for _ in range(2):  # before the sweeper has come, and after it
        response = person.get(path)
        assert (response.json["state"], response.json["parts"]) == ("expired", [])
        assert "expires_at" not in response.json
        expire_exports(graph, storage, until=far())
    assert requests.get(link, timeout=20).status_code == 404
    assert requests.get(short_link, timeout=20).status_code in {403, 404}


def far() -> float:
    """A monotonic time that no test reaches."""
    return float("inf")


def test_a_failed_export_says_why(builders: Builders, graph: Graph, storage: Storage) -> None:
    person = builders.new_user()
    export_id = asked(person)
    set_export(graph, export_id, state_until=ms_from_now(-1))
    expire_exports(graph, storage, until=far())
    export = person.read(f"/v1/me/exports/{export_id}")
    assert (export["state"], export["failure_code"]) == ("failed", "no-progress")
    assert asked(person) != export_id


def test_parts_come_in_pages(
    builders: Builders,
    graph: Graph,
    storage: Storage,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(storage.exports, "part_bytes", part.MARGIN_BYTES + 1)
    person = builders.new_user()
    photo_ids = {add_photo(graph, storage, person.id, noise(1_000)) for _ in range(4)}
    path = f"/v1/me/exports/{asked(person)}"
    make(graph, storage, person)
    whole = person.read(path)["parts"]
    assert [one["number"] for one in whole] == list(range(1, len(whole) + 1))
    assert len(whole) > 4
    walked, page = [], person.read(f"{path}?limit=3")
    walked += page["parts"]
    while "next" in page:
        page = person.read(f"{path}?limit=3&cursor={page['next']}")
        walked += page["parts"]
    assert [one["number"] for one in walked] == [one["number"] for one in whole]
    parts = download([one["url"] for one in walked])
    assert {int(one["id"]) for one in listed(parts, "photos")} == photo_ids
    assert_problem(person.get(f"{path}?cursor=AAAA"), 400, "invalid-cursor")


def test_a_user_who_leaves_has_no_export_any_more(
    builders: Builders, graph: Graph, storage: Storage
) -> None:
    person = builders.new_user()
    export_id = asked(person)
    event = event_of(graph, person)
    Town(graph).query("MATCH (user:User {id: $id}) SET user.state = 'leaving'", id=person.id)
    assert take_turns(graph, storage, event) == ["done"]
    assert graph.exports.by_id(int(export_id), user_id=person.id).state == "failed"


def test_an_export_is_asked_for_while_redis_is_down(
    builders: Builders,
    graph: Graph,
    storage: Storage,
    app_without_queue: Flask,
) -> None:
    person = builders.new_user()
    export_id = asked(person.on(app_without_queue))
    make(graph, storage, person)
    assert person.read(f"/v1/me/exports/{export_id}")["state"] == "ready"
