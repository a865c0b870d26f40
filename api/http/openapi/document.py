"""The document as a whole: title, description, shared components."""

from typing import Any

from flask import Flask, Response
from flask_smorest import Api
from werkzeug.exceptions import HTTPException

from api.http import guesses, limits
from api.http.auth import SCHEME
from api.http.errors import http_problem
from api.http.openapi.operations import OperationPlugin
from api.http.openapi.problems import SHARED_RESPONSES, response_of
from api.http.problems import CONTENT_TYPE
from api.schemas.paths import IdConverter, id_parameter_schema
from api.schemas.problems import ProblemSchema
from api.settings import (
    DEFAULT_EXPORTS_A_DAY,
    DEFAULT_UPLOAD_BYTES_A_DAY,
    DEFAULT_UPLOAD_PHOTOS_A_DAY,
)

QUOTAS = {
    limits.GENERAL: "requests of a user",
    limits.FAILING_TOKENS: "requests with a token that is not valid, from an address",
    guesses.SIGN_UPS: "sign-ups from a network",
    guesses.SIGN_UPS_OF_RANGE: "sign-ups from a range",
    guesses.SIGN_INS: "sign-ins to an account from a network, failed ones too",
    guesses.SIGN_INS_OF_NETWORK: "sign-ins from a network, failed ones too",
    guesses.SIGN_INS_OF_RANGE: "sign-ins from a range, failed ones too",
    guesses.FAILURES: "failed sign-ins to an account from a network",
    guesses.FAILURES_FROM_RANGE: "failed sign-ins to an account from a range",
    guesses.FAILURES_OF_NETWORK: "failed sign-ins from a network",
    guesses.FAILURES_OF_RANGE: "failed sign-ins from a range",
    guesses.PASSWORD_CHANGES: "password changes by a session",
    guesses.PASSWORD_GUESSES: "wrong passwords in password changes by a session",
    guesses.PASSWORD_GUESSES_A_DAY: "wrong passwords in password changes by a session",
    limits.ENDED_SIGN_OUTS: "sign-outs of a session that has ended",
    limits.NAME_CHANGES: "names set by a user",
    limits.DELETIONS: "deletions of an account, which can be undone",
    limits.NOTIFICATIONS: "pages and counts of a user's notifications",
    limits.FOLLOWS: "requests of a user that begin or end a follow or a block",
    limits.PUSH_SUBSCRIPTIONS: "browsers subscribed by a user",
    limits.REPORTS: "reports of a user",
    limits.PUBLISHES: "posts of a user",
    limits.UPLOADS: "new photos of a user",
    limits.EXPORT_LINKS: "looks of a user at an export",
}
"""What each policy counts."""

_QUOTA_LINES = "\n".join(
    f"- `{policy.name}`: {policy.quota} {counted} in {policy.window_seconds // limits.MINUTE} min"
    for policy, counted in QUOTAS.items()
)
_EXPORT_LINE = (
    f"- {DEFAULT_EXPORTS_A_DAY} exports asked for by a user in a day: 429 `export-limit-reached`,"
    " without these headers"
)
_DAY_LINE = (
    f"- {DEFAULT_UPLOAD_PHOTOS_A_DAY:,} photos and {DEFAULT_UPLOAD_BYTES_A_DAY:,} bytes of them"
    " created by a user in a day: 429 `upload-limit-reached`, without these headers"
)

DESCRIPTION = f"""\
Share photos, follow users, and read their posts in a feed, newest first.

**Authentication**: sign up (`createAccount`) or sign in (`createSession`) to get a token. Send it
with every other request: `Authorization: Bearer pf_…`. A token in a query string is refused (400
`token-in-query`).

**Errors** have the media type `application/problem+json` (RFC 9457) and a stable `code`. Each
operation describes the codes of its own. These codes are shared:

- 400 `token-in-query`, `malformed-json`, `bad-request`; 408 `request-timeout`; 413 `body-too-large`
- 405 `method-not-allowed`; 415 `unsupported-media-type`; 431 `request-header-fields-too-large`
- 401 `not-signed-in`: no token, or one that is wrong, expired or ended
- 404 `not-found`: absent, or hidden from the user
- 429 `too-many-requests`: a quota is used up
- 503 `overloaded`: the server has too many requests
- 503 `graph-unavailable`, `cache-unavailable`, `queue-unavailable`, `s3-unavailable`: that store is
  down

**Retries**: 429 and 503 have the header `Retry-After`. PUT and DELETE can be repeated. Publishing a
post or creating a photo with an `Idempotency-Key` can be repeated with the same key for 24 hours.

**Paging**: lists take `limit` and `cursor`, and return the cursors `next` and (the feed) `prev`,
also as a `Link` header (RFC 8288). A cursor is opaque, and valid for one user and one path.

**Text** of users is stored and returned in NFC, without spaces at its ends. Tabs become spaces, all
kinds of line ends `\\n`; other control characters are 422. Directions that are open at the end of a
line are ended there. Limits count the characters of this form.

**Limits**: the headers `RateLimit-Policy` and `RateLimit` have the quotas that a request counts
under, and how much of each is left. An installation can scale all quotas. By default:

{_QUOTA_LINES}
{_DAY_LINE}
{_EXPORT_LINE}

A network is an IPv4 address or an IPv6 /64, a range an IPv4 /24 or an IPv6 /48. Sign-ins to an
account from a network where it has signed in before go on when others have used up a quota there:
then they count under `sign-ins` and `sign-in-failures` alone.

Ids are decimal text of at most 16 digits. Times are RFC 3339 in UTC. Every response has the header
`X-Request-Id`.
"""

CONFIG: dict[str, Any] = {
    "API_TITLE": "Photofeed",
    "API_VERSION": "v1",
    "OPENAPI_VERSION": "3.1.0",
    "OPENAPI_URL_PREFIX": "/",
    "OPENAPI_JSON_PATH": "openapi.json",
    "API_SPEC_OPTIONS": {
        "info": {
            "summary": "A photo-sharing back end with a home feed.",
            "description": DESCRIPTION,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/", "description": "The server that returned this document."}],
    },
}


class DocumentedApi(Api):  # type: ignore[misc]  # flask-smorest is untyped
    """flask-smorest's Api. It returns errors as problems and documents them as problems."""

    DEFAULT_ERROR_RESPONSE_NAME = "Problem"

    def handle_http_exception(self, error: HTTPException) -> Response:
        """The problem."""
        return http_problem(error)

    def _register_responses(self) -> None:
        """Our shared responses instead of one for each HTTP status."""
        components = self.spec.components
        components.schema("Problem", schema=ProblemSchema)
        any_problem = {
            "description": "Any other problem.",
            "content": {CONTENT_TYPE: {"schema": "Problem"}},
        }
        components.response(self.DEFAULT_ERROR_RESPONSE_NAME, any_problem)
        for name, problems in SHARED_RESPONSES.items():
            components.response(name, response_of(problems), lazy=True)

    def _register_etag_headers(self) -> None:
        """None: the feed's ETag is documented with its route."""

    def _register_pagination_header(self) -> None:
        """None: pages are documented by api/http/paging.py."""


def add_to(app: Flask) -> DocumentedApi:
    """Serve the app's document at /openapi.json. Register blueprints with the result."""
    app.config.update(CONFIG)
    app.url_map.converters["id"] = IdConverter
    api = DocumentedApi(app, spec_kwargs={"extra_plugins": [OperationPlugin(app)]})
    api.register_converter(IdConverter, id_parameter_schema)
    api.spec.components.security_scheme(
        SCHEME, {"type": "http", "scheme": "bearer", "bearerFormat": "pf_…"}
    )
    return api
