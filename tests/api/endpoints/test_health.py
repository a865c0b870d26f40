import threading

import pytest
from flask import Flask

from api.app import create_app
from api.services.health import HealthChecks
from feed.background import BackgroundRebuilder
from graph import Graph
from storage import Storage
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


@pytest.mark.parametrize("part", ["cache", "queue"])
def test_a_process_without_redis_is_degraded_and_ready(
    request: pytest.FixtureRequest, part: str
) -> None:
    response = call_api(request.getfixturevalue(f"app_without_{part}"), "GET", "/readyz")
    assert (response.status_code, response.json["status"]) == (200, "degraded")
    assert response.json["checks"][part] == "unavailable"


def test_a_process_without_the_graph_is_not_ready(app_without_graph: Flask) -> None:
    response = call_api(app_without_graph, "GET", "/readyz")
    assert (response.status_code, response.json["status"]) == (503, "unavailable")
    assert response.json["checks"]["neo4j"] != "ok"
    assert response.json["checks"]["oldest_event_seconds"] is None
    assert response.headers["Retry-After"]


def test_a_process_with_a_wrong_clock_is_not_ready(
    graph: Graph, storage: Storage, rebuilder: BackgroundRebuilder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(graph, "clock_offset_seconds", lambda: -6.0)
    response = call_api(create_app(SETTINGS, graph, storage, rebuilder), "GET", "/readyz")
    assert response.status_code == 503
    assert "clock" in response.json["checks"]["neo4j"]


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
