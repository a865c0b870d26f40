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
from tests.support.front import Fronted, differences, some_state
from tests.support.people import Builders, Person, assert_problem

STATES = 1_200


@pytest.fixture(scope="module")
def fronted(app: Flask) -> Fronted:
    return Fronted(app)


@pytest.fixture(scope="module")
def unbuilding(graph: Graph, storage: Storage) -> Fronted:
    """With nobody who builds lists: a state stays as it was made until both have answered."""
    return Fronted(
        create_app(SETTINGS, graph, storage, BackgroundRebuilder(graph, storage, threads=0))
    )


@pytest.fixture(scope="module")
def reader(builders: Builders, storage: Storage) -> Person:
    """Somebody whose list stays."""
    return _reader(builders, storage)


def _reader(builders: Builders, storage: Storage) -> Person:
    """Somebody with a list of their own posts, whose session has a copy."""
    person = builders.new_user()
    for _ in range(3):
        builders.publish(person)
    eventually(lambda: bool(person.feed() and storage.timelines.whole(person.id)))
    return person


# Case 42
def test_the_front_and_the_view_answer_thousands_of_states_alike(
    unbuilding: Fronted, builders: Builders, storage: Storage
) -> None:
    seed = secrets.randbelow(10**6)
    print(f"seed {seed}")
    chance, person = random.Random(seed), builders.new_user()
    unbuilding.view(person, "/v1/me/feed")  # its session is copied
    for _ in range(STATES):
        missing = some_state(chance, storage, person.id)
        path = f"/v1/me/feed?limit={chance.choice([1, 7, 20, 100])}"
        for step in ("first", *chance.choices(["next", "prev"], k=2)):
            answer = unbuilding.get(person, path)
            assert not unbuilding.passed_on
            storage.cache.client.delete("nothing", *missing)
            assert differences(answer, unbuilding.view(person, path)) == {}, path
            assert answer.headers["RateLimit"], path
            if step not in answer.json and step != "first":
                break
            cursor = answer.json.get("next" if chance.random() < 0.7 else "prev")
            if cursor is None:
                break
            path = f"{path.partition('&')[0]}&cursor={cursor}"


def test_the_page_that_a_client_has_already_is_304_by_the_front_and_by_the_view(
    fronted: Fronted, reader: Person
) -> None:
    first = fronted.get(reader, "/v1/me/feed")
    tag = first.headers["ETag"]
    again = fronted.get(reader, "/v1/me/feed", **{"If-None-Match": tag})
    assert not fronted.passed_on
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
def test_what_is_not_plain_is_the_views(
    fronted: Fronted, reader: Person, path: str, headers: dict[str, str]
) -> None:
    answer = fronted.get(reader, path, **headers)
    assert fronted.passed_on
    assert answer.status_code == fronted.view(reader, path, **headers).status_code


def test_a_token_of_another_secret_shows_nothing_and_uses_up_nothing(
    fronted: Fronted, reader: Person
) -> None:
    forged = reader.token[:-8] + "AAAAAAA="
    left = _left(fronted.get(reader, "/v1/me/feed").headers["RateLimit"])
    for _ in range(5):
        answer = fronted.get(reader.on(reader.app, forged), "/v1/me/feed")
        assert_problem(answer, 401, "not-signed-in")
    assert _left(fronted.get(reader, "/v1/me/feed").headers["RateLimit"]) == left - 1


def test_a_session_that_was_ended_is_refused_by_the_front_at_once(
    fronted: Fronted, reader: Person
) -> None:
    session = reader.sign_in()
    assert fronted.get(session, "/v1/me/feed").status_code == 200
    assert fronted.get(session, "/v1/me/feed").status_code == 200
    assert not fronted.passed_on
    assert session.delete("/v1/me/sessions/current").status_code == 204
    assert_problem(fronted.get(session, "/v1/me/feed"), 401, "not-signed-in")


def test_a_page_of_the_graph_is_the_fronts_too(
    unbuilding: Fronted, builders: Builders, storage: Storage
) -> None:
    reader = _reader(builders, storage)
    first = unbuilding.get(reader, "/v1/me/feed")
    storage.timelines.drop(reader.id)
    of_graph = unbuilding.get(reader, "/v1/me/feed")
    assert not unbuilding.passed_on
    assert differences(of_graph, first) == {}
    assert _left(of_graph.headers["RateLimit"]) == _left(first.headers["RateLimit"]) - 1


def test_what_no_store_has_now_is_passed_on_and_neither_counted_nor_asked_for_again(
    app_without_graph: Flask, builders: Builders, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    fronted, reader = Fronted(app_without_graph), _reader(builders, storage)
    asked: list[object] = []
    left = _left(fronted.get(reader, "/v1/me/feed").headers["RateLimit"])
    storage.timelines.drop(reader.id)
    monkeypatch.setattr(SessionCopies, "read", lambda *given: asked.append(given))
    monkeypatch.setattr(Timelines, "window", lambda *given: asked.append(given))
    answer = fronted.get(reader, "/v1/me/feed")
    assert_problem(answer, 503, "graph-unavailable")
    assert fronted.passed_on
    assert _left(answer.headers["RateLimit"]) == left - 1
    assert asked == []


def test_who_asks_too_often_is_429_by_the_view(strict_app: Flask, builders: Builders) -> None:
    fronted, person = Fronted(strict_app), builders.new_user().on(strict_app)
    builders.publish(person.on(builders.app))
    answers = [fronted.get(person, "/v1/me/feed") for _ in range(1_202)]
    assert {answer.status_code for answer in answers[:1_150]} == {200}
    assert_problem(answers[-1], 429, "too-many-requests")


def test_without_the_cache_the_view_answers(app_without_cache: Flask, reader: Person) -> None:
    fronted = Fronted(app_without_cache)
    assert fronted.get(reader, "/v1/me/feed").headers["Photofeed-Degraded"] == "cache"
    assert fronted.passed_on


def test_a_cached_feed_is_marked_by_the_front_while_the_graph_is_known_to_be_away(
    app_without_graph: Flask, reader: Person
) -> None:
    fronted = Fronted(app_without_graph)
    answer = fronted.get(reader, "/v1/me/feed")
    assert not fronted.passed_on
    assert differences(answer, fronted.view(reader, "/v1/me/feed")) == {}


def test_what_the_front_answers_is_logged_and_counted_as_the_rest(
    fronted: Fronted, reader: Person, capsys: pytest.CaptureFixture[str]
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


def test_the_clients_address_is_the_one_that_the_last_trusted_proxy_saw() -> None:
    environ = {"REMOTE_ADDR": "10.0.0.1", "HTTP_X_FORWARDED_FOR": "6.6.6.6, 1.2.3.4, 10.0.0.2"}
    assert client_of(environ, 0) == "10.0.0.1"
    assert client_of(environ, 2) == "1.2.3.4"
    assert client_of(environ, 4) == "10.0.0.1"


def _left(rate_limit: str) -> int:
    found = re.search(r"r=(\d+)", rate_limit)
    assert found
    return int(found[1])
