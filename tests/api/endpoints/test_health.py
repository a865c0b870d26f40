import threading
import time
from itertools import pairwise

import pytest
from flask import Flask

from api.app import create_app
from api.services.health import HealthChecks
from feed.background import BackgroundRebuilder
from graph import Graph
from storage import Storage
from storage.errors import StorageUnavailableError
from tests.api.conftest import SETTINGS
from tests.support.concurrency import run_together
from tests.support.people import call_api


def test_a_process_that_answers_is_live(app: Flask, app_without_graph: Flask) -> None:
    for some_app in (app, app_without_graph):
        assert call_api(some_app, "GET", "/livez").json == {"status": "ok"}


def test_a_process_with_all_stores_is_ready(app: Flask) -> None:
    response = call_api(app, "GET", "/readyz")
    assert response.status_code == 200
    checks = response.json["checks"]
    assert response.json["status"] == "ok"
    assert checks.pop("oldest_event_seconds") >= 0
    assert checks == dict.fromkeys(("neo4j", "queue", "cache", "s3"), "ok")


@pytest.mark.parametrize(
    ("part", "store"), [("cache", "cache"), ("queue", "queue"), ("graph", "neo4j")]
)
def test_a_process_that_can_serve_feeds_is_ready_and_degraded(
    request: pytest.FixtureRequest, part: str, store: str
) -> None:
    response = call_api(request.getfixturevalue(f"app_without_{part}"), "GET", "/readyz")
    assert (response.status_code, response.json["status"]) == (200, "degraded")
    assert response.json["checks"][store] == "unavailable"
    is_without_graph = part == "graph"
    assert (response.json["checks"]["oldest_event_seconds"] is None) == is_without_graph


def test_a_process_without_graph_and_cache_is_not_ready(
    graph: Graph, storage: Storage, rebuilder: BackgroundRebuilder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise StorageUnavailableError("a store", "down")

    monkeypatch.setattr(graph, "ping", fail)
    monkeypatch.setattr(Storage, "ping_cache", fail)
    response = call_api(create_app(SETTINGS, graph, storage, rebuilder), "GET", "/readyz")
    assert (response.status_code, response.json["status"]) == (503, "unavailable")
    assert response.headers["Retry-After"]


def test_a_process_with_a_wrong_clock_goes_on_with_cached_feeds(
    graph: Graph, storage: Storage, rebuilder: BackgroundRebuilder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(graph, "clock_offset_seconds", lambda: -6.0)
    response = call_api(create_app(SETTINGS, graph, storage, rebuilder), "GET", "/readyz")
    assert (response.status_code, response.json["status"]) == (200, "degraded")
    assert "clock" in response.json["checks"]["neo4j"]


def test_a_store_is_asked_once_a_second_whoever_asks(
    graph: Graph, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    pings: list[float] = []
    monkeypatch.setattr(Storage, "ping_cache", lambda _: pings.append(time.monotonic()))
    checks, end = HealthChecks(graph, storage), time.monotonic() + 2.5
    while time.monotonic() < end:
        run_together(*[checks.check] * 4)
    assert 2 <= len(pings) <= 3
    assert all(later - earlier >= 0.9 for earlier, later in pairwise(pings))


def test_a_graph_that_hangs_delays_no_other_check(
    graph: Graph, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    released = threading.Event()
    monkeypatch.setattr(graph, "ping", lambda: released.wait(30))
    monkeypatch.setattr(graph.events, "oldest_due_seconds", lambda: float(released.wait(30)))
    monkeypatch.setattr("api.services.health._TIMEOUT_SECONDS", 1.5)
    checks = HealthChecks(graph, storage)
    for health in run_together(*[checks.check] * 8):
        assert not isinstance(health, Exception), health
        assert (health.neo4j, health.oldest_event_seconds) == ("no answer in time", None)
        assert (health.queue, health.cache, health.s3) == ("ok", "ok", "ok")
    released.set()
