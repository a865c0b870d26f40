"""The API document, held against what the app returns."""

import functools
import re
from collections.abc import Iterator
from typing import Any

from flask import Flask
from openapi_schema_validator import OAS31Validator, oas31_format_checker
from werkzeug.exceptions import HTTPException
from werkzeug.test import TestResponse

METHODS = ("get", "post", "put", "patch", "delete")

UNLISTED = {405, 413, 415, 431, 500}
"""Statuses that the document leaves to `default`, where an operation does not list them."""


@functools.cache
def document_of(app: Flask) -> dict[str, Any]:
    document: dict[str, Any] = app.test_client().get("/openapi.json").json or {}
    return document


def operations_of(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The operations by method and path: `GET /v1/me`."""
    return {
        f"{method.upper()} {path}": operation
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if method in METHODS
    }


def resolved(document: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    """The node that a reference leads to, or the node itself."""
    while "$ref" in node:
        target: Any = document
        for step in node["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        node = target
    return node


def media_of(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every body of every operation, with its place."""
    for name, operation in operations_of(document).items():
        bodies = {**operation["responses"], "request": operation.get("requestBody", {})}
        for place, body in bodies.items():
            for kind, media in resolved(document, body).get("content", {}).items():
                yield f"{name} {place} {kind}", media


def assert_valid(document: dict[str, Any], schema: dict[str, Any], value: Any) -> None:
    """Asserts that a schema of the document allows the value."""
    schema = {**schema, "components": document["components"]}
    validator = OAS31Validator(schema, format_checker=oas31_format_checker)
    assert [error.message for error in validator.iter_errors(value)] == [], value


def assert_documented(app: Flask, response: TestResponse) -> None:
    """Asserts that the document lists this status with this body, or this code of a problem."""
    document = document_of(app)
    operation = _operation_of(app, response)
    if operation is None:
        return
    listed = operation["responses"].get(str(response.status_code))
    if listed is None:
        assert response.status_code in UNLISTED, (response.status_code, response.text)
        return
    documented = resolved(document, listed)
    for name, header in documented.get("headers", {}).items():
        assert name in response.headers or not header.get("required"), name
    media = documented.get("content", {}).get(response.mimetype)
    if media is None:
        assert (response.data, documented.get("content", {})) == (b"", {}), response.text
        return
    assert_valid(document, media["schema"], response.json)
    if response.mimetype == "application/problem+json":
        assert (response.json or {})["code"] in media["examples"], response.text


def _operation_of(app: Flask, response: TestResponse) -> dict[str, Any] | None:
    """The operation of the request; None for a path that is not in the document."""
    request = response.request
    try:
        rule, _ = app.url_map.bind("").match(request.path, request.method, return_rule=True)
    except HTTPException:
        return None
    path = re.sub(r"<\w+:(\w+)>", r"{\1}", rule.rule)
    return operations_of(document_of(app)).get(f"{request.method} {path}")
