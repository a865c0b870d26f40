from http import HTTPStatus

import pytest
from flask import Flask
from flask.testing import FlaskClient
from structlog.testing import capture_logs

from graph import Graph
from operators.admin.app import create_admin_app
from storage import Storage
from tests.operators.admin.conftest import PASSWORD, basic, settings


def paths(app: Flask) -> list[tuple[str, str]]:
    """Every method and path that the app serves, with values for the parameters."""
    values = {
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
        (method, adapter.build(rule.endpoint, {k: values[k] for k in rule.arguments}, method))
        for rule in app.url_map.iter_rules()
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})
    ]


# Security 22
def test_every_page_needs_the_password(app: Flask, stranger: FlaskClient) -> None:
    all_paths = paths(app)
    assert len(all_paths) > 20
    for method, path in all_paths:
        response = stranger.open(path, method=method)
        assert (method, path, response.status_code) == (method, path, HTTPStatus.UNAUTHORIZED)
        assert response.headers["WWW-Authenticate"].startswith("Basic ")


# Security 22
def test_a_wrong_password_is_a_security_event_and_a_missing_one_is_not(
    stranger: FlaskClient,
) -> None:
    with capture_logs() as lines:
        stranger.get("/")
        stranger.get("/", headers=basic("a wrong password"))
        stranger.get("/", headers={"Authorization": "Basic !!!"})
    events = [line for line in lines if line.get("security")]
    assert [(line["event"], line["client"]) for line in events] == [
        ("admin-refused", "127.0.0.1")
    ] * 2
    assert "a wrong password" not in str(lines)


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


# Security 22
def test_after_ten_wrong_passwords_a_network_waits(
    graph: Graph, storage: Storage, stack_env: dict[str, str]
) -> None:
    app = create_admin_app(settings(), graph, storage, stack_env["QUEUE_REDIS_URL"])
    client = app.test_client()
    assert [client.get("/").status_code for _ in range(20)] == [HTTPStatus.UNAUTHORIZED] * 20
    guesses = [client.get("/", headers=basic(f"guess {n}")).status_code for n in range(12)]
    assert guesses == [HTTPStatus.UNAUTHORIZED] * 10 + [HTTPStatus.TOO_MANY_REQUESTS] * 2
    right = client.get("/metrics", headers=basic(PASSWORD))
    assert right.status_code == HTTPStatus.TOO_MANY_REQUESTS, "a right guess would show itself"
    assert 1 <= int(right.headers["Retry-After"]) <= 60
    elsewhere = {"REMOTE_ADDR": "192.0.2.7"}
    answer = client.get("/", headers=basic(PASSWORD), environ_overrides=elsewhere)
    assert answer.status_code == HTTPStatus.OK


@pytest.mark.parametrize(
    "other_site",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},  # another port of this machine
        {"Origin": "http://evil.example"},
        {"Origin": "http://localhost:3000"},
        {"Origin": "null"},
    ],
)
def test_requests_from_another_site_change_nothing(
    app: Flask, stranger: FlaskClient, other_site: dict[str, str]
) -> None:
    changing = [(method, path) for method, path in paths(app) if method == "POST"]
    assert len(changing) > 4
    for method, path in changing:
        response = stranger.open(path, method=method, headers={**basic(PASSWORD), **other_site})
        assert (path, response.status_code) == (path, HTTPStatus.FORBIDDEN)


@pytest.mark.parametrize(
    "headers", [{}, {"Origin": "http://localhost"}, {"Sec-Fetch-Site": "none"}]
)
def test_the_apps_own_pages_and_curl_can_change(
    stranger: FlaskClient, headers: dict[str, str]
) -> None:
    response = stranger.post("/events/1/requeue", headers={**basic(PASSWORD), **headers})
    assert response.status_code == HTTPStatus.NOT_FOUND


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_requeue_all_refuses_get_requests(operator: FlaskClient, method: str) -> None:
    response = operator.open("/rq/requeue/photos", method=method)
    assert response.status_code == HTTPStatus.METHOD_NOT_ALLOWED


def test_no_page_can_be_framed_or_cached(operator: FlaskClient) -> None:
    for path in ("/", "/rq/", "/metrics", "/events", "/events?state=quarantined"):
        response = operator.get(path)
        assert response.status_code == HTTPStatus.OK
        assert "frame-ancestors 'none'" in response.headers["Content-Security-Policy"]
        assert response.headers["Cache-Control"] == "no-store"
        assert response.headers["X-Content-Type-Options"] == "nosniff"


# Security 22
def test_no_page_shows_a_password(operator: FlaskClient, stack_env: dict[str, str]) -> None:
    secret = stack_env["QUEUE_REDIS_URL"].rpartition("@")[0].rpartition(":")[2]
    assert len(secret) > 4
    for path in ("/", "/rq/", "/rq/0/view/workers", "/rq/0/view/jobs"):
        assert secret not in operator.get(path).text
