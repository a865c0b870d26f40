"""Tokens that fail: what they cost, and what becomes of a network that sends many of them."""

import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask

from api.app import create_app
from api.http.context import context_of
from api.services.tokens import Token, new_token
from feed.background import BackgroundRebuilder
from graph import Graph
from graph.ids import unguessable_id
from observing.metrics import TOKENS_REFUSED
from storage import Storage
from storage.sessions import copy_key
from tests.api.conftest import SETTINGS
from tests.support.bare_app import bare_app
from tests.support.fast_feed import FastFeedProcess
from tests.support.people import Builders, Person, assert_problem, call_api
from tests.support.private_server import PrivateServer
from tests.support.tokens import TOKENS, old_text_of
from tests.support.transports import ApiResponse

QUOTA = 60
"""Failing tokens of a network in a minute."""
LOOP_PATHS = ["/v1/me/feed", "/v1/live"]


def an_address() -> str:
    """An IPv6 address in a /64 that no other test uses."""
    return f"2001:db8:{secrets.token_hex(2)}:{secrets.token_hex(2)}::1"


def get(app: Flask, text: str, address: str, path: str = "/v1/me") -> ApiResponse:
    headers = {"Authorization": f"Bearer {text}", "X-Forwarded-For": address}
    return call_api(app, "GET", path, headers=headers)


def forged() -> str:
    """A well-formed token, with a MAC by no key of ours."""
    text = TOKENS.sign(made_up())
    return text[:-12] + secrets.token_urlsafe(9)


def made_up() -> Token:
    return new_token(user_id=unguessable_id(), session_id=unguessable_id())


def refused(why: str) -> float:
    return float(TOKENS_REFUSED.labels(why)._value.get())


@pytest.fixture(scope="module")
def old_app(graph: Graph, storage: Storage, rebuilder: BackgroundRebuilder) -> Flask:
    """An app just after the upgrade, behind one proxy: it accepts tokens without a MAC."""
    until = datetime.now(UTC) + timedelta(days=1)
    settings = replace(SETTINGS, limits_scale=1, trusted_proxies=1, old_tokens_until=until)
    return create_app(settings, graph, storage, rebuilder)


@pytest.fixture
def asked(graph: Graph, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is asked of the graph from now on."""
    asked: list[str] = []
    for name in ("read", "write"):
        call: Callable[..., Any] = getattr(graph.connection, name)

        def recorded(query: Any, *, call: Callable[..., Any] = call, **parameters: Any) -> Any:
            asked.append(query.name)
            return call(query, **parameters)

        monkeypatch.setattr(graph.connection, name, recorded)
    return asked


# Security 1
# Case 55
def test_a_forged_token_asks_no_store(
    cache: PrivateServer,
    app_on: Callable[..., Flask],
    builders: Builders,
    asked: list[str],
) -> None:
    app = app_on(cache_url=cache.url)
    person = builders.new_user().on(app)
    assert person.get("/v1/me").status_code == 200
    before = commands_of(cache)
    asked.clear()
    for _ in range(200):
        response = person.on(app, forged()).get("/v1/me")
        assert_problem(response, 401, "not-signed-in")
    assert response.headers["WWW-Authenticate"] == "Bearer"
    assert commands_of(cache) == before
    assert asked == []
    assert person.get("/v1/me").status_code == 200
    assert commands_of(cache) > before


# Case 55
@pytest.mark.parametrize("path", LOOP_PATHS)
def test_the_loop_refuses_a_forged_token_without_stores_and_threads(
    loop_process: FastFeedProcess, path: str
) -> None:
    before = refused("forged")
    responses = [loop_process.send("GET", path, bearer(forged())) for _ in range(QUOTA + 1)]
    assert [response.status_code for response in responses] == [401] * QUOTA + [429]
    assert not loop_process.forwarded
    assert_problem(responses[0], 401, "not-signed-in")
    assert_problem(responses[-1], 429, "too-many-requests")
    assert 1 <= int(responses[-1].headers["Retry-After"]) <= 60
    loop_process.front._log.flush()
    assert refused("forged") == before + QUOTA + 1
    signed = loop_process.send("GET", path, bearer(TOKENS.sign(made_up())))
    assert signed.status_code == 503, "a token with a MAC asks the stores, which are away"


def test_a_forged_token_gets_the_same_answer_of_loop_and_view(
    loop_process: FastFeedProcess,
) -> None:
    headers = [*bearer(forged()), ("X-Request-Id", "same")]
    of_loop = loop_process.send("GET", "/v1/me/feed", headers, client="192.0.2.9")
    of_view = loop_process.app.test_client().get("/v1/me/feed", headers=headers)
    assert of_loop.status_code == of_view.status_code == 401
    assert of_loop.json == of_view.json
    for name in ("WWW-Authenticate", "Cache-Control", "Content-Type"):
        assert of_loop.headers[name] == of_view.headers[name]


# Security 1
# Case 55
def test_a_network_with_many_failing_tokens_gets_429_and_its_valid_tokens_stay_valid(
    strict_app: Flask, builders: Builders
) -> None:
    address, person = an_address(), builders.new_user()
    neighbour = f"{address[:-1]}99"
    statuses = [get(strict_app, forged(), address).status_code for _ in range(QUOTA + 5)]
    assert statuses == [401] * QUOTA + [429] * 5
    response = get(strict_app, forged(), neighbour)
    assert_problem(response, 429, "too-many-requests")
    for _ in range(3):
        assert get(strict_app, person.token, address).status_code == 200
    assert get(strict_app, forged(), an_address()).status_code == 401


# Case 55
def test_tokens_of_ended_sessions_count_as_failing_and_then_ask_no_store(
    strict_app: Flask, builders: Builders, asked: list[str]
) -> None:
    address, person = an_address(), builders.new_user()
    assert get(strict_app, person.token, address).status_code == 200
    assert person.delete("/v1/me/sessions/current").status_code == 204
    before = refused("session")
    statuses = [get(strict_app, person.token, address).status_code for _ in range(QUOTA + 1)]
    assert statuses == [401] * QUOTA + [429]
    assert refused("session") == before + QUOTA + 1
    asked.clear()
    assert {get(strict_app, person.token, address).status_code for _ in range(QUOTA)} == {429}
    assert asked == []
    assert get(strict_app, builders.new_user().token, address).status_code == 200


# Case 41
def test_a_sign_out_is_finished_by_a_repeat_although_the_network_fails(
    strict_app: Flask, builders: Builders, storage: Storage, graph: Graph
) -> None:
    address, person = an_address(), builders.new_user()
    assert get(strict_app, person.token, address).status_code == 200
    token = read(person)
    graph.sessions.delete(token.session_id, user_id=person.id)  # the first try failed at the cache
    for _ in range(QUOTA):
        get(strict_app, forged(), address)
    headers = {"Authorization": f"Bearer {person.token}", "X-Forwarded-For": address}
    storage.sessions.drop(person.id, [token.session_id])
    key = copy_key(person.id, token.session_id)
    storage.cache.client.set(key, b"~a copy of another process")
    path = "/v1/me/sessions/current"
    response = call_api(strict_app, "DELETE", path, headers=headers)
    assert_problem(response, 429, "too-many-requests")
    assert not storage.cache.client.exists(key)


def test_a_request_without_a_token_does_not_count(strict_app: Flask) -> None:
    headers = {"X-Forwarded-For": an_address()}
    for _ in range(QUOTA + 1):
        assert call_api(strict_app, "GET", "/v1/me", headers=headers).status_code == 401


# Security 1
def test_an_old_token_is_accepted_for_a_time_after_the_upgrade(
    old_app: Flask, strict_app: Flask, builders: Builders
) -> None:
    old = old_text_of(read(builders.new_user()))
    assert get(old_app, old, an_address()).status_code == 200
    assert_problem(get(strict_app, old, an_address()), 401, "not-signed-in")


# Case 55
def test_made_up_old_tokens_of_a_network_reach_the_stores_only_up_to_its_quota(
    old_app: Flask, builders: Builders, asked: list[str]
) -> None:
    address, person = an_address(), builders.new_user()
    for _ in range(QUOTA):
        assert get(old_app, old_text_of(made_up()), address).status_code == 401
    asked.clear()
    for _ in range(QUOTA):
        response = get(old_app, old_text_of(made_up()), address)
        assert_problem(response, 429, "too-many-requests")
    assert asked == []
    assert get(old_app, person.token, address).status_code == 200
    assert get(old_app, old_text_of(read(person)), an_address()).status_code == 200
    waiting = get(old_app, old_text_of(read(person)), address)
    assert_problem(waiting, 429, "too-many-requests")


# Case 55
def test_the_loop_serves_an_old_token_until_its_network_fails(
    old_app: Flask, builders: Builders
) -> None:
    process = FastFeedProcess(old_app)
    try:
        old = old_text_of(read(builders.new_user()))
        headers = [("X-Forwarded-For", an_address())]
        assert process.send("GET", "/v1/me/feed", [*bearer(old), *headers]).status_code == 200
        failing = context_of(old_app).failing_tokens
        for _ in range(QUOTA):
            failing.excess_of_forged(headers[0][1])
        refusal = process.send("GET", "/v1/me/feed", [*bearer(old), *headers])
        assert refusal.status_code == 429
        assert not process.forwarded
    finally:
        process.close()


@pytest.fixture
def loop_process() -> Iterator[FastFeedProcess]:
    """The ASGI application on stores that do not answer."""
    process = FastFeedProcess(bare_app())
    yield process
    process.close()


def bearer(text: str) -> list[tuple[str, str]]:
    return [("Authorization", f"Bearer {text}")]


def read(person: Person) -> Token:
    token = TOKENS.read(person.token)
    assert token
    return token


def commands_of(server: PrivateServer) -> int:
    """Commands that the server has run, but for those of this function."""
    stats: Mapping[str, Any] = server.client.info("commandstats")
    return sum(int(stats[name]["calls"]) for name in stats if name != "cmdstat_info")
