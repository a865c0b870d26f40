"""The document says what the app does: it is valid, and every refusal in it is a problem."""

from typing import Any

import pytest
from flask import Flask
from openapi_spec_validator import OpenAPIV31SpecValidator

from tests.structure.test_routes import PUBLIC
from tests.support.bare_app import bare_app

METHODS = ("get", "post", "put", "patch", "delete")

CONTRACT = {
    "POST /v1/accounts", "POST /v1/sessions", "GET /v1/me/sessions",
    "DELETE /v1/me/sessions/{session_id}", "DELETE /v1/me/sessions/current",
    "GET /v1/me", "PATCH /v1/me", "GET /v1/users", "GET /v1/users/{user_id}",
    "GET /v1/users/{user_id}/posts", "GET /v1/users/{user_id}/followers",
    "GET /v1/users/{user_id}/following", "PUT /v1/me/following/{user_id}",
    "DELETE /v1/me/following/{user_id}", "GET /v1/me/following", "GET /v1/me/followers",
    "DELETE /v1/me/followers/{user_id}", "PUT /v1/me/blocks/{user_id}",
    "DELETE /v1/me/blocks/{user_id}", "GET /v1/me/blocks", "POST /v1/me/photos",
    "POST /v1/me/photos/{photo_id}/complete", "GET /v1/me/photos/{photo_id}",
    "POST /v1/me/feed", "GET /v1/me/feed", "GET /v1/me/feed/unread", "PUT /v1/me/feed/position",
    "GET /v1/posts/{post_id}",
    "DELETE /v1/posts/{post_id}", "GET /livez", "GET /readyz",
}  # fmt: skip


@pytest.fixture(scope="module")
def app() -> Flask:
    return bare_app()


@pytest.fixture(scope="module")
def document(app: Flask) -> dict[str, Any]:
    found: dict[str, Any] = app.test_client().get("/openapi.json").json or {}
    return found


@pytest.fixture(scope="module")
def operations(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        f"{method.upper()} {path}": operation
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if method in METHODS
    }


def resolved(document: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in node:
        found: Any = document
        for step in node["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        node = found
    return node


def test_the_document_is_valid_openapi_3_1(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1")
    assert list(OpenAPIV31SpecValidator(document).iter_errors()) == []


def test_the_document_has_the_calls_of_the_contract_and_no_other(
    operations: dict[str, dict[str, Any]],
) -> None:
    assert set(operations) == CONTRACT


def test_every_refusal_is_documented_as_a_problem(
    document: dict[str, Any], operations: dict[str, dict[str, Any]]
) -> None:
    for name, operation in operations.items():
        refusals = {
            status: resolved(document, response)
            for status, response in operation["responses"].items()
            if status == "default" or status >= "400"
        }
        assert "default" in refusals, name
        for status, response in refusals.items():
            if (name, status) == ("GET /readyz", "503"):
                continue  # says which store is down, for who watches over us
            content = response["content"]
            assert list(content) == ["application/problem+json"], (name, status)
            schema = resolved(document, content["application/problem+json"]["schema"])
            assert {"type", "title", "status", "detail", "code", "request_id"} <= set(
                schema["required"]
            )


def test_what_needs_a_token_says_so(app: Flask, operations: dict[str, dict[str, Any]]) -> None:
    for rule in app.url_map.iter_rules():
        path = rule.rule.replace("<id:", "{").replace(">", "}")
        for method in (rule.methods or set()) & {name.upper() for name in METHODS}:
            operation = operations.get(f"{method} {path}")
            if operation is not None:
                needs = operation.get("security") == [{"bearer": []}]
                assert needs == (rule.endpoint not in PUBLIC), (method, path)
                assert needs <= ("401" in operation["responses"])


def test_every_call_has_a_summary_and_ids_are_text(
    document: dict[str, Any], operations: dict[str, dict[str, Any]]
) -> None:
    for name, operation in operations.items():
        assert operation["summary"].endswith("."), name
    for schema in document["components"]["schemas"].values():
        for name, field in schema.get("properties", {}).items():
            if name == "id":
                assert field["type"] == "string"


def test_calls_that_make_something_once_take_a_key(
    operations: dict[str, dict[str, Any]],
) -> None:
    for name, required in (("POST /v1/me/feed", True), ("POST /v1/me/photos", False)):
        keys = [
            parameter
            for parameter in operations[name]["parameters"]
            if parameter["name"] == "Idempotency-Key"
        ]
        assert [key["required"] for key in keys] == [required]


def test_a_feed_may_say_which_store_it_was_answered_without(
    operations: dict[str, dict[str, Any]],
) -> None:
    headers = operations["GET /v1/me/feed"]["responses"]["200"]["headers"]
    assert set(headers["Photofeed-Degraded"]["schema"]["enum"]) == {"graph", "cache"}


def test_the_page_that_shows_it_asks_nobody_else(app: Flask) -> None:
    client = app.test_client()
    page = client.get("/docs")
    assert page.status_code == 200
    policy = page.headers["Content-Security-Policy"]
    assert "script-src 'self';" in policy
    assert "http" not in page.text.replace("https://www.w3.org", "")
    for path in ("start.js", "assets/swagger-ui-bundle.js", "assets/swagger-ui.css"):
        answer = client.get(f"/docs/{path}")
        assert answer.status_code == 200
        assert f'"/docs/{path}"' in page.text
        answer.close()
    assert client.get("/docs/assets/../__init__.py").status_code == 404
    assert client.get("/docs/assets/nothing.js").content_type == "application/problem+json"
