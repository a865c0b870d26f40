"""Properties of every response, whatever the request, by asgi.py and by wsgi.py."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.exceptions import HTTPException

from api.http.load_shedding import LoadShedding
from api.http.observing import REQUEST_ID
from api.loop.messages import Answer, call_wsgi, environ_of
from tests.support.asgi import scope_of
from tests.support.asgi_client import running
from tests.support.document import document_of, operations_of
from tests.support.fuzzed import fuzzed
from tests.support.odd_requests import (
    ID,
    OBJECTS,
    ODD_TEXTS,
    PATHS,
    SECRET,
    OddRequest,
    odd_requests,
)
from tests.support.people import Builders, Person
from tests.support.transports import THROUGH_ASGI

pytestmark = pytest.mark.skipif(
    THROUGH_ASGI, reason="both entry points are tried in the run without this variable"
)

Send = Callable[[OddRequest], Answer]

EVERYWHERE = {400, 404, 405, 413, 415, 417, 431}
"""Statuses that every path may answer: the document has them for the API as a whole."""
UNREAD_CODES = {
    *("method-not-allowed", "request-header-fields-too-large", "request-timeout"),
    *("bad-request", "not-found", "unsupported-media-type", "body-too-large"),
}
"""Codes that the document names in its introduction."""


@pytest.fixture(scope="module", params=["asgi.py", "wsgi.py"])
def send(request: pytest.FixtureRequest, app: Flask) -> Iterator[Send]:
    """A function that sends a request to an entry point, as granian would."""
    if request.param == "wsgi.py":
        shedding = LoadShedding(app.wsgi_app)
        yield lambda odd: call_wsgi(shedding, environ_of(_scope(odd), odd.body))
        return
    with running(app) as (loop_app, _):
        yield lambda odd: loop_app.send(_scope(odd), odd.body)


def _scope(odd: OddRequest) -> Any:
    """The request as granian hands it over: it refuses what no header can have."""
    headers = [
        (name.lower().encode(), value.encode("latin-1", "replace")) for name, value in odd.headers
    ]
    if odd.body and not any(name == b"content-length" for name, _ in headers):
        headers.append((b"content-length", str(len(odd.body)).encode()))
    return scope_of(odd.method, odd.target, headers)


class Contract:
    """What the document says of responses."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._operations = operations_of(document_of(app))
        self._codes = UNREAD_CODES | set(_codes_in(document_of(app)))

    def check(self, odd: OddRequest, answer: Answer) -> None:
        """Assert what holds for every response, and what the document says of this one."""
        headers = {name.decode(): value.decode("latin-1") for name, value in answer.headers}
        where = (odd, answer.status, answer.body[:300])
        assert answer.status in self._statuses(odd), where
        assert answer.status < 500 or answer.status in {501, 503}, where
        assert answer.status not in {429, 503} or int(headers["retry-after"]) >= 1, where
        assert REQUEST_ID.fullmatch(headers["x-request-id"]), where
        assert headers["x-content-type-options"] == "nosniff", where
        if answer.status >= 400 and not odd.path.endswith("/readyz"):
            assert headers["content-type"] == "application/problem+json", where
            if odd.method.upper() != "HEAD":
                problem = json.loads(answer.body)
                assert problem["status"] == answer.status, where
                assert problem["code"] in self._codes, where
                assert problem["request_id"] == headers["x-request-id"], where
        said = b"\n".join([answer.body, *(value for _, value in answer.headers)])
        assert SECRET.encode() not in said, where

    def _statuses(self, odd: OddRequest) -> set[int]:
        """The statuses that the document lists for the request; EVERYWHERE beside them.

        werkzeug reads a method in capitals, however it is sent.
        """
        path = environ_of(_scope(odd), b"")["PATH_INFO"].encode("latin-1").decode(errors="replace")
        method = odd.method.upper()
        method = "GET" if method == "HEAD" else method
        try:
            rule, _ = self._app.url_map.bind("").match(path, method, return_rule=True)
        except HTTPException:
            return EVERYWHERE
        documented = rule.rule.replace("<id:", "{").replace(">", "}")
        operation = self._operations.get(f"{method} {documented}")
        if operation is None:  # a page for people, or OPTIONS
            return EVERYWHERE | {200, 304}
        return EVERYWHERE | {int(one) for one in operation["responses"] if one.isdigit()}


def _codes_in(node: Any) -> Iterator[str]:
    """Every code of a problem in the document."""
    if isinstance(node, dict) and isinstance(node.get("code"), str):
        yield node["code"]
    for below in (
        node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    ):
        yield from _codes_in(below)


@pytest.fixture(scope="module")
def contract(app: Flask) -> Contract:
    return Contract(app)


# Security 11
@fuzzed(80)
@given(odd=odd_requests())
def test_an_odd_request_of_a_stranger_gets_a_documented_answer(
    send: Send, contract: Contract, odd: OddRequest
) -> None:
    contract.check(odd, send(odd))


@pytest.fixture(scope="module")
def viewer(builders: Builders) -> Callable[[], Person]:
    """A function for a user with a session: another one after a request that has ended it."""
    known = [builders.new_user()]

    def current() -> Person:
        if known[-1].get("/v1/me").status_code != 200:
            known.append(builders.new_user())
        return known[-1]

    return current


# Security 11
@fuzzed(120)
@given(odd=odd_requests())
def test_an_odd_request_of_a_user_gets_a_documented_answer(
    send: Send,
    contract: Contract,
    viewer: Callable[[], Person],
    odd: OddRequest,
) -> None:
    if odd.path.rstrip("/").endswith("/live"):
        return  # a stream of a user does not end
    others = [one for one in odd.headers if one[0] != "Authorization"]
    token = viewer().token
    odd = replace(odd, headers=[*others, ("Authorization", f"Bearer {token}")])
    answer = send(odd)
    contract.check(odd, answer)
    assert token.encode() not in answer.body


WITH_BODIES = [
    *("POST /v1/accounts", "POST /v1/sessions", "POST /v1/me/restore", "DELETE /v1/me"),
    *("PATCH /v1/me", "POST /v1/me/feed", "POST /v1/me/photos", "PUT /v1/me/feed/position"),
    *("PUT /v1/me/notifications/position", "PATCH /v1/me/notification-settings"),
    *("POST /v1/me/push-subscriptions", "POST /v1/reports"),
]


def requests_with_bodies() -> st.SearchStrategy[OddRequest]:
    """Objects as bodies, where bodies are read."""
    keys = ODD_TEXTS.map(lambda text: text.replace("\n", "").replace("\r", ""))
    return st.builds(
        lambda name, body, key: OddRequest(
            name.partition(" ")[0],
            name.partition(" ")[2],
            [("Content-Type", "application/json"), ("Idempotency-Key", key)],
            json.dumps(body).encode(),
        ),
        st.sampled_from(WITH_BODIES),
        OBJECTS,
        keys,
    )


# Security 11
@fuzzed(80)
@given(odd=requests_with_bodies())
def test_any_object_in_a_body_gets_a_documented_answer(
    send: Send, contract: Contract, viewer: Callable[[], Person], odd: OddRequest
) -> None:
    token = ("Authorization", f"Bearer {viewer().token}")
    odd = replace(odd, headers=[*odd.headers, token])
    contract.check(odd, send(odd))


def test_every_operation_is_drawn(app: Flask) -> None:
    operations = operations_of(document_of(app))
    paths = {re.sub(r"{\w+}", ID, name.partition(" ")[2]) for name in operations}
    assert paths <= set(PATHS)
    assert set(WITH_BODIES) == {name for name, one in operations.items() if "requestBody" in one}
