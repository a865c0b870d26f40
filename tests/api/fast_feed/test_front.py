"""The fast feed answers what the view answers, or lets the view answer."""

import re
from dataclasses import replace

import pytest

from api.fast_feed import front as front_module
from api.fast_feed.requests import PATH
from api.http.context import context_of
from api.services.tokens import new_token
from graph import Graph
from storage import Storage
from storage.limits import limit_key
from storage.sessions import SessionCopies
from storage.timeline_layout import timeline_key
from storage.timelines import Timelines
from tests.api.conftest import SETTINGS
from tests.api.fast_feed.conftest import Open, counted_requests, create_reader
from tests.support.fast_feed import FastFeedProcess
from tests.support.front import differences
from tests.support.people import Builders, Person, assert_problem
from tests.support.tokens import TOKENS
from tests.support.transports import ApiResponse


@pytest.fixture(scope="module")
def without_graph(open_process: Open, dead_graph: Graph) -> FastFeedProcess:
    return open_process(of_graph=dead_graph)


def remaining(response: ApiResponse) -> int:
    found = re.search(r"r=(\d+)", response.headers["RateLimit"])
    assert found
    return int(found[1])


def test_an_unchanged_page_is_304_by_both(process: FastFeedProcess, reader: Person) -> None:
    first = process.get(reader, PATH)
    tag = first.headers["ETag"]
    again = process.get(reader, PATH, {"If-None-Match": tag})
    assert not process.forwarded
    assert (again.status_code, again.data) == (304, b"")
    assert differences(again, process.view(reader, PATH, {"If-None-Match": tag})) == {}
    other = process.get(reader, PATH, {"If-None-Match": '"another"'})
    assert differences(other, first) == {}


def test_a_page_from_the_graph_can_be_304_too(
    process: FastFeedProcess, builders: Builders, storage: Storage
) -> None:
    reader = create_reader(builders, storage)
    tag = process.get(reader, PATH).headers["ETag"]
    storage.timelines.drop(reader.id)
    again = process.get(reader, PATH, {"If-None-Match": tag})
    assert (again.status_code, process.forwarded) == (304, False)
    assert differences(again, process.view(reader, PATH, {"If-None-Match": tag})) == {}


UNUSUAL: list[tuple[str, list[tuple[str, str]]]] = [
    (f"{PATH}?limit=0", []),
    (f"{PATH}?limit=101", []),
    (f"{PATH}?limit=020", []),
    (f"{PATH}?limit=+7", []),
    (f"{PATH}?limit=7&limit=7", []),
    (f"{PATH}?limit=%37", []),
    (f"{PATH}?limit=", []),
    (f"{PATH}?limit", []),
    (f"{PATH}?limit=7&", []),
    (f"{PATH}?&limit=7", []),
    (f"{PATH}?limit=7;cursor=x", []),
    (f"{PATH}?cursor=x", []),
    (f"{PATH}?cursor=", []),
    (f"{PATH}?cursor=x&cursor=x", []),
    (f"{PATH}?colour=red", []),
    (f"{PATH}?token=pf_x", []),
    (f"{PATH}/", []),
    (PATH, [("X-Long", "x" * 20_000)]),
    (PATH, [("If-None-Match", 'W/"x", "y"')]),
    (PATH, [("If-None-Match", 'W/"x"')]),
    (PATH, [("If-None-Match", "*")]),
    (PATH, [("If-None-Match", "")]),
    (PATH, [("If-None-Match", '"x"'), ("If-None-Match", '"y"')]),
    (PATH, [("If-Match", '"x"')]),
    (PATH, [("Transfer-Encoding", "chunked")]),
    (PATH, [("Content-Length", "0")]),
    (PATH, [("X-Request-Id", "another")]),
    (PATH, [("Authorization", "Bearer pf_forged")]),
]


@pytest.mark.parametrize(("path", "headers"), UNUSUAL)
def test_unusual_requests_are_forwarded(
    process: FastFeedProcess, reader: Person, path: str, headers: list[tuple[str, str]]
) -> None:
    response = process.get(reader, path, headers)
    assert process.forwarded
    if "limit=7" not in path and "X-Request-Id" not in dict(headers):
        assert response.status_code == process.view(reader, path, headers).status_code


@pytest.mark.parametrize("authorization", ["", "Basic x", "Bearer", "Bearer ", "Bearer pf_x", "x"])
def test_requests_without_a_token_of_ours_are_refused_and_without_any_forwarded(
    process: FastFeedProcess, authorization: str
) -> None:
    headers = [("Authorization", authorization)] if authorization else []
    response = process.send("GET", PATH, headers)
    assert process.forwarded == ("Bearer" not in authorization)
    assert_problem(response, 401, "not-signed-in")


@pytest.mark.parametrize(
    "headers",
    [
        {"If-Modified-Since": "Sat, 29 Oct 2050 19:43:31 GMT"},
        {"If-None-Match": '""'},
        {"If-None-Match": '"x", "y"'},
        {"Range": "bytes=0-3"},
        {"If-Range": '"x"', "Range": "bytes=0-3"},
        {"If-Unmodified-Since": "Sat, 29 Oct 1994 19:43:31 GMT"},
        {"Accept": "image/png", "Accept-Encoding": "br", "Cookie": "a=b; c=d"},
        {"Cache-Control": "no-cache", "Pragma": "no-cache"},
        {"Origin": "https://elsewhere.example"},
        {"Content-Type": "text/plain"},
    ],
)
def test_other_headers_get_the_response_of_the_view(
    process: FastFeedProcess, reader: Person, headers: dict[str, str]
) -> None:
    response = process.get(reader, PATH, headers)
    assert differences(response, process.view(reader, PATH, headers)) == {}


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "Bearer "])
def test_the_scheme_is_in_any_case(process: FastFeedProcess, reader: Person, scheme: str) -> None:
    response = process.send("GET", PATH, [("Authorization", f"{scheme} {reader.token}")])
    assert (response.status_code, process.forwarded) == (200, False)


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "PUT", "DELETE", "INVENTED"])
def test_other_methods_are_forwarded(process: FastFeedProcess, reader: Person, method: str) -> None:
    response = process.send(method, PATH, [("Authorization", f"Bearer {reader.token}")])
    assert process.forwarded
    assert response.status_code == (200 if method in {"HEAD", "OPTIONS"} else 405)
    assert method != "HEAD" or response.data == b""


def test_a_cursor_of_another_user_is_refused_by_the_view(
    process: FastFeedProcess, builders: Builders, reader: Person
) -> None:
    cursor = process.get(reader, f"{PATH}?limit=1").json["next"]
    other = builders.new_user()
    response = process.get(other, f"{PATH}?cursor={cursor}")
    assert process.forwarded
    assert_problem(response, 400, "invalid-cursor")


@pytest.mark.parametrize("sent", ["of-this-test", "x" * 64, "x" * 65, "ä", "a b", "", 'a"b\n'])
def test_a_valid_request_id_is_kept_and_another_replaced(
    process: FastFeedProcess, reader: Person, sent: str
) -> None:
    headers = [("Authorization", f"Bearer {reader.token}"), ("X-Request-Id", sent)]
    request_id = process.send("GET", PATH, headers).headers["X-Request-Id"]
    assert not process.forwarded
    assert re.fullmatch(r"[A-Za-z0-9._-]{1,64}", request_id)
    assert (request_id == sent) == (sent in {"of-this-test", "x" * 64})


def test_a_forged_token_is_refused_uses_no_quota_and_prolongs_nothing(
    process: FastFeedProcess, builders: Builders, storage: Storage
) -> None:
    reader = create_reader(builders, storage)
    token = TOKENS.read(reader.token)
    assert token
    key = timeline_key(reader.id)
    storage.cache.client.expire(key, 1000)
    used = process.used_quota(reader)
    for _ in range(5):
        forged = new_token(user_id=token.user_id, session_id=token.session_id)
        response = process.get(replace(reader, token=TOKENS.sign(forged)), PATH)
        assert_problem(response, 401, "not-signed-in")
    assert process.used_quota(reader) == used
    assert 0 < int(storage.cache.client.ttl(key)) <= 1000
    assert process.get(reader, PATH).status_code == 200
    assert process.used_quota(reader) == used + 1
    assert int(storage.cache.client.ttl(key)) > 1000


def test_a_token_of_another_user_is_refused(
    process: FastFeedProcess, builders: Builders, reader: Person
) -> None:
    mine = TOKENS.read(builders.new_user().token)
    assert mine
    process.get(reader, PATH)
    stolen = replace(reader, token=TOKENS.sign(mine._replace(user_id=reader.id)))
    for _ in range(2):
        assert_problem(process.get(stolen, PATH), 401, "not-signed-in")


def test_a_page_notes_the_use_of_its_session_and_a_forged_token_does_not(
    process: FastFeedProcess, reader: Person
) -> None:
    session = reader.sign_in()
    assert session.get("/v1/me").status_code == 200  # caches the session
    token, noted = TOKENS.read(session.token), context_of(process.app).last_uses._noted
    assert token
    forged = new_token(user_id=token.user_id, session_id=token.session_id)
    assert process.get(session.on(session.transport, TOKENS.sign(forged)), PATH).status_code == 401
    assert token.session_id not in noted
    assert process.get(session, PATH).status_code == 200
    assert not process.forwarded
    assert token.session_id in noted


def test_an_ended_session_is_refused(process: FastFeedProcess, reader: Person) -> None:
    session = reader.sign_in()
    assert process.get(session, PATH).status_code == 200  # the view caches the session
    assert process.get(session, PATH).status_code == 200
    assert not process.forwarded
    assert session.delete("/v1/me/sessions/current").status_code == 204
    assert_problem(process.get(session, PATH), 401, "not-signed-in")


def test_a_page_from_the_graph_needs_no_view(
    process: FastFeedProcess, builders: Builders, storage: Storage
) -> None:
    reader = create_reader(builders, storage)
    first = process.get(reader, PATH)
    storage.timelines.drop(reader.id)
    from_graph = process.get(reader, PATH)
    assert not process.forwarded
    assert differences(from_graph, first) == {}
    assert remaining(from_graph) == remaining(first) - 1


def test_a_request_that_the_view_answers_is_counted_once_and_read_once(
    without_graph: FastFeedProcess,
    builders: Builders,
    storage: Storage,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reader = create_reader(builders, storage)
    reads: list[object] = []
    without_graph.get(reader, PATH)
    used = without_graph.used_quota(reader)
    left = remaining(without_graph.get(reader, PATH))
    storage.timelines.drop(reader.id)
    monkeypatch.setattr(SessionCopies, "read", lambda *arguments: reads.append(arguments))
    monkeypatch.setattr(Timelines, "window", lambda *arguments: reads.append(arguments))
    response = without_graph.get(reader, PATH)
    assert_problem(response, 503, "graph-unavailable")
    assert without_graph.forwarded
    assert remaining(response) == left - 1
    assert without_graph.used_quota(reader) == used + 2
    assert reads == []


def test_a_request_above_the_quota_is_429_as_by_the_view(
    open_process: Open, builders: Builders, storage: Storage
) -> None:
    quota = 40
    process = open_process(api=replace(SETTINGS, limits_scale=quota / 1200))
    reader = create_reader(builders, storage)
    storage.cache.client.delete(limit_key(process.front._quotas.policy, reader.id))
    responses = [process.get(reader, PATH) for _ in range(quota + 1)]
    assert [response.status_code for response in responses] == [200] * quota + [429]
    assert not process.forwarded
    assert_problem(responses[-1], 429, "too-many-requests")
    assert process.used_quota(reader) == quota + 1
    view = process.view(reader, PATH)
    assert_problem(view, 429, "too-many-requests")
    assert set(differences(responses[-1], view)) <= {"retry-after"}  # a second may have passed
    assert responses[-1].headers["RateLimit"].startswith('"general";r=0;')


def test_requests_are_forwarded_without_the_cache(
    open_process: Open, closed_port: int, reader: Person
) -> None:
    process = open_process(cache_url=f"redis://127.0.0.1:{closed_port}/0")
    assert process.get(reader, PATH).headers["Photofeed-Degraded"] == "cache"
    assert process.forwarded


def test_a_cached_feed_goes_on_while_the_graph_is_down(
    without_graph: FastFeedProcess, reader: Person
) -> None:
    response = without_graph.get(reader, PATH)
    assert not without_graph.forwarded
    assert differences(response, without_graph.view(reader, PATH)) == {}


def test_a_page_says_that_the_graph_is_down_and_no_longer_once_it_is_back(
    process: FastFeedProcess, reader: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    for is_open in (False, True, True, False):
        monkeypatch.setattr(Graph, "circuit_open", is_open)
        response = process.get(reader, PATH)
        assert not process.forwarded
        assert response.headers.get("Photofeed-Degraded") == ("graph" if is_open else None)
        assert differences(response, process.view(reader, PATH)) == {}


def test_a_page_without_an_unshown_body_follows_the_deletion_of_that_post(
    process: FastFeedProcess, builders: Builders, storage: Storage
) -> None:
    person = builders.new_user()
    oldest = int(builders.publish(person)["id"])
    newest = int(builders.publish(person)["id"])
    storage.timelines.drop(person.id)
    storage.cache.client.rpush(timeline_key(person.id), 0, oldest, newest)
    storage.bodies.discard([oldest])
    path = f"{PATH}?limit=1"
    process.view(person, path)
    assert "next" in process.get(person, path).json
    assert process.keeps_page(person, limit=1)
    assert person.delete(f"/v1/posts/{oldest}").status_code == 204
    response = process.get(person, path)
    assert differences(response, process.view(person, path)) == {}
    assert "next" not in response.json


def test_more_requests_at_once_than_allowed_are_refused(
    process: FastFeedProcess, reader: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(front_module, "MAX_AT_ONCE", 0)
    counted = counted_requests("(overload)", 503)
    assert_problem(process.get(reader, PATH), 503, "overloaded")
    assert not process.forwarded
    process.front._log.flush()
    assert counted_requests("(overload)", 503) == counted + 1
    monkeypatch.undo()
    assert process.front._at_once == 0
    assert process.get(reader, PATH).status_code == 200
