import io
import json
from typing import Any

import pytest
from flask import Flask

from api.app import create_app
from feed.background import BackgroundRebuilder
from graph import Graph
from storage import Storage
from tests.api.conftest import SETTINGS
from tests.support.people import Builders, Person, assert_problem, call_api
from tests.support.transports import ApiResponse

JSON = "application/json"
CHUNKED = {"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"}


@pytest.fixture(scope="module")
def person(builders: Builders) -> Person:
    return builders.new_user()


def send(person: Person, data: bytes, content_type: str | None = JSON, **more: Any) -> ApiResponse:
    return person.patch("/v1/me", data=data, content_type=content_type, **more)


def test_an_unknown_path_is_a_problem(app: Flask) -> None:
    for path in ("/", "/v1", "/v1/me/", "//v1/me", "/v1/users/x", "/v1/me/sessions/-1"):
        assert_problem(call_api(app, "GET", path), 404, "not-found")


def test_a_wrong_method_is_405_with_the_allowed_ones(app: Flask) -> None:
    response = call_api(app, "PUT", "/v1/accounts")
    assert_problem(response, 405, "method-not-allowed")
    assert set(response.headers["Allow"].split(", ")) == {"POST", "OPTIONS"}


# Security 11
@pytest.mark.parametrize(
    "data",
    [b"{", b"", b"nope", b'{"name": NaN}', b'{"name": "\xff"}', b'{"name": "\\ud800"}',
     b'{"\\ud800": 1}', b'{"name": "\xed\xa0\x80"}', b"\xef\xbb\xbf{}",
     '{"name": "a"}'.encode("utf-16-le"), b"[" * 60_000, b'{"a":' * 10_000,
     b'{"name": %s}' % (b"9" * 6_000)],
)  # fmt: skip
def test_malformed_and_deeply_nested_json_is_400(person: Person, data: bytes) -> None:
    assert_problem(send(person, data), 400, "malformed-json")


# Security 11
@pytest.mark.parametrize("data", [b"[]", b"null", b'"name"', b"7", b"true"])
def test_json_other_than_an_object_is_422(person: Person, data: bytes) -> None:
    assert_problem(send(person, data), 422, "invalid-fields")


# Security 11
@pytest.mark.parametrize(
    "content_type",
    [None, "text/plain", "application/x-www-form-urlencoded", "multipart/form-data",
     "application/json; charset=latin-1", "application/jsonx", "application/xml"],
)  # fmt: skip
def test_a_body_without_the_json_media_type_is_415(
    person: Person, content_type: str | None
) -> None:
    response = send(person, b'{"name": "Ana"}', content_type)
    assert_problem(response, 415, "unsupported-media-type")


# Security 11
def test_a_compressed_body_is_415(person: Person) -> None:
    response = send(person, b"\x1f\x8b", headers={"Content-Encoding": "gzip"})
    assert_problem(response, 415, "unsupported-media-type")


# Security 11
def test_a_body_in_chunks_without_the_json_media_type_is_415(person: Person) -> None:
    for content_type, headers in (("text/plain", {}), (JSON, {"HTTP_CONTENT_ENCODING": "gzip"})):
        response = person.patch(
            "/v1/me",
            input_stream=io.BytesIO(b'{"name": "Ana"}'),
            content_type=content_type,
            environ_overrides={**CHUNKED, **headers},
        )
        assert_problem(response, 415, "unsupported-media-type")


def test_a_charset_of_utf_8_is_accepted(person: Person) -> None:
    response = send(person, '{"name": "Aña"}'.encode(), "application/json; charset=UTF-8")
    assert response.json["name"] == "Aña"


# Security 11
def test_a_body_of_more_than_64_kb_is_413(person: Person) -> None:
    body = json.dumps({"bio": "x" * 70_000}).encode()
    assert_problem(send(person, body), 413, "body-too-large")


# Security 11
def test_a_body_of_more_than_64_kb_in_chunks_is_413(person: Person) -> None:
    body = json.dumps({"bio": "x" * 70_000}).encode()
    response = person.patch(
        "/v1/me", input_stream=io.BytesIO(body), content_type=JSON, environ_overrides=CHUNKED
    )
    assert_problem(response, 413, "body-too-large")


# Security 11
def test_of_a_body_in_chunks_no_more_than_64_kb_are_read(app: Flask, person: Person) -> None:
    body = io.BytesIO(b" " * 10_000_000)
    response: Any = app.test_client().patch(
        "/v1/me",
        input_stream=body,
        content_type=JSON,
        headers={"Authorization": f"Bearer {person.token}"},
        environ_overrides=CHUNKED,
    )
    assert_problem(response, 413, "body-too-large")
    assert body.tell() <= 65_536 + 1


def test_a_body_of_64_kb_is_read(person: Person) -> None:
    body = json.dumps({"bio": "x" * 65_525}).encode()
    assert len(body) == 65_536
    assert list(assert_problem(send(person, body), 422, "invalid-fields")["errors"]) == ["bio"]


# Security 11
@pytest.mark.parametrize(
    "headers",
    [
        {"X-Huge": "x" * 20_000},
        {f"X-{number}": "x" * 4_000 for number in range(5)},
        {f"X-{'x' * 4_000}-{number}": "1" for number in range(5)},
    ],
    ids=["one", "many values", "many names"],
)
def test_huge_headers_are_431(app: Flask, headers: dict[str, str]) -> None:
    response = call_api(app, "GET", "/livez", headers=headers)
    assert_problem(response, 431, "request-header-fields-too-large")


# Security 10
def test_unknown_fields_are_422_with_their_names(builders: Builders, person: Person) -> None:
    body = {"name": "Ana", "admin": True}
    assert list(
        assert_problem(person.patch("/v1/me", json=body), 422, "invalid-fields")["errors"]
    ) == ["admin"]
    draft = builders.draft(person, location={"name": "Sea", "depth": 3})
    response = person.post("/v1/me/feed", json=draft, headers={"Idempotency-Key": "k"})
    assert list(assert_problem(response, 422, "invalid-fields")["errors"]) == ["location.depth"]
    response = person.get("/v1/me/feed?page=2")
    assert list(assert_problem(response, 422, "invalid-fields")["errors"]) == ["page"]


@pytest.mark.parametrize("limit", ["0", "101", "-1", "x", "1.5", "", "1e2", "9" * 5000])
def test_a_limit_is_1_to_100(person: Person, limit: str) -> None:
    response = person.get(f"/v1/me/feed?limit={limit}")
    assert list(assert_problem(response, 422, "invalid-fields")["errors"]) == ["limit"]


@pytest.mark.parametrize("some_id", ["9007199254740993", "007", "1" * 17, "٣", "1.0"])
def test_an_invalid_id_in_a_path_is_404(person: Person, some_id: str) -> None:
    assert_problem(person.get(f"/v1/posts/{some_id}"), 404, "not-found")


# Security 10
@pytest.mark.parametrize("some_id", ["9007199254740993", "007", "x", "", "-1", 7, None, "٣"])
def test_an_invalid_id_in_a_body_is_422(person: Person, some_id: object) -> None:
    response = person.post(
        "/v1/me/feed", json={"photo_ids": [some_id]}, headers={"Idempotency-Key": "k"}
    )
    assert list(assert_problem(response, 422, "invalid-fields")["errors"]) == ["photo_ids.0"]


def test_every_response_has_a_request_id_or_that_of_the_client(app: Flask) -> None:
    assert call_api(app, "GET", "/livez").headers["X-Request-Id"]
    response = call_api(app, "GET", "/livez", headers={"X-Request-Id": "trace-1.a_B"})
    assert response.headers["X-Request-Id"] == "trace-1.a_B"


@pytest.mark.parametrize("sent", ["", "x" * 65, "a b", 'a"b', "a,b", "é"])
def test_an_invalid_request_id_is_replaced(app: Flask, sent: str) -> None:
    headers = {"X-Request-Id": sent}
    response = call_api(app, "GET", "/livez", headers=headers)
    assert response.headers["X-Request-Id"] not in {"", sent}


# Security 11
def test_a_bug_is_logged_with_its_trace_and_returned_without_it(
    graph: Graph,
    storage: Storage,
    rebuilder: BackgroundRebuilder,
    capfd: pytest.CaptureFixture[str],
) -> None:
    app = create_app(SETTINGS, graph, storage, rebuilder)

    @app.get("/bug")
    def fail() -> str:
        raise ZeroDivisionError("a secret of ours")

    response = call_api(app, "GET", "/bug")
    assert_problem(response, 500, "internal-error")
    assert "secret of ours" not in response.text
    log = "".join(capfd.readouterr())
    assert "ZeroDivisionError" in log
    assert response.headers["X-Request-Id"] in log


def test_responses_have_the_security_headers(person: Person) -> None:
    headers = person.get("/v1/me").headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert headers["Cache-Control"] == "private, no-cache"


def test_answers_with_secrets_and_devices_are_in_no_cache(builders: Builders) -> None:
    person = builders.new_user()
    for path in ("/v1/me/sessions", "/v1/me/push-subscriptions", "/v1/accounts"):
        assert person.get(path).headers["Cache-Control"] == "no-store"
    for path in ("/v1/me/feed", "/v1/me", "/v1/me/photos"):
        assert person.get(path).headers["Cache-Control"] == "private, no-cache"


def test_a_response_without_a_body_has_no_content_type(person: Person) -> None:
    response = person.delete("/v1/me/blocks/1")
    assert (response.status_code, response.data) == (204, b"")
    assert "Content-Type" not in response.headers


def test_an_empty_body_of_another_status_has_no_content_type_either(
    app: Flask, builders: Builders
) -> None:
    person, other = builders.new_user(), builders.new_user()
    reported = person.post("/v1/reports", json={"user_id": str(other.id), "reason": "spam"})
    assert (reported.status_code, reported.data) == (202, b"")
    options = call_api(app, "OPTIONS", "/v1/me")
    assert (options.status_code, options.data) == (200, b"")
    for response in (reported, options):
        assert "Content-Type" not in response.headers
    etag = person.get("/v1/me/feed").headers["ETag"]
    unchanged = person.get("/v1/me/feed", headers={"If-None-Match": etag})
    assert unchanged.status_code == 304
    assert "Content-Type" not in unchanged.headers


def test_what_has_a_body_has_its_content_type(app: Flask, person: Person) -> None:
    assert person.get("/v1/me").headers["Content-Type"] == "application/json"
    page = call_api(app, "GET", "/docs")
    assert page.headers["Content-Type"].startswith("text/html")
    file = call_api(app, "GET", "/docs/assets/swagger-ui.css")
    assert file.headers["Content-Type"].startswith("text/css")
    head = call_api(app, "HEAD", "/livez")
    assert head.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/v1/me"), ("POST", "/v1/sessions"), ("GET", "/v1/me/feed"), ("POST", "/v1/accounts")],
)
def test_without_the_graph_it_is_503_with_retry_after(
    app_without_graph: Flask, builders: Builders, storage: Storage, method: str, path: str
) -> None:
    person = builders.new_user()
    storage.sessions.drop(person.id, [_session_id(person)])
    body = {"username": person.username, "password": "a long password"}
    person = person.on(app_without_graph)
    response = person.call(method, path, **({"json": body} if method == "POST" else {}))
    assert_problem(response, 503, "graph-unavailable")


def _session_id(person: Person) -> int:
    return int(person.get("/v1/me/sessions").json["sessions"][0]["id"])
