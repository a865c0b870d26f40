import json
import re
import secrets
from typing import Any

from flask import Flask
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from graph import Graph
from tests.support.people import Builders, call_api, send_post
from tests.support.town import Town


def count(**labels: str) -> float:
    return REGISTRY.get_sample_value("photofeed_requests_total", labels) or 0


# Security 2
def test_each_request_is_one_log_line_with_its_route_and_no_query(builders: Builders) -> None:
    person = builders.new_user()
    with capture_logs() as lines:
        response = person.get(f"/v1/users/{person.id}/posts?limit=3")
    requests: list[Any] = [line for line in lines if line["event"] == "request"]
    assert len(requests) == 1
    line = requests[0]
    assert (line["method"], line["route"]) == ("GET", "/v1/users/<id:user_id>/posts")
    assert (line["path"], line["status"]) == (f"/v1/users/{person.id}/posts", 200)
    assert "limit" not in json.dumps(line)
    assert response.headers["X-Request-Id"]


def test_requests_are_counted_by_route_and_not_by_path(app: Flask) -> None:
    labels = {"method": "GET", "route": "(none)", "status": "404"}
    before = count(**labels)
    for _ in range(3):
        call_api(app, "GET", f"/{secrets.token_hex(4)}")
    assert count(**labels) == before + 3


def test_invented_methods_share_a_label(app: Flask) -> None:
    labels = {"method": "(other)", "route": "(none)", "status": "405"}
    before = count(**labels)
    for _ in range(3):
        call_api(app, secrets.token_hex(4).upper(), "/livez")
    assert count(**labels) == before + 3


def test_the_duration_of_requests_is_measured(app: Flask) -> None:
    name, labels = "photofeed_request_seconds_count", {"method": "GET", "route": "/livez"}
    before = REGISTRY.get_sample_value(name, labels) or 0
    call_api(app, "GET", "/livez")
    assert REGISTRY.get_sample_value(name, labels) == before + 1


def test_events_carry_the_id_of_their_request(builders: Builders, graph: Graph) -> None:
    ana = builders.new_user()
    response = send_post(ana, builders.draft(ana))
    [event] = Town(graph).events_of(ana.id)
    assert event.request_id == response.headers["X-Request-Id"]
    assert re.fullmatch(r"[0-9a-f]{32}", response.headers["X-Request-Id"])
