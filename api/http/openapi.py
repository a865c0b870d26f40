"""The OpenAPI document, made from the code."""

from typing import Any

from flask import Flask, Response
from flask_smorest import Api
from werkzeug.exceptions import HTTPException

from api.http.auth import SCHEME
from api.http.errors import http_problem
from api.http.problems import CONTENT_TYPE
from api.schemas.paths import IdConverter, documented
from api.schemas.problems import ProblemSchema

CONFIG: dict[str, Any] = {
    "API_TITLE": "Photofeed",
    "API_VERSION": "v1",
    "OPENAPI_VERSION": "3.1.0",
    "OPENAPI_URL_PREFIX": "/",
    "OPENAPI_JSON_PATH": "openapi.json",
    "API_SPEC_OPTIONS": {
        "info": {
            "description": "Share photos, follow people, read their posts newest first. "
            "Every refusal is a problem (RFC 9457) with a stable `code`.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/"}],
    },
}


class DocumentedApi(Api):  # type: ignore[misc]  # flask-smorest is untyped
    """flask-smorest's, with problems for errors in what it answers and in what it documents."""

    ERROR_SCHEMA = ProblemSchema

    def handle_http_exception(self, error: HTTPException) -> Response:
        """The problem."""
        return http_problem(error)

    def _register_responses(self) -> None:
        # Only the responses registered here are errors: the content type is theirs alone
        self.DEFAULT_RESPONSE_CONTENT_TYPE = CONTENT_TYPE
        super()._register_responses()
        del self.DEFAULT_RESPONSE_CONTENT_TYPE


def add_to(app: Flask) -> DocumentedApi:
    """The app's document at /openapi.json; blueprints are registered through what this returns."""
    app.config.update(CONFIG)
    app.url_map.converters["id"] = IdConverter
    api = DocumentedApi(app)
    api.register_converter(IdConverter, documented)
    api.spec.components.security_scheme(
        SCHEME, {"type": "http", "scheme": "bearer", "bearerFormat": "pf_…"}
    )
    return api
