from http import HTTPStatus

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.operators.admin.conftest import PASSWORD, basic


def paths(app: Flask) -> list[tuple[str, str]]:
    """Every method and path that the app serves, with something put in for the parameters."""
    given = {
        "instance_number": 0,
        "queue_name": "photos",
        "registry_name": "queued",
        "job_id": "none",
        "per_page": 8,
        "order": "asc",
        "page": 1,
        "filename": "favicon.ico",
        "event_id": 1,
    }
    adapter = app.url_map.bind("localhost")
    return [
        (method, adapter.build(rule.endpoint, {k: given[k] for k in rule.arguments}, method))
        for rule in app.url_map.iter_rules()
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})
    ]


def test_every_page_asks_for_the_password(app: Flask, stranger: FlaskClient) -> None:
    asked = paths(app)
    assert len(asked) > 20
    for method, path in asked:
        answer = stranger.open(path, method=method)
        assert (method, path, answer.status_code) == (method, path, HTTPStatus.UNAUTHORIZED)
        assert answer.headers["WWW-Authenticate"].startswith("Basic ")


@pytest.mark.parametrize(
    "headers",
    [
        basic("wrong"),
        basic(""),
        basic(PASSWORD, user="root"),
        basic(PASSWORD + "x"),
        {"Authorization": "Bearer " + PASSWORD},
        {"Authorization": "Basic !!!"},
    ],
)
def test_a_wrong_log_in_is_refused(stranger: FlaskClient, headers: dict[str, str]) -> None:
    assert stranger.get("/metrics", headers=headers).status_code == HTTPStatus.UNAUTHORIZED


@pytest.mark.parametrize(
    "from_elsewhere",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},  # another port of this machine
        {"Origin": "http://evil.example"},
        {"Origin": "http://localhost:3000"},
        {"Origin": "null"},
    ],
)
def test_another_sites_page_cannot_change_anything(
    app: Flask, stranger: FlaskClient, from_elsewhere: dict[str, str]
) -> None:
    changing = [(method, path) for method, path in paths(app) if method == "POST"]
    assert len(changing) > 4
    for method, path in changing:
        answer = stranger.open(path, method=method, headers={**basic(PASSWORD), **from_elsewhere})
        assert (path, answer.status_code) == (path, HTTPStatus.FORBIDDEN)


@pytest.mark.parametrize("ours", [{}, {"Origin": "http://localhost"}, {"Sec-Fetch-Site": "none"}])
def test_our_own_pages_and_curl_can(stranger: FlaskClient, ours: dict[str, str]) -> None:
    answer = stranger.post("/events/1/requeue", headers={**basic(PASSWORD), **ours})
    assert answer.status_code == HTTPStatus.NOT_FOUND


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_requeueing_all_needs_more_than_a_link(operator: FlaskClient, method: str) -> None:
    answer = operator.open("/rq/requeue/photos", method=method)
    assert answer.status_code == HTTPStatus.METHOD_NOT_ALLOWED


def test_no_page_can_be_framed_or_kept(operator: FlaskClient) -> None:
    for path in ("/", "/rq/", "/metrics", "/events", "/events?state=quarantined"):
        answer = operator.get(path)
        assert answer.status_code == HTTPStatus.OK
        assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_no_page_shows_a_password(operator: FlaskClient, stack_env: dict[str, str]) -> None:
    secret = stack_env["QUEUE_REDIS_URL"].rpartition("@")[0].rpartition(":")[2]
    assert len(secret) > 4
    for path in ("/", "/rq/", "/rq/0/view/workers", "/rq/0/view/jobs"):
        assert secret not in operator.get(path).text
