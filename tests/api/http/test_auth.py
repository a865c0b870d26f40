import base64
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask

from api.services.tokens import Token, new_token, read_token
from graph import Graph
from graph.ids import new_id
from tests.support.people import Answer, Builders, ask, assert_problem


def get_me(app: Flask, authorization: str | None) -> Answer:
    headers = {} if authorization is None else {"Authorization": authorization}
    return ask(app, "GET", "/v1/me", headers=headers)


def bearer(token: Token) -> str:
    return f"Bearer {token}"


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
def test_no_token_or_one_that_is_none_is_401(app: Flask, authorization: str | None) -> None:
    assert_problem(get_me(app, authorization), 401, "not-signed-in")


def test_the_right_session_with_another_secret_is_401(app: Flask, builders: Builders) -> None:
    token = read_token(builders.new_user().token)
    assert token
    forged = new_token(user_id=token.user_id, session_id=token.session_id)
    assert_problem(get_me(app, bearer(forged)), 401, "not-signed-in")


def test_a_valid_session_with_anothers_user_id_inside_is_401(
    app: Flask, builders: Builders
) -> None:
    one, other = read_token(builders.new_user().token), builders.new_user()
    assert one
    forged = Token(user_id=other.id, session_id=one.session_id, secret=one.secret)
    for _ in range(2):  # by the graph, then by the cached copy
        assert_problem(get_me(app, bearer(forged)), 401, "not-signed-in")


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
    answer = get_me(app, f"bearer {builders.new_user().token}")
    assert answer.status_code == 200


@pytest.mark.parametrize("name", ["auth_token", "access_token", "token"])
@pytest.mark.parametrize("path", ["/v1/me", "/v1/sessions", "/livez", "/nowhere"])
def test_a_token_in_the_query_is_400_on_every_route(
    builders: Builders, name: str, path: str
) -> None:
    person = builders.new_user()
    answer = person.get(f"{path}?{name}={person.token}")
    assert_problem(answer, 400, "token-in-query")


def test_no_secret_is_in_the_log_lines(
    builders: Builders, capfd: pytest.CaptureFixture[str]
) -> None:
    person = builders.new_user(password="a password to look for")
    person.get("/v1/me")
    person.get(f"/v1/me?token={person.token}")
    person.sign_in("a password to look for")
    written = "".join(capfd.readouterr())
    assert "/v1/me" in written
    assert person.token not in written
    assert person.token[-20:] not in written
    assert "a password to look for" not in written


def test_a_token_shows_no_secret_where_it_is_printed() -> None:
    token = new_token(user_id=1, session_id=2)
    assert str(token) not in repr(token)
    assert token.secret.hex() not in repr(token)


def test_a_token_comes_back_as_it_was_made() -> None:
    token = new_token(user_id=2**53, session_id=new_id())
    assert read_token(str(token)) == token
