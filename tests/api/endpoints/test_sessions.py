import statistics
import time
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit, urlunsplit

import pytest
from flask import Flask

from drill.support.proxy import Proxy
from graph import Graph
from storage import Storage
from storage.sessions import SessionCopy
from tests.support.outbox import run
from tests.support.people import OTHER_PASSWORD, PASSWORD, Builders, Person, assert_problem, sign_in
from tests.support.town import Town
from tests.support.transports import ApiResponse


@pytest.fixture(scope="module")
def cache_proxy(stack_env: dict[str, str]) -> Iterator[Proxy]:
    url = urlsplit(stack_env["CACHE_REDIS_URL"])
    with Proxy(url.hostname or "127.0.0.1", url.port or 6379) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def proxied_app(
    cache_proxy: Proxy, app_on: Callable[..., Flask], stack_env: dict[str, str]
) -> Flask:
    """An app that reaches the cache through the proxy."""
    url = urlsplit(stack_env["CACHE_REDIS_URL"])
    login = url.netloc.rpartition("@")[0]
    netloc = f"{login}@127.0.0.1:{cache_proxy.port}" if login else f"127.0.0.1:{cache_proxy.port}"
    return app_on(cache_url=urlunsplit(url._replace(netloc=netloc)))


def two_sessions(builders: Builders) -> tuple[Person, Person]:
    """A user with two sessions. The cache has a copy of the second."""
    first = builders.new_user()
    second = first.sign_in()
    second.get("/v1/me")
    return first, second


def test_a_sign_in_creates_another_session(builders: Builders) -> None:
    person = builders.new_user()
    again = person.sign_in()
    assert again.token != person.token
    assert again.get("/v1/me").json["id"] == str(person.id)
    assert person.get("/v1/me").status_code == 200


def test_a_sign_in_accepts_the_username_in_any_case(app: Flask, builders: Builders) -> None:
    assert sign_in(app, builders.new_user().username.upper()).status_code == 201


# Security 3
def test_a_wrong_password_and_an_unknown_user_get_the_same_answer(
    app: Flask, builders: Builders
) -> None:
    wrong = sign_in(app, builders.new_user().username, "not the password")
    unknown = sign_in(app, "nobody.has.this.name", "not the password")
    bodies = [assert_problem(response, 401, "wrong-credentials") for response in (wrong, unknown)]
    for body in bodies:
        del body["request_id"]
    assert bodies[0] == bodies[1]


# Security 3
def test_an_unknown_username_takes_as_long_as_a_wrong_password(
    app: Flask, builders: Builders
) -> None:
    person = builders.new_user()

    times: dict[str, list[float]] = {person.username: [], "nobody.has.this.name": []}
    for _ in range(15):
        for username, seconds in times.items():  # alternating: other load affects both
            start_time = time.perf_counter()
            sign_in(app, username, "not the password")
            seconds.append(time.perf_counter() - start_time)
    known, unknown = (statistics.median(seconds) for seconds in times.values())
    assert 0.5 < known / unknown < 2  # without the dummy hash it is 10


def test_sessions_are_listed_and_the_current_one_is_marked(builders: Builders) -> None:
    first = builders.new_user()
    second = first.sign_in()
    listed = second.get("/v1/me/sessions").json["sessions"]
    assert [session["current"] for session in listed] == [True, False]
    assert set(listed[0]) == {
        "id", "created_at", "expires_at", "last_used_at", "network", "user_agent", "current"
    }  # fmt: skip


def test_a_sign_out_ends_only_the_current_session(builders: Builders) -> None:
    first = builders.new_user()
    second = first.sign_in()
    assert second.delete("/v1/me/sessions/current").status_code == 204
    assert_problem(second.get("/v1/me"), 401, "not-signed-in")
    assert first.get("/v1/me").status_code == 200
    assert len(first.get("/v1/me/sessions").json["sessions"]) == 1


# Security 1
def test_a_revoked_session_is_refused_and_can_be_revoked_again(builders: Builders) -> None:
    first = builders.new_user()
    second = first.sign_in()
    second.get("/v1/me")  # caches the session
    session_id = second.get("/v1/me/sessions").json["sessions"][0]["id"]
    for _ in range(2):
        assert first.delete(f"/v1/me/sessions/{session_id}").status_code == 204
    assert_problem(second.get("/v1/me"), 401, "not-signed-in")


# Security 7
def test_anothers_session_and_an_absent_one_are_the_same_404(builders: Builders) -> None:
    one, other = builders.new_user(), builders.new_user()
    session_id = other.get("/v1/me/sessions").json["sessions"][0]["id"]
    bodies = [
        assert_problem(one.delete(f"/v1/me/sessions/{some_id}"), 404, "not-found")
        for some_id in (session_id, "1")
    ]
    assert bodies[0]["detail"] == bodies[1]["detail"]
    assert other.get("/v1/me").status_code == 200


@pytest.mark.parametrize("by_its_id", [False, True])
def test_a_sign_out_without_the_cache_is_503_and_succeeds_on_repeat(
    builders: Builders, proxied_app: Flask, cache_proxy: Proxy, *, by_its_id: bool
) -> None:
    person = builders.new_user()
    [own] = person.get("/v1/me/sessions").json["sessions"]
    path = f"/v1/me/sessions/{own['id'] if by_its_id else 'current'}"
    person.get("/v1/me")  # caches the session, for all processes
    proxied = person.on(proxied_app)
    with cache_proxy.outage():
        for _ in range(2):  # a 401 would be wrong: other processes accept the session
            assert_problem(proxied.delete(path), 503, "cache-unavailable")
        assert person.get("/v1/me").status_code == 200
    response = _until_cache_answers(lambda: proxied.delete(path))
    assert response in {204, 401}
    assert_problem(person.get("/v1/me"), 401, "not-signed-in")
    assert_problem(proxied.get("/v1/me"), 401, "not-signed-in")


def test_a_revocation_without_the_cache_is_503_and_succeeds_on_repeat(
    builders: Builders, proxied_app: Flask, cache_proxy: Proxy
) -> None:
    first, second = two_sessions(builders)
    session_id = second.get("/v1/me/sessions").json["sessions"][0]["id"]
    path, proxied = f"/v1/me/sessions/{session_id}", first.on(proxied_app)
    with cache_proxy.outage():
        assert_problem(proxied.delete(path), 503, "cache-unavailable")
    assert _until_cache_answers(lambda: proxied.delete(path)) == 204
    assert_problem(second.get("/v1/me"), 401, "not-signed-in")


# Security 1, 4
@pytest.mark.parametrize("way", ["revocation", "password change"])
def test_an_end_of_sessions_that_nobody_repeats_is_completed_by_its_event(
    builders: Builders,
    graph: Graph,
    storage: Storage,
    proxied_app: Flask,
    cache_proxy: Proxy,
    *,
    way: str,
) -> None:
    first, second = two_sessions(builders)
    session_id = second.get("/v1/me/sessions").json["sessions"][0]["id"]
    proxied = first.on(proxied_app)
    body = {"password": OTHER_PASSWORD, "current_password": PASSWORD}
    with cache_proxy.outage():
        for _ in range(2):
            if way == "revocation":
                answer = proxied.delete(f"/v1/me/sessions/{session_id}")
            else:
                answer = proxied.patch("/v1/me", json=body)
            assert_problem(answer, 503, "cache-unavailable")
    assert second.get("/v1/me").status_code == 200, "its copy is in the cache"
    [event] = Town(graph).events_of(first.id)
    assert run(graph, storage, event.id, event.epoch) == "done"
    assert_problem(second.get("/v1/me"), 401, "not-signed-in")
    assert first.get("/v1/me").status_code == 200


def test_without_the_cache_sessions_come_from_the_graph(
    builders: Builders, app_without_cache: Flask
) -> None:
    person = builders.new_user()
    assert person.on(app_without_cache).get("/v1/me").status_code == 200


def test_a_late_write_of_a_copy_does_not_revive_a_revoked_session(
    builders: Builders, graph: Graph, storage: Storage
) -> None:
    person = builders.new_user()
    session_id = int(person.get("/v1/me/sessions").json["sessions"][0]["id"])
    storage.sessions.drop(person.id, [session_id])  # evicted
    token = storage.sessions.reserve(person.id, session_id)  # a slow request reserves, reads …
    copy = _copy_of(graph, session_id)
    assert person.delete("/v1/me/sessions/current").status_code == 204
    assert token
    assert not storage.sessions.fill(session_id, token, copy)  # … and writes too late
    assert_problem(person.get("/v1/me"), 401, "not-signed-in")


# Security 4
def test_a_new_password_ends_all_other_sessions(app: Flask, builders: Builders) -> None:
    first, second = two_sessions(builders)
    body = {"password": OTHER_PASSWORD, "current_password": PASSWORD}
    assert first.patch("/v1/me", json=body).status_code == 200
    assert first.get("/v1/me").status_code == 200
    assert_problem(second.get("/v1/me"), 401, "not-signed-in")
    assert sign_in(app, first.username, PASSWORD).status_code == 401
    assert sign_in(app, first.username, OTHER_PASSWORD).status_code == 201


def test_a_password_change_without_the_cache_is_503_and_succeeds_on_repeat(
    builders: Builders, proxied_app: Flask, cache_proxy: Proxy
) -> None:
    first, second = two_sessions(builders)
    body = {"password": OTHER_PASSWORD, "current_password": PASSWORD}
    proxied = first.on(proxied_app)
    with cache_proxy.outage():
        assert_problem(proxied.patch("/v1/me", json=body), 503, "cache-unavailable")
    assert _until_cache_answers(lambda: proxied.patch("/v1/me", json=body)) == 200
    assert_problem(second.get("/v1/me"), 401, "not-signed-in")


def test_a_new_password_needs_the_current_one(app: Flask, builders: Builders) -> None:
    person = builders.new_user()
    wrong = {"password": OTHER_PASSWORD, "current_password": "not the password"}
    assert_problem(person.patch("/v1/me", json=wrong), 403, "wrong-password")
    alone = person.patch("/v1/me", json={"password": OTHER_PASSWORD})
    assert list(assert_problem(alone, 422, "invalid-fields")["errors"]) == ["current_password"]
    assert sign_in(app, person.username, PASSWORD).status_code == 201


def _copy_of(graph: Graph, session_id: int) -> SessionCopy:
    session = graph.sessions.by_id(session_id)
    assert session
    return SessionCopy(
        user_id=session.user_id,
        secret_sha256=session.secret_sha256,
        expires_at=int(session.expires_at.timestamp()),
    )


def _until_cache_answers(call: Callable[[], ApiResponse]) -> int:
    """The first status other than 503: the circuit of the cache closes within a second."""
    end = time.monotonic() + 10
    while True:
        status = call().status_code
        if status != 503 or time.monotonic() > end:
            return status


# Case 59
def test_the_fifty_first_sign_in_ends_the_oldest_session(builders: Builders, graph: Graph) -> None:
    first = builders.new_user()
    assert first.get("/v1/me").status_code == 200  # caches the session
    Town(graph).old_sessions(first.id, 49)
    newest = first.sign_in()
    assert_problem(first.get("/v1/me"), 401, "not-signed-in")
    assert len(newest.read("/v1/me/sessions")["sessions"]) == 50


# Case 59
def test_a_sign_in_without_the_cache_succeeds_and_its_event_ends_the_oldest_session(
    builders: Builders, graph: Graph, storage: Storage, proxied_app: Flask, cache_proxy: Proxy
) -> None:
    first = builders.new_user()
    assert first.get("/v1/me").status_code == 200
    Town(graph).old_sessions(first.id, 49)
    with cache_proxy.outage():
        assert sign_in(proxied_app, first.username).status_code == 201
    [event] = Town(graph).events_of(first.id)
    assert run(graph, storage, event.id, event.epoch) == "done"
    assert_problem(first.get("/v1/me"), 401, "not-signed-in")


# Security 4
# Case 59
def test_after_a_password_change_no_session_of_very_many_is_accepted(
    builders: Builders, graph: Graph
) -> None:
    mine = builders.new_user()
    lost = mine.sign_in()
    assert lost.get("/v1/me").status_code == 200  # caches the session
    Town(graph).old_sessions(mine.id, 1_000)  # newer than both
    body = {"password": OTHER_PASSWORD, "current_password": PASSWORD}
    assert mine.patch("/v1/me", json=body).status_code == 200
    assert_problem(lost.get("/v1/me"), 401, "not-signed-in")
    assert mine.get("/v1/me").status_code == 200
    again = mine.sign_in(OTHER_PASSWORD)
    listed = again.read("/v1/me/sessions")["sessions"]
    assert [session["current"] for session in listed] == [True, False]
