import secrets
from typing import Any

import pytest
from flask import Flask

from api.http import limits
from storage.limits import Limits, Policy
from storage.sessions import SessionCopies
from tests.support.people import PASSWORD, Answer, Builders, Person, ask, assert_problem, sign_in


def an_address() -> str:
    """An IPv6 address of its own /64: nobody else's tries are counted with it."""
    return f"2001:db8:{secrets.token_hex(2)}:{secrets.token_hex(2)}::1"


def try_password(app: Flask, username: str, address: str) -> Answer:
    return ask(
        app,
        "POST",
        "/v1/sessions",
        json={"username": username, "password": "not the password"},
        headers={"X-Forwarded-For": address},
    )


def test_guessing_one_accounts_password_is_429_and_locks_nobody_out(
    strict_app: Flask, builders: Builders
) -> None:
    person, address = builders.new_user(), an_address()
    answers = [try_password(strict_app, person.username, address) for _ in range(11)]
    assert [answer.status_code for answer in answers] == [401] * 10 + [429]
    assert_problem(answers[-1], 429, "too-many-requests")
    assert int(answers[-1].headers["Retry-After"]) <= 300
    elsewhere = ask(
        strict_app,
        "POST",
        "/v1/sessions",
        json={"username": person.username, "password": PASSWORD},
        headers={"X-Forwarded-For": an_address()},
    )
    assert elsewhere.status_code == 201


def test_an_account_is_the_same_however_it_is_spelled(
    strict_app: Flask, builders: Builders
) -> None:
    username, address = builders.new_user().username, an_address()
    wide = "".join(chr(ord(letter) + 0xFEE0) for letter in username)
    assert sign_in(builders.app, wide).status_code == 201
    for spelling in (username, username.upper(), wide) * 4:
        last = try_password(strict_app, spelling, address)
    assert last.status_code == 429


def test_an_ipv6_client_is_its_64(strict_app: Flask, builders: Builders) -> None:
    username, address = builders.new_user().username, an_address()
    for number in range(10):
        try_password(strict_app, username, f"{address[:-1]}{number + 2}")
    assert try_password(strict_app, username, address).status_code == 429


def test_limits_are_told_before_they_are_reached(strict_app: Flask, builders: Builders) -> None:
    answer = try_password(strict_app, builders.new_user().username, an_address())
    assert '"sign-ins";q=10;w=300' in answer.headers["RateLimit-Policy"]
    assert '"sign-ins";r=9;t=300' in answer.headers["RateLimit"]


def test_sign_ups_from_one_address_are_limited(
    strict_app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = Policy(name="sign-ups", quota=2, window_seconds=3600)
    monkeypatch.setattr(limits, "SIGN_UPS", few)
    address = an_address()

    def sign_up() -> Answer:
        body = {"username": f"u{secrets.token_hex(8)}", "password": PASSWORD}
        headers = {"X-Forwarded-For": address}
        return ask(strict_app, "POST", "/v1/accounts", json=body, headers=headers)

    assert [sign_up().status_code for _ in range(3)] == [201, 201, 429]


@pytest.mark.parametrize(
    ("method", "path", "policy"),
    [
        ("POST", "/v1/me/feed", limits.PUBLISHES),
        ("POST", "/v1/me/photos", limits.UPLOADS),
        ("PATCH", "/v1/me", limits.PASSWORD_CHANGES),
        ("GET", "/v1/me/feed", limits.GENERAL),
    ],
)
def test_what_a_user_does_is_limited(
    strict_app: Flask,
    builders: Builders,
    method: str,
    path: str,
    policy: Policy,
) -> None:
    person = builders.new_user().on(strict_app)
    body: dict[str, Any] = {}
    if method == "PATCH":
        body = {"json": {"password": "password of mine", "current_password": "wrong one"}}
    elif method == "POST":
        body = {"json": {}}
    used_up = _use_up(strict_app, person, policy)
    answer = person.call(method, path, **body)
    assert used_up
    assert_problem(answer, 429, "too-many-requests")


def test_session_and_quota_are_one_question_to_the_cache(
    builders: Builders, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = builders.new_user()
    assert person.get("/v1/me").status_code == 200  # its session is copied
    asked: list[object] = []
    monkeypatch.setattr(SessionCopies, "read", lambda *given: asked.append(given))
    monkeypatch.setattr(Limits, "take", lambda *given: asked.append(given))
    answer = person.get("/v1/me")
    assert (answer.status_code, asked) == (200, [])
    assert '"general";r=' in answer.headers["RateLimit"]


def test_without_a_proxy_of_ours_nobody_chooses_their_address(app: Flask) -> None:
    with app.test_request_context(headers={"X-Forwarded-For": "203.0.113.9"}):
        assert limits.client_network() == "unknown"  # the test client has no address
    answer = ask(
        app,
        "GET",
        "/livez",
        headers={"X-Forwarded-For": "x"},
        environ_base={"REMOTE_ADDR": "192.0.2.1"},
    )
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("nonsense", "unknown"),
    ],
)
def test_a_network_is_an_ipv4_address_or_an_ipv6_64(app: Flask, address: str, network: str) -> None:
    with app.test_request_context(environ_base={"REMOTE_ADDR": address}):
        assert limits.client_network() == network


def test_without_the_cache_nobody_is_limited(app_without_cache: Flask, builders: Builders) -> None:
    person = builders.new_user()
    assert sign_in(app_without_cache, person.username).status_code == 201


def _use_up(app: Flask, person: Person, policy: Policy) -> bool:
    """Count as many uses as the policy allows, without making the requests."""
    with app.test_request_context():
        for _ in range(policy.quota):
            limits.take(policy, str(person.id))
    return True
