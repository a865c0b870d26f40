"""Who may open a stream, and how it ends with its session."""

import base64
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
from flask import Flask

from api.services.live_tickets import read_ticket
from api.services.tokens import new_token
from graph.ids import new_id
from storage import Storage, changes
from storage.live_tickets import LIFE_SECONDS
from storage.redis.partitions import key_of
from tests.api.live.conftest import OpenServer, Reader
from tests.support.commands import moderate
from tests.support.eventually import eventually
from tests.support.live import PATH, LiveClient
from tests.support.people import PASSWORD, assert_problem, call_api
from tests.support.raw_http import connected
from tests.support.tokens import TOKENS
from tests.support.town import Town

SIGN_OUT_SECONDS = 10.0
"""The bound of these tests on a busy machine; the promise is 2 s."""

Connect = Callable[..., LiveClient]


# Security 24
def test_a_ticket_expires_after_thirty_seconds(reader: Reader, storage: Storage) -> None:
    response = reader.person.post("/v1/me/live/tickets")
    assert response.headers["Cache-Control"] == "no-store"
    expires_at = datetime.fromisoformat(response.json["expires_at"])
    assert timedelta(0) < expires_at - datetime.now(UTC) <= timedelta(seconds=LIFE_SECONDS)
    [key] = ticket_keys(storage, reader.id)
    assert 0 < storage.cache.client.ttl(key) <= LIFE_SECONDS
    ticket = read_ticket(response.json["ticket"])
    assert ticket
    assert ticket.secret.hex() not in repr(ticket)
    assert ticket.secret not in key


# Security 24
def test_a_ticket_opens_one_stream(reader: Reader, connect: Connect) -> None:
    ticket = reader.ticket()
    assert connect(reader.server.url, ticket=ticket).status == 200
    assert_refused(connect(reader.server.url, ticket=ticket), 401, "live-ticket-refused")


def test_a_ticket_that_is_too_old_is_refused(
    reader: Reader, connect: Connect, storage: Storage
) -> None:
    ticket = reader.ticket()
    [key] = ticket_keys(storage, reader.id)
    storage.cache.client.pexpire(key, 1)
    time.sleep(0.01)
    assert_refused(connect(reader.server.url, ticket=ticket), 401, "live-ticket-refused")


# Security 24
def test_a_ticket_of_another_user_is_refused(reader: Reader, connect: Connect) -> None:
    """Whoever changes the user in a ticket has no key for it."""
    packed = bytearray(base64.urlsafe_b64decode(reader.ticket().removeprefix("lt_")))
    packed[6] ^= 1
    forged = "lt_" + base64.urlsafe_b64encode(packed).decode()
    for ticket in (forged, "lt_", "x", reader.person.token, "lt_" + "/" * 40, "lt_" + "A" * 40):
        assert_refused(connect(reader.server.url, ticket=ticket), 401, "live-ticket-refused")


# Security 24
def test_a_ticket_of_a_revoked_session_opens_nothing(reader: Reader, connect: Connect) -> None:
    ticket = reader.ticket()
    assert reader.person.delete("/v1/me/sessions/current").status_code == 204
    assert_refused(connect(reader.server.url, ticket=ticket), 401, "live-ticket-refused")


def test_a_ticket_needs_a_token(app: Flask) -> None:
    assert_problem(call_api(app, "POST", "/v1/me/live/tickets"), 401, "not-signed-in")


def test_a_token_opens_a_stream_also_without_a_copy_in_the_cache(
    reader: Reader, connect: Connect, storage: Storage
) -> None:
    storage.sessions.drop(reader.id, [session_id_of(reader)])
    assert connect(reader.server.url, token=reader.person.token).status == 200


def test_other_tokens_open_none(reader: Reader, connect: Connect) -> None:
    token = TOKENS.read(reader.person.token)
    assert token
    forged = new_token(user_id=token.user_id, session_id=token.session_id)
    other = new_token(user_id=new_id(), session_id=token.session_id)._replace(secret=token.secret)
    for text in (TOKENS.sign(forged), TOKENS.sign(other), "pf_x", ""):
        client = connect(reader.server.url, token=text) if text else connect(reader.server.url)
        assert_refused(client, 401, "not-signed-in")
        assert client.headers["www-authenticate"] == "Bearer"


def test_signing_out_on_another_device_ends_the_stream(reader: Reader) -> None:
    client, other = reader.open(), reader.person.sign_in()
    path = f"/v1/me/sessions/{session_id_of(reader)}"
    assert other.delete(path).status_code == 204
    assert_signed_out(client)


def test_a_new_password_ends_the_streams_of_other_sessions(reader: Reader) -> None:
    client, other = reader.open(), reader.person.sign_in()
    body = {"password": "another password", "current_password": PASSWORD}
    assert other.patch("/v1/me", json=body).status_code == 200
    assert_signed_out(client)


def test_a_suspension_ends_the_streams_of_the_user(reader: Reader) -> None:
    client = reader.open()
    moderate("suspend", reader.id, "--reason", "spam")
    assert_signed_out(client)


def test_an_open_stream_uses_its_session(reader: Reader, connect: Connect) -> None:
    Town(reader.graph).query(
        "MATCH (s:Session) WHERE s.user_id = $id SET s.last_used_at = timestamp() - 7200000",
        id=reader.id,
    )
    assert connect(reader.server.url, token=reader.person.token).status == 200

    def is_written() -> bool:
        [session] = reader.graph.sessions.of_user(reader.id)
        assert session.last_used_at
        return datetime.now(UTC) - session.last_used_at < timedelta(minutes=30)

    eventually(is_written, seconds=30)


def test_a_stream_ends_when_its_session_expires(reader: Reader, connect: Connect) -> None:
    token = new_token(user_id=reader.id, session_id=new_id())
    expires_at = datetime.now(UTC) + timedelta(seconds=4)
    reader.graph.sessions.create(
        session_id=token.session_id,
        user_id=reader.id,
        secret_sha256=token.secret_sha256,
        expires_at=expires_at,
    )
    client = connect(reader.server.url, token=TOKENS.sign(token)).wait_for_opening()
    assert_signed_out(client)
    assert datetime.now(UTC) >= expires_at.replace(microsecond=0)


def test_a_session_that_the_cache_has_lost_is_looked_up_and_stays(
    reader: Reader, storage: Storage
) -> None:
    client = reader.open()
    storage.sessions.drop(reader.id, [session_id_of(reader)])
    storage.changes.announce([changes.user(reader.id)])
    newest = reader.push(reader.follow_new())
    client.wait("tick")
    assert client.events[-1].id == f"{newest}-0"
    assert not client.ended_at


def test_other_requests_are_refused_clearly(reader: Reader) -> None:
    url, headers = reader.server.url + PATH, {"Authorization": f"Bearer {reader.person.token}"}
    assert problem(requests.post(url, headers=headers, timeout=20)) == (405, "method-not-allowed")
    head = requests.head(url, headers=headers, timeout=20)
    assert (head.status_code, head.headers["Allow"]) == (405, "GET")
    for query, status, code in (
        ("?tickets=1", 422, "invalid-fields"),
        (f"?token={reader.person.token}", 400, "token-in-query"),
        ("?ticket=", 401, "live-ticket-refused"),
        ("?ticket=1" + "&ticket=1" * 16, 422, "invalid-fields"),
    ):
        assert problem(requests.get(url + query, headers=headers, timeout=20)) == (status, code)
    for huge in ({"X-Huge": "x" * 17_000}, {f"X-{'x' * 4_000}-{one}": "1" for one in range(5)}):
        refused = requests.get(url, headers={**headers, **huge}, timeout=20)
        assert problem(refused) == (431, "request-header-fields-too-large")


@pytest.mark.parametrize("header", ["Content-Length: 1", "Transfer-Encoding: chunked"])
def test_a_request_with_a_body_opens_none(reader: Reader, header: str) -> None:
    lines = [f"GET {PATH} HTTP/1.1", "Host: photofeed", header]
    lines += [f"Authorization: Bearer {reader.person.token}", "", ""]
    with connected(reader.server.url) as client:
        client.send("\r\n".join(lines).encode())
        assert client.read_until(b"\r\n") == b"HTTP/1.1 400 Bad Request\r\n"
        assert b'"code": "bad-request"' in client.read_until_closed()


def test_a_length_of_zero_announces_no_body(reader: Reader, connect: Connect) -> None:
    length = {"Content-Length": "0"}
    assert connect(reader.server.url, token=reader.person.token, **length).status == 200


def test_the_loop_is_needed(app: Flask) -> None:
    view: Any = app.test_client().get(PATH)
    assert_problem(view, 501, "live-needs-asgi")


def test_five_streams_a_user_and_a_closed_one_frees_its_place(
    reader: Reader, connect: Connect
) -> None:
    clients = [reader.open() for _ in range(5)]
    sixth = connect(reader.server.url, token=reader.person.token)
    assert_refused(sixth, 429, "too-many-streams")
    assert int(sixth.headers["retry-after"]) >= 1
    clients[0].close()
    end = time.monotonic() + SIGN_OUT_SECONDS
    while connect(reader.server.url, token=reader.person.token).status != 200:
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_full_process_refuses_and_uses_no_ticket_up(
    reader: Reader, connect: Connect, open_server: OpenServer
) -> None:
    server = open_server(LIVE_STREAMS="1")
    first = connect(server.url, token=reader.person.token).wait_for_opening()
    ticket = reader.ticket()
    refused = connect(server.url, ticket=ticket)
    assert_refused(refused, 503, "overloaded")
    assert int(refused.headers["retry-after"]) >= 1
    first.close()
    assert connect(reader.server.url, ticket=ticket).status == 200


def assert_refused(client: LiveClient, status: int, code: str) -> None:
    assert client.status == status
    assert client.problem()["code"] == code


def assert_signed_out(client: LiveClient) -> None:
    start_time = time.monotonic()
    event = client.wait("signed-out")
    assert event.id
    assert client.wait_for_end() - start_time < SIGN_OUT_SECONDS
    assert client.ended_whole
    print(f"signed out after {client.ended_at - start_time:.2f} s")


def problem(response: requests.Response) -> tuple[int, str]:
    return response.status_code, response.json()["code"]


def session_id_of(reader: Reader) -> int:
    token = TOKENS.read(reader.person.token)
    assert token
    return token.session_id


def ticket_keys(storage: Storage, user_id: int) -> list[bytes]:
    keys = storage.cache.client.keys(key_of(b"lk", user_id).decode() + ":*")
    return list(keys)  # type: ignore[arg-type]
