import secrets
from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import Flask

from graph import Graph
from graph.errors import UsernameTakenError
from graph.ids import new_id
from tests.support.people import (
    PASSWORD,
    PASSWORD_HASH,
    Builders,
    assert_problem,
    call_api,
    sign_in,
)
from tests.support.transports import ApiResponse


def sign_up(app: Flask, **body: object) -> ApiResponse:
    account = {"username": f"u{secrets.token_hex(8)}", "password": PASSWORD, **body}
    return call_api(app, "POST", "/v1/accounts", json=account)


def test_a_sign_up_returns_a_user_and_a_valid_token(app: Flask) -> None:
    response = sign_up(app, name="Ana Lima")
    assert response.status_code == 201
    assert response.headers["Cache-Control"] == "no-store"
    user = response.json["user"]
    assert (user["name"], user["bio"], user["location"]) == ("Ana Lima", None, None)
    assert user["id"].isdecimal()
    assert response.json["expires_at"].endswith("Z")
    headers = {"Authorization": f"Bearer {response.json['auth_token']}"}
    assert call_api(app, "GET", "/v1/me", headers=headers).json["id"] == user["id"]


def test_the_default_name_is_the_username(app: Flask) -> None:
    user = sign_up(app).json["user"]
    assert user["name"] == user["username"]


# Security 10
def test_usernames_are_unique_without_regard_to_case(app: Flask, builders: Builders) -> None:
    person = builders.new_user()
    assert_problem(sign_up(app, username=person.username.upper()), 409, "username-taken")


def test_concurrent_sign_ups_with_one_username_create_one_user(app: Flask) -> None:
    username = f"u{secrets.token_hex(8)}"
    with ThreadPoolExecutor(4) as threads:
        responses = list(threads.map(lambda _: sign_up(app, username=username), range(4)))
    assert sorted(response.status_code for response in responses).count(201) == 1
    for response in responses:
        if response.status_code != 201:
            assert response.json["code"] in {"username-taken", "too-busy"}


# Security 10
@pytest.mark.parametrize(
    "username",
    [
        "ab",
        "a" * 31,
        "a b",
        "ana-b",
        "ána",
        "\uff41\uff4e\uff41\uff41",
        "ana\x00b",
        "a\u202eana",
        "",
        7,
        None,
        ["ana"],
        "...",
        ".ana",
        "ana.",
        "a..b",
        "___",
        "_ana",
        "ana_",
        "_.a",
        "a" + "._" * 14 + ".",
        "ana\n",
    ],
)
def test_a_username_is_3_to_30_plain_characters(app: Flask, username: object) -> None:
    problem = assert_problem(sign_up(app, username=username), 422, "invalid-fields")
    assert list(problem["errors"]) == ["username"]


@pytest.mark.parametrize("username", ["a.b", "a__b", "1_2", "x_._y", "A1_" + "z" * 27])
def test_the_shortest_and_longest_usernames_are_accepted(app: Flask, username: str) -> None:
    response = sign_up(app, username=username)
    assert response.status_code == 201 or response.json["code"] == "username-taken"


@pytest.mark.parametrize("username", ["...", "a..", "_{}_", "__{}"])
def test_a_user_with_a_username_of_older_versions_is_found_and_signs_in(
    app: Flask, builders: Builders, graph: Graph, username: str
) -> None:
    username = username.format(secrets.token_hex(8))
    try:
        user_id = new_id()
        graph.users.create(
            user_id=user_id, username=username, name=username, password_hash=PASSWORD_HASH
        )
    except UsernameTakenError:  # by an earlier run
        user_id = graph.users.credentials(username).user_id  # type: ignore[union-attr]
    assert sign_in(app, username).status_code == 201
    found = builders.new_user().get("/v1/users", query_string={"username": username})
    assert found.json["id"] == str(user_id)


# Security 4
@pytest.mark.parametrize("password", ["1234567", "x" * 1025, "é" * 513, 12345678, None])
def test_a_password_has_8_characters_to_1024_bytes(app: Flask, password: object) -> None:
    problem = assert_problem(sign_up(app, password=password), 422, "invalid-fields")
    assert list(problem["errors"]) == ["password"]


def test_a_password_of_1024_arbitrary_bytes_is_compared_in_full(app: Flask) -> None:
    password = "é\x00 \u202e four plain words " + "x" * 999
    assert len(password.encode()) == 1024
    username = sign_up(app, password=password).json["user"]["username"]
    assert sign_in(app, username, password).status_code == 201
    assert sign_in(app, username, password[:-1]).status_code == 401


# Security 10
@pytest.mark.parametrize(
    "name", ["", "  ", "\u200b", "\u3164", "a\x00b", "a\u202eb", "a\nb", "x" * 61, None]
)
def test_a_name_is_one_line_of_visible_characters(app: Flask, name: object) -> None:
    problem = assert_problem(sign_up(app, name=name), 422, "invalid-fields")
    assert list(problem["errors"]) == ["name"]


# Security 4
def test_a_password_is_stored_as_argon2id_of_19_mib_and_two_rounds(
    app: Flask, graph: Graph
) -> None:
    stored = graph.users.password_hash(int(sign_up(app).json["user"]["id"]))
    assert stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert PASSWORD not in stored
