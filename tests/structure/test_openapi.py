"""The document does what tools and readers need: valid, whole, with ids, examples and errors."""

import importlib
import pkgutil
import re
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from marshmallow import Schema, fields
from openapi_spec_validator import OpenAPIV31SpecValidator

import api.schemas
from api.http import guesses, limits
from api.http.errors import ERROR_RESPONSES
from api.http.openapi.document import QUOTAS
from api.http.openapi.operations import operation_id
from api.http.openapi.problems import problem_of
from api.schemas.examples import MissingExampleError, example_of
from storage.limits import Policy
from tests.structure.test_routes import PUBLIC
from tests.support.bare_app import bare_app
from tests.support.document import (
    METHODS,
    assert_valid,
    document_of,
    media_of,
    operations_of,
    resolved,
)

CONTRACT = {
    "POST /v1/accounts", "POST /v1/sessions", "GET /v1/me/sessions",
    "DELETE /v1/me/sessions/{session_id}", "DELETE /v1/me/sessions/current",
    "GET /v1/me", "PATCH /v1/me", "DELETE /v1/me", "POST /v1/me/restore",
    "GET /v1/users", "GET /v1/users/{user_id}",
    "GET /v1/users/{user_id}/posts", "GET /v1/users/{user_id}/followers",
    "GET /v1/users/{user_id}/following", "PUT /v1/me/following/{user_id}",
    "DELETE /v1/me/following/{user_id}", "GET /v1/me/following", "GET /v1/me/followers",
    "DELETE /v1/me/followers/{user_id}", "PUT /v1/me/blocks/{user_id}",
    "DELETE /v1/me/blocks/{user_id}", "GET /v1/me/blocks", "POST /v1/me/photos",
    "GET /v1/me/photos", "DELETE /v1/me/photos/{photo_id}",
    "POST /v1/me/photos/{photo_id}/complete", "GET /v1/me/photos/{photo_id}",
    "POST /v1/me/feed", "GET /v1/me/feed", "GET /v1/me/feed/unread", "PUT /v1/me/feed/position",
    "GET /v1/me/notifications", "GET /v1/me/notifications/unread",
    "PUT /v1/me/notifications/position", "GET /v1/me/notification-settings",
    "PATCH /v1/me/notification-settings",
    "GET /v1/push/key", "POST /v1/me/push-subscriptions", "GET /v1/me/push-subscriptions",
    "DELETE /v1/me/push-subscriptions/{subscription_id}",
    "GET /v1/posts/{post_id}", "POST /v1/reports",
    "DELETE /v1/posts/{post_id}", "POST /v1/me/live/tickets", "GET /v1/live",
    "POST /v1/me/exports", "GET /v1/me/exports", "GET /v1/me/exports/{export_id}",
    "GET /livez", "GET /readyz",
}  # fmt: skip


VERBS = {
    "block", "check", "complete", "count", "create", "delete", "end", "find", "follow", "get",
    "list", "publish", "read", "remove", "restore", "set", "unblock", "unfollow", "update",
}  # fmt: skip
"""An operation's id begins with one of these."""

LONGEST_SUMMARY = 80
"""Characters: a summary is a line in a list."""

Operations = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def app() -> Flask:
    return bare_app()


@pytest.fixture(scope="module")
def document(app: Flask) -> dict[str, Any]:
    return document_of(app)


@pytest.fixture(scope="module")
def operations(document: dict[str, Any]) -> Operations:
    return operations_of(document)


def codes_of(document: dict[str, Any], operation: dict[str, Any]) -> set[str]:
    """The codes of every problem that the operation lists."""
    responses = [resolved(document, response) for response in operation["responses"].values()]
    media = [one.get("content", {}).get("application/problem+json", {}) for one in responses]
    return {code for one in media for code in one.get("examples", {})}


def references_in(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for name, below in node.items():
            if name == "$ref":
                yield below
            yield from references_in(below)
    if isinstance(node, list):
        for below in node:
            yield from references_in(below)


def schemas() -> list[type[Schema]]:
    """Every schema of api/schemas."""
    modules = [
        importlib.import_module(f"api.schemas.{module.name}")
        for module in pkgutil.iter_modules(api.schemas.__path__)
    ]
    return [
        value
        for module in modules
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Schema) and value is not Schema
    ]


def test_the_document_is_valid_openapi_3_1(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1")
    assert list(OpenAPIV31SpecValidator(document).iter_errors()) == []


def test_the_document_has_the_calls_of_the_contract_and_no_other(operations: Operations) -> None:
    assert set(operations) == CONTRACT


def test_every_operation_has_an_id_of_its_own_that_begins_with_a_verb(
    operations: Operations,
) -> None:
    ids = [operation["operationId"] for operation in operations.values()]
    assert len(set(ids)) == len(ids)
    for one in ids:
        assert re.fullmatch(r"[a-z]+([A-Z][a-z]+)+", one), one
        assert re.findall(r"^[a-z]+", one)[0] in VERBS, one


def test_the_id_of_an_operation_is_the_name_of_its_view(app: Flask, operations: Operations) -> None:
    for rule in app.url_map.iter_rules():
        path = re.sub(r"<\w+:(\w+)>", r"{\1}", rule.rule)
        for method in rule.methods or ():
            if operation := operations.get(f"{method} {path}"):
                view = app.view_functions[rule.endpoint].__name__
                assert operation["operationId"] == operation_id(view)


def test_every_operation_has_a_summary_of_one_line_and_a_description(
    operations: Operations,
) -> None:
    for name, operation in operations.items():
        summary = operation["summary"]
        assert summary.endswith("."), name
        assert "\n" not in summary, name
        assert len(summary) <= LONGEST_SUMMARY, name
        described = operation["description"].partition("**Paging**")[0].partition("**Errors**")[0]
        assert described.strip().endswith("."), name


def test_what_changes_something_says_whether_it_can_be_repeated(operations: Operations) -> None:
    for name, operation in operations.items():
        reads = name.startswith("GET ")
        assert ("**Retries**" in operation["description"]) != reads, name


def test_every_problem_of_an_operation_is_described(
    document: dict[str, Any], operations: Operations
) -> None:
    for name, operation in operations.items():
        text = operation["description"] + document["info"]["description"]
        assert {code for code in codes_of(document, operation) if f"`{code}`" not in text} == set()
        assert codes_of(document, operation), name


def test_every_error_of_the_table_is_documented_somewhere(
    document: dict[str, Any], operations: Operations
) -> None:
    documented = {code for one in operations.values() for code in codes_of(document, one)}
    assert {problem_of(error).code for error in ERROR_RESPONSES} <= documented


def test_every_quota_is_described(document: dict[str, Any]) -> None:
    values = (*vars(limits).values(), *vars(guesses).values())
    policies = {value for value in values if isinstance(value, Policy)}
    assert policies == QUOTAS.keys()
    assert all(f"`{policy.name}`: " in document["info"]["description"] for policy in policies)


def test_paging_is_described_where_there_are_pages(operations: Operations) -> None:
    for name, operation in operations.items():
        parameters = {parameter["name"] for parameter in operation.get("parameters", ())}
        paged = "cursor" in parameters
        assert ("**Paging**" in operation["description"]) == paged, name
        assert not paged or "Link" in operation["responses"]["200"]["headers"], name


def test_every_tag_is_described_and_used(document: dict[str, Any], operations: Operations) -> None:
    described = {tag["name"]: tag["description"] for tag in document["tags"]}
    assert all(text.endswith(".") for text in described.values())
    assert {tag for operation in operations.values() for tag in operation["tags"]} == set(described)


def test_every_component_is_used(document: dict[str, Any]) -> None:
    components = {
        f"#/components/{kind}/{name}"
        for kind, members in document["components"].items()
        for name in members
        if kind != "securitySchemes"
    }
    assert components == set(references_in(document))


def test_every_json_body_has_an_example_that_its_schema_allows(document: dict[str, Any]) -> None:
    for place, media in media_of(document):
        several = [example["value"] for example in media.get("examples", {}).values()]
        examples = [media["example"]] if "example" in media else several
        assert examples or place.endswith("default application/problem+json"), place
        for example in examples:
            assert_valid(document, media["schema"], example)


@pytest.mark.parametrize("schema", schemas(), ids=lambda schema: schema.__name__)
def test_a_schema_loads_its_own_example(schema: type[Schema]) -> None:
    assert schema().load(example_of(schema()))


def test_a_required_field_without_an_example_is_named() -> None:
    schema = Schema.from_dict({"name": fields.String(required=True)}, name="Nameless")
    with pytest.raises(MissingExampleError, match=r"Nameless.*\.name"):
        example_of(schema())


def test_every_refusal_is_documented_as_a_problem(
    document: dict[str, Any], operations: Operations
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
                continue  # its body names the store that is down
            content = response["content"]
            assert list(content) == ["application/problem+json"], (name, status)
            schema = resolved(document, content["application/problem+json"]["schema"])
            assert {"type", "title", "status", "detail", "code", "request_id"} <= set(
                schema["required"]
            )


def test_what_needs_a_token_says_so_and_what_does_not_says_that(
    app: Flask, operations: Operations
) -> None:
    for rule in app.url_map.iter_rules():
        path = rule.rule.replace("<id:", "{").replace(">", "}")
        for method in (rule.methods or set()) & {name.upper() for name in METHODS}:
            operation = operations.get(f"{method} {path}")
            if operation is not None:
                public = rule.endpoint in PUBLIC
                assert operation["security"] == ([] if public else [{"bearer": []}]), path
                assert public or "401" in operation["responses"]


def test_ids_are_text(document: dict[str, Any]) -> None:
    for schema in document["components"]["schemas"].values():
        for name, field in schema.get("properties", {}).items():
            if name == "id":
                assert field["type"] == "string"


def test_fields_that_need_each_other_say_so(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    needs = {
        name: one["dependentRequired"]
        for name, one in schemas.items()
        if "dependentRequired" in one
    }
    assert needs == {
        "Location": {"latitude": ["longitude"], "longitude": ["latitude"]},
        "ProfileChanges": {"password": ["current_password"], "current_password": ["password"]},
    }


def test_the_photos_of_a_post_are_different_ones(document: dict[str, Any]) -> None:
    assert document["components"]["schemas"]["NewPost"]["properties"]["photo_ids"]["uniqueItems"]


def test_calls_that_make_something_once_take_a_key(
    operations: Operations,
) -> None:
    for name, required in (("POST /v1/me/feed", True), ("POST /v1/me/photos", False)):
        keys = [
            parameter
            for parameter in operations[name]["parameters"]
            if parameter["name"] == "Idempotency-Key"
        ]
        assert [key["required"] for key in keys] == [required]


def test_a_feed_may_say_which_store_it_was_answered_without(
    operations: Operations,
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
