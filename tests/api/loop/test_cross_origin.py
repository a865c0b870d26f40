"""Web pages of other origins: which answers they may read, and what a browser is told first."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from flask import Flask

from api.app import create_app
from api.loop.messages import Answer
from feed.background import BackgroundRebuilder
from graph import Graph
from storage import Storage
from tests.api.conftest import SETTINGS
from tests.support.asgi import scope_of
from tests.support.asgi_client import LoopApp, running

APP, OTHER = b"https://app.example.org", b"https://evil.example.org"
ROUTES = ("/v1/me/feed", "/v1/live", "/v1/users/1", "/v1/sessions", "/livez", "/absent")


@pytest.fixture(scope="module")
def flask_app(graph: Graph, storage: Storage, rebuilder: BackgroundRebuilder) -> Flask:
    settings = replace(SETTINGS, cors_origins=(APP.decode(), "http://localhost:5173"))
    return create_app(settings, graph, storage, rebuilder)


@pytest.fixture(scope="module")
def app(flask_app: Flask) -> Iterator[LoopApp]:
    with running(flask_app) as (app, _loop):
        yield app


def send(app: LoopApp, method: str, path: str, **headers: bytes) -> tuple[Answer, dict[str, str]]:
    sent = [(name.replace("_", "-").encode(), value) for name, value in headers.items()]
    answer = app.send(scope_of(method, path, sent))
    return answer, {name.decode(): value.decode() for name, value in answer.headers}


# Security 23
@pytest.mark.parametrize("path", ROUTES)
def test_a_preflight_of_a_named_origin_is_answered_before_authentication(
    app: LoopApp, path: str
) -> None:
    answer, headers = send(
        app,
        "OPTIONS",
        path,
        origin=APP,
        access_control_request_method=b"POST",
        access_control_request_headers=b"authorization,idempotency-key",
    )
    assert (answer.status, answer.body) == (204, b"")
    assert headers["access-control-allow-origin"] == APP.decode()
    assert {"Authorization", "Idempotency-Key", "Content-Type"} <= set(
        headers["access-control-allow-headers"].split(", ")
    )
    assert {"GET", "POST", "PUT", "PATCH", "DELETE"} <= set(
        headers["access-control-allow-methods"].split(", ")
    )
    assert headers["vary"] == "Origin"
    assert headers["x-request-id"]
    assert headers["x-content-type-options"] == "nosniff"
    assert "access-control-allow-credentials" not in headers


# Security 23
@pytest.mark.parametrize("path", ROUTES)
def test_a_response_to_a_named_origin_can_be_read_with_its_headers(app: LoopApp, path: str) -> None:
    _answer, headers = send(app, "GET", path, origin=APP)
    assert headers["access-control-allow-origin"] == APP.decode()
    exposed = set(headers["access-control-expose-headers"].split(", "))
    assert {"Location", "Link", "Retry-After", "X-Request-Id", "RateLimit", "ETag"} <= exposed
    assert "Origin" in headers["vary"]


# Security 23
@pytest.mark.parametrize("path", ROUTES)
@pytest.mark.parametrize("origin", [OTHER, APP + b".evil.org", b"null", b"https://APP.example.org"])
def test_another_origin_is_told_nothing(app: LoopApp, path: str, origin: bytes) -> None:
    for method in ("GET", "OPTIONS"):
        answer, headers = send(
            app, method, path, origin=origin, access_control_request_method=b"GET"
        )
        assert not any(name.startswith("access-control-") for name in headers)
        assert "Origin" in headers["vary"]
        assert answer.status < 500


def test_a_request_without_an_origin_varies_too(app: LoopApp) -> None:
    _answer, headers = send(app, "GET", "/v1/users/1")
    assert "Origin" in headers["vary"]
    assert "access-control-allow-origin" not in headers


def test_options_without_a_preflights_header_is_answered_by_the_route(app: LoopApp) -> None:
    answer, headers = send(app, "OPTIONS", "/v1/sessions", origin=APP)
    assert answer.status == 200
    assert "POST" in headers["allow"]


# Security 23
def test_without_the_setting_no_origin_is_named(
    graph: Graph, storage: Storage, rebuilder: BackgroundRebuilder
) -> None:
    with running(create_app(SETTINGS, graph, storage, rebuilder)) as (app, _loop):
        for method in ("GET", "OPTIONS"):
            _answer, headers = send(
                app, method, "/v1/users/1", origin=APP, access_control_request_method=b"GET"
            )
            assert not any(name.startswith("access-control-") for name in headers)
