import threading

import pytest
from flask import Flask

from api.app import create_app
from api.services.health import HealthChecks
from feed.background import BackgroundRebuilder
from graph import Graph
from storage import Storage
from tests.api.conftest import SETTINGS
from tests.support.maker import run_together
from tests.support.people import ask


def test_a_process_that_answers_lives(app: Flask, app_without_graph: Flask) -> None:
    for some_app in (app, app_without_graph):
        assert ask(some_app, "GET", "/livez").json == {"status": "ok"}


def test_with_every_store_there_it_is_ready(app: Flask) -> None:
    answer = ask(app, "GET", "/readyz")
    assert answer.status_code == 200
    checks = answer.json["checks"]
    assert answer.json["status"] == "ok"
    assert checks.pop("oldest_event_seconds") >= 0
    assert checks == dict.fromkeys(("neo4j", "queue", "cache", "s3"), "ok")


@pytest.mark.parametrize("part", ["cache", "queue"])
def test_without_redis_it_is_degraded_and_still_ready(
    request: pytest.FixtureRequest, part: str
) -> None:
    answer = ask(request.getfixturevalue(f"app_without_{part}"), "GET", "/readyz")
    assert (answer.status_code, answer.json["status"]) == (200, "degraded")
    assert answer.json["checks"][part] == "unavailable"


def test_without_the_graph_it_is_not_ready(app_without_graph: Flask) -> None:
    answer = ask(app_without_graph, "GET", "/readyz")
    assert (answer.status_code, answer.json["status"]) == (503, "unavailable")
    assert answer.json["checks"]["neo4j"] != "ok"
    assert answer.json["checks"]["oldest_event_seconds"] is None
    assert answer.headers["Retry-After"]


def test_a_clock_that_is_off_is_not_ready(
    graph: Graph, storage: Storage, rebuilder: BackgroundRebuilder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(graph, "clock_offset_seconds", lambda: -6.0)
    answer = ask(create_app(SETTINGS, graph, storage, rebuilder), "GET", "/readyz")
    assert answer.status_code == 503
    assert "clock" in answer.json["checks"]["neo4j"]


def test_a_graph_that_hangs_makes_no_other_part_look_silent(
    graph: Graph, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = threading.Event()
    monkeypatch.setattr(graph, "ping", lambda: answers.wait(30))
    monkeypatch.setattr(graph.events, "oldest_due_seconds", lambda: float(answers.wait(30)))
    monkeypatch.setattr("api.services.health._TIMEOUT_SECONDS", 1.5)
    checks = HealthChecks(graph, storage)
    for health in run_together(*[checks.check] * 8):
        assert not isinstance(health, Exception), health
        assert (health.neo4j, health.oldest_event_seconds) == ("no answer in time", None)
        assert (health.queue, health.cache, health.s3) == ("ok", "ok", "ok")
    answers.set()
