import random
import re
import secrets

import pytest
from flask import Flask

from api.app import create_app
from api.fast_feed.access_log import client_of
from feed.background import BackgroundRebuilder
from graph import Graph
from storage import Storage
from storage.sessions import SessionCopies
from storage.timelines import Timelines
from tests.api.conftest import SETTINGS
from tests.support.eventually import eventually
from tests.support.front import FrontedApp, create_random_state, differences
from tests.support.people import Builders, Person, assert_problem

STATES = 1_200


@pytest.fixture(scope="module")
def fronted(app: Flask) -> FrontedApp:
    return FrontedApp(app)


@pytest.fixture(scope="module")
def without_rebuilds(graph: Graph, storage: Storage) -> FrontedApp:
    """An app that rebuilds no timelines: a state stays as a test has created it."""
    return FrontedApp(
        create_app(SETTINGS, graph, storage, BackgroundRebuilder(graph, storage, threads=0))
    )


@pytest.fixture(scope="module")
def reader(builders: Builders, storage: Storage) -> Person:
    """A user whose timeline exists."""
    return _create_reader(builders, storage)


def _create_reader(builders: Builders, storage: Storage) -> Person:
    """A user with posts, a timeline, and a cached session."""
    person = builders.new_user()
    for _ in range(3):
        builders.publish(person)
    eventually(lambda: bool(person.feed() and storage.timelines.entries(person.id)))
    return person


# Case 42
def test_the_front_and_the_view_agree_on_thousands_of_states(
    without_rebuilds: FrontedApp, builders: Builders, storage: Storage
) -> None:
    seed = secrets.randbelow(10**6)
    print(f"seed {seed}")
    chance, person = random.Random(seed), builders.new_user()
    without_rebuilds.view(person, "/v1/me/feed")  # caches the session
    for _ in range(STATES):
        missing = create_random_state(chance, storage, person.id)
        path = f"/v1/me/feed?limit={chance.choice([1, 7, 20, 100])}"
        for step in ("first", *chance.choices(["next", "prev"], k=2)):
            response = without_rebuilds.get(person, path)
            assert not without_rebuilds.forwarded
            storage.cache.client.delete("nothing", *missing)
            assert differences(response, without_rebuilds.view(person, path)) == {}, path
            assert response.headers["RateLimit"], path
            if step not in response.json and step != "first":
                break
            cursor = response.json.get("next" if chance.random() < 0.7 else "prev")
            if cursor is None:
                break
            path = f"{path.partition('&')[0]}&cursor={cursor}"


def test_an_unchanged_page_is_304_by_the_front_and_by_the_view(
    fronted: FrontedApp, reader: Person
) -> None:
    first = fronted.get(reader, "/v1/me/feed")
    tag = first.headers["ETag"]
    again = fronted.get(reader, "/v1/me/feed", **{"If-None-Match": tag})
    assert not fronted.forwarded
    assert (again.status_code, again.data) == (304, b"")
    view = fronted.view(reader, "/v1/me/feed", **{"If-None-Match": tag})
    assert differences(again, view) == {}
    other = fronted.get(reader, "/v1/me/feed", **{"If-None-Match": '"another"'})
    assert differences(other, first) == {}


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/v1/me/feed?limit=0", {}),
        ("/v1/me/feed?limit=101", {}),
        ("/v1/me/feed?limit=020", {}),
        ("/v1/me/feed?limit=7&limit=7", {}),
        ("/v1/me/feed?cursor=x", {}),
        ("/v1/me/feed?colour=red", {}),
        ("/v1/me/feed?token=pf_x", {}),
        ("/v1/me/feed?", {"X-Long": "x" * 20_000}),
        ("/v1/me/feed", {"If-None-Match": 'W/"x", "y"'}),
        ("/v1/me/feed", {"If-None-Match": "*"}),
        ("/v1/me/feed", {"Transfer-Encoding": "chunked"}),
        ("/v1/me/feed", {"Authorization": "Basic x"}),
        ("/v1/me/feed", {"Authorization": ""}),
        ("/v1/me/feed", {"Authorization": "Bearer pf_forged"}),
        ("/v1/me/feed/", {}),
    ],
)
def test_the_front_forwards_unusual_requests(
    fronted: FrontedApp, reader: Person, path: str, headers: dict[str, str]
) -> None:
    response = fronted.get(reader, path, **headers)
    assert fronted.forwarded
    assert response.status_code == fronted.view(reader, path, **headers).status_code


def test_a_forged_token_is_refused_and_uses_no_quota(fronted: FrontedApp, reader: Person) -> None:
    forged = reader.token[:-8] + "AAAAAAA="
    left = _remaining(fronted.get(reader, "/v1/me/feed").headers["RateLimit"])
    for _ in range(5):
        response = fronted.get(reader.on(reader.transport, forged), "/v1/me/feed")
        assert_problem(response, 401, "not-signed-in")
    assert _remaining(fronted.get(reader, "/v1/me/feed").headers["RateLimit"]) == left - 1


def test_the_front_refuses_an_ended_session(fronted: FrontedApp, reader: Person) -> None:
    session = reader.sign_in()
    assert fronted.get(session, "/v1/me/feed").status_code == 200
    assert fronted.get(session, "/v1/me/feed").status_code == 200
    assert not fronted.forwarded
    assert session.delete("/v1/me/sessions/current").status_code == 204
    assert_problem(fronted.get(session, "/v1/me/feed"), 401, "not-signed-in")


def test_the_front_returns_pages_from_the_graph(
    without_rebuilds: FrontedApp, builders: Builders, storage: Storage
) -> None:
    reader = _create_reader(builders, storage)
    first = without_rebuilds.get(reader, "/v1/me/feed")
    storage.timelines.drop(reader.id)
    from_graph = without_rebuilds.get(reader, "/v1/me/feed")
    assert not without_rebuilds.forwarded
    assert differences(from_graph, first) == {}
    assert _remaining(from_graph.headers["RateLimit"]) == _remaining(first.headers["RateLimit"]) - 1


def test_a_forwarded_request_is_counted_once_and_read_once(
    app_without_graph: Flask, builders: Builders, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    fronted, reader = FrontedApp(app_without_graph), _create_reader(builders, storage)
    reads: list[object] = []
    left = _remaining(fronted.get(reader, "/v1/me/feed").headers["RateLimit"])
    storage.timelines.drop(reader.id)
    monkeypatch.setattr(SessionCopies, "read", lambda *arguments: reads.append(arguments))
    monkeypatch.setattr(Timelines, "window", lambda *arguments: reads.append(arguments))
    response = fronted.get(reader, "/v1/me/feed")
    assert_problem(response, 503, "graph-unavailable")
    assert fronted.forwarded
    assert _remaining(response.headers["RateLimit"]) == left - 1
    assert reads == []


def test_a_request_above_the_limit_is_429(strict_app: Flask, builders: Builders) -> None:
    fronted, person = FrontedApp(strict_app), builders.new_user().on(strict_app)
    builders.publish(person.on(builders.app))
    responses = [fronted.get(person, "/v1/me/feed") for _ in range(1_202)]
    assert {response.status_code for response in responses[:1_150]} == {200}
    assert_problem(responses[-1], 429, "too-many-requests")


def test_the_front_forwards_requests_without_the_cache(
    app_without_cache: Flask, reader: Person
) -> None:
    fronted = FrontedApp(app_without_cache)
    assert fronted.get(reader, "/v1/me/feed").headers["Photofeed-Degraded"] == "cache"
    assert fronted.forwarded


def test_the_front_marks_a_cached_feed_while_the_graph_is_down(
    app_without_graph: Flask, reader: Person
) -> None:
    fronted = FrontedApp(app_without_graph)
    response = fronted.get(reader, "/v1/me/feed")
    assert not fronted.forwarded
    assert differences(response, fronted.view(reader, "/v1/me/feed")) == {}


def test_the_front_logs_the_same_line_as_the_app(
    fronted: FrontedApp, reader: Person, capsys: pytest.CaptureFixture[str]
) -> None:
    fronted.get(reader, "/v1/me/feed", **{"X-Request-Id": "of-this-test"})
    fronted.front.close()
    [line] = [line for line in capsys.readouterr().out.splitlines() if "of-this-test" in line]
    assert re.fullmatch(
        r'\{"method": "GET", "route": "/v1/me/feed", "path": "/v1/me/feed", "status": 200, '
        r'"milliseconds": [\d.]+, "client": "", "event": "request", "viewer_id": \d+, '
        r'"request_id": "of-this-test", "level": "info", "time": "[-:.T\d]+Z", '
        r'"service": "api"\}',
        line,
    )


def test_the_clients_address_is_from_the_first_trusted_proxy() -> None:
    environ = {"REMOTE_ADDR": "10.0.0.1", "HTTP_X_FORWARDED_FOR": "6.6.6.6, 1.2.3.4, 10.0.0.2"}
    assert client_of(environ, 0) == "10.0.0.1"
    assert client_of(environ, 2) == "1.2.3.4"
    assert client_of(environ, 4) == "10.0.0.1"


def _remaining(rate_limit: str) -> int:
    found = re.search(r"r=(\d+)", rate_limit)
    assert found
    return int(found[1])
