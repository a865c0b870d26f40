"""The API document as a page: Swagger UI, served by this process, with no outside request."""

from pathlib import Path

import flask_swagger_ui
from flask import Blueprint, Response, send_from_directory

blueprint = Blueprint("docs", __name__)

_ASSETS = Path(flask_swagger_ui.__file__).parent / "dist"

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; font-src 'self'; connect-src *; frame-ancestors 'none'; base-uri 'none'"
)
"""Swagger UI has inline styles. It connects to this server, and for an upload to the S3 server."""

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Photofeed API</title>
<link rel="icon" href="/docs/assets/favicon-32x32.png">
<link rel="stylesheet" href="/docs/assets/swagger-ui.css">
</head>
<body>
<div id="swagger-ui"></div>
<script src="/docs/assets/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
"""

_START = """window.ui = SwaggerUIBundle({
  url: "/openapi.json", dom_id: "#swagger-ui", deepLinking: true, validatorUrl: null,
});
"""


@blueprint.get("/docs")
def page() -> Response:
    """The page."""
    response = Response(_PAGE, content_type="text/html; charset=utf-8")
    response.headers["Content-Security-Policy"] = _POLICY
    return response


@blueprint.get("/docs/start.js")
def start() -> Response:
    """The script of the page. It is a file because the policy allows no inline script."""
    return Response(_START, content_type="text/javascript; charset=utf-8")


@blueprint.get("/docs/assets/<path:name>")
def asset(name: str) -> Response:
    """A file of Swagger UI."""
    return send_from_directory(_ASSETS, name, max_age=86_400)
