import base64
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask

from api.services.tokens import Token, new_token
from graph import Graph
from graph.ids import new_id
from tests.support.people import Builders, assert_problem, call_api, sign_up
from tests.support.tokens import TOKENS
from tests.support.transports import ApiResponse, AppTransport


def get_me(app: Flask, authorization: str | None) -> ApiResponse:
    headers = {} if authorization is None else {"Authorization": authorization}
    return call_api(app, "GET", "/v1/me", headers=headers)


def bearer(token: Token) -> str:
    return f"Bearer {TOKENS.sign(token)}"


# Security 1
@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Basic YWRtaW46YWRtaW4=",
        "Bearer pf_",
        "Bearer pf_AAAA",
        "Bearer pf_" + "A" * 64,
        "Bearer pf_" + "!" * 64,
        "Bearer " + "A" * 64,
        "Bearer pf_" + "é" * 64,
        "Bearer pf_" + base64.urlsafe_b64encode(b"\xff" * 48).decode(),
    ],
)
def test_a_missing_or_invalid_token_is_401(app: Flask, authorization: str | None) -> None:
    assert_problem(get_me(app, authorization), 401, "not-signed-in")


# Security 1
def test_the_right_session_with_another_secret_is_401(app: Flask, builders: Builders) -> None:
    token = TOKENS.read(builders.new_user().token)
    assert token
    forged = new_token(user_id=token.user_id, session_id=token.session_id)
    assert_problem(get_me(app, bearer(forged)), 401, "not-signed-in")


# Security 1
def test_a_token_with_another_user_id_is_401(app: Flask, builders: Builders) -> None:
    token, other = TOKENS.read(builders.new_user().token), builders.new_user()
    assert token
    forged = Token(user_id=other.id, session_id=token.session_id, secret=token.secret)
    for _ in range(2):  # checked against the graph, then against the cached copy
        assert_problem(get_me(app, bearer(forged)), 401, "not-signed-in")


# Security 1
def test_an_expired_session_is_401(app: Flask, builders: Builders, graph: Graph) -> None:
    person = builders.new_user()
    token = new_token(user_id=person.id, session_id=new_id())
    graph.sessions.create(
        session_id=token.session_id,
        user_id=person.id,
        secret_sha256=token.secret_sha256,
        expires_at=datetime.now(UTC) - timedelta(seconds=1),
    )
    assert_problem(get_me(app, bearer(token)), 401, "not-signed-in")


def test_the_scheme_is_read_in_any_case(app: Flask, builders: Builders) -> None:
    response = get_me(app, f"bearer {builders.new_user().token}")
    assert response.status_code == 200


# Security 2
@pytest.mark.parametrize("name", ["auth_token", "access_token", "token", "tok%65n"])
@pytest.mark.parametrize("path", ["/v1/me", "/v1/sessions", "/livez", "/nowhere"])
def test_a_token_in_the_query_is_400_on_every_route(
    builders: Builders, name: str, path: str
) -> None:
    person = builders.new_user()
    response = person.get(f"{path}?{name}={person.token}")
    assert_problem(response, 400, "token-in-query")


# Security 2
def test_no_secret_is_in_the_log_lines(app: Flask, capfd: pytest.CaptureFixture[str]) -> None:
    person = sign_up(AppTransport(app), password="a password to look for")
    person.get("/v1/me")
    person.get(f"/v1/me?token={person.token}")
    person.sign_in("a password to look for")
    log = "".join(capfd.readouterr())
    assert "/v1/me" in log
    assert person.token not in log
    assert person.token[-20:] not in log
    assert "a password to look for" not in log


# Security 25
def test_the_repr_of_a_token_has_no_secret() -> None:
    token = new_token(user_id=1, session_id=2)
    assert TOKENS.sign(token) not in repr(token) + str(token)
    assert token.secret.hex() not in repr(token)


def test_a_token_is_read_back_unchanged() -> None:
    token = new_token(user_id=2**53, session_id=new_id())
    assert TOKENS.read(TOKENS.sign(token)) == token
