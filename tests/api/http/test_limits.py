import re
import secrets
from typing import Any

import pytest
from flask import Flask

from api.http import limits
from storage.limits import Limits, Policy
from storage.sessions import SessionCopies
from tests.support.people import PASSWORD, Builders, Person, assert_problem, call_api, sign_in
from tests.support.transports import ApiResponse


def an_address() -> str:
    """An IPv6 address in a /64 that no other test uses."""
    return f"2001:db8:{secrets.token_hex(2)}:{secrets.token_hex(2)}::1"


def try_password(app: Flask, username: str, address: str) -> ApiResponse:
    return call_api(
        app,
        "POST",
        "/v1/sessions",
        json={"username": username, "password": "not the password"},
        headers={"X-Forwarded-For": address},
    )


# Security 5
def test_guesses_of_a_password_are_429_and_do_not_lock_the_owner_out(
    strict_app: Flask, builders: Builders
) -> None:
    person, address = builders.new_user(), an_address()
    responses = [try_password(strict_app, person.username, address) for _ in range(11)]
    assert [response.status_code for response in responses] == [401] * 10 + [429]
    assert_problem(responses[-1], 429, "too-many-requests")
    assert int(responses[-1].headers["Retry-After"]) <= 300
    elsewhere = call_api(
        strict_app,
        "POST",
        "/v1/sessions",
        json={"username": person.username, "password": PASSWORD},
        headers={"X-Forwarded-For": an_address()},
    )
    assert elsewhere.status_code == 201


# Security 5
def test_all_spellings_of_a_username_share_a_quota(strict_app: Flask, builders: Builders) -> None:
    username, address = builders.new_user().username, an_address()
    fullwidth = "".join(chr(ord(letter) + 0xFEE0) for letter in username)
    assert sign_in(builders.app, fullwidth).status_code == 201
    for spelling in (username, username.upper(), fullwidth) * 4:
        last = try_password(strict_app, spelling, address)
    assert last.status_code == 429


# Security 5
def test_addresses_of_an_ipv6_64_share_a_quota(strict_app: Flask, builders: Builders) -> None:
    username, address = builders.new_user().username, an_address()
    for number in range(10):
        try_password(strict_app, username, f"{address[:-1]}{number + 2}")
    assert try_password(strict_app, username, address).status_code == 429


def test_responses_have_rate_limit_headers(strict_app: Flask, builders: Builders) -> None:
    response = try_password(strict_app, builders.new_user().username, an_address())
    assert '"sign-ins";q=10;w=300' in response.headers["RateLimit-Policy"]
    assert '"sign-ins";r=9;t=300' in response.headers["RateLimit"]


def test_sign_ups_from_one_address_are_limited(
    strict_app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = Policy(name="sign-ups", quota=2, window_seconds=3600)
    monkeypatch.setattr(limits, "SIGN_UPS", policy)
    address = an_address()

    def sign_up() -> ApiResponse:
        body = {"username": f"u{secrets.token_hex(8)}", "password": PASSWORD}
        headers = {"X-Forwarded-For": address}
        return call_api(strict_app, "POST", "/v1/accounts", json=body, headers=headers)

    assert [sign_up().status_code for _ in range(3)] == [201, 201, 429]


@pytest.mark.parametrize(
    ("method", "path", "policy"),
    [
        ("POST", "/v1/me/feed", limits.PUBLISHES),
        ("POST", "/v1/me/photos", limits.UPLOADS),
        ("POST", "/v1/me/push-subscriptions", limits.PUSH_SUBSCRIPTIONS),
        ("GET", "/v1/me/notifications", limits.NOTIFICATIONS),
        ("GET", "/v1/me/notifications/unread", limits.NOTIFICATIONS),
        ("PUT", "/v1/me/following/1", limits.FOLLOWS),
        ("DELETE", "/v1/me/following/1", limits.FOLLOWS),
        ("DELETE", "/v1/me/followers/1", limits.FOLLOWS),
        ("PUT", "/v1/me/blocks/1", limits.FOLLOWS),
        ("DELETE", "/v1/me/blocks/1", limits.FOLLOWS),
        ("PATCH", "/v1/me", limits.PASSWORD_CHANGES),
        ("PATCH", "/v1/me", limits.NAME_CHANGES),
        ("GET", "/v1/me/feed", limits.GENERAL),
    ],
)
def test_requests_of_a_user_are_limited(
    strict_app: Flask,
    builders: Builders,
    method: str,
    path: str,
    policy: Policy,
) -> None:
    person = builders.new_user().on(strict_app)
    body: dict[str, Any] = {}
    if method == "PATCH":
        names = {"name": "A Name"}
        passwords = {"password": "password of mine", "current_password": "wrong one"}
        body = {"json": names if policy == limits.NAME_CHANGES else passwords}
    elif method == "POST":
        body = {"json": {}}
    _use_up(strict_app, person, policy)
    response = person.call(method, path, **body)
    assert_problem(response, 429, "too-many-requests")


def test_follows_and_blocks_and_their_ends_share_a_quota_and_its_headers(
    strict_app: Flask, builders: Builders
) -> None:
    ana, ben = builders.new_user().on(strict_app), builders.new_user()
    following, block = f"/v1/me/following/{ben.id}", f"/v1/me/blocks/{ben.id}"
    calls = [("PUT", following), ("DELETE", following), ("PUT", block), ("DELETE", block)]
    for count, (method, path) in enumerate(calls, 1):
        headers = ana.call(method, path).headers
        assert '"follows";q=1000;w=3600' in headers["RateLimit-Policy"]
        assert f'"follows";r={1000 - count};t=' in headers["RateLimit"]


@pytest.mark.parametrize("by_its_id", [False, True])
def test_sign_outs_by_an_ended_token_are_429_and_cost_its_owner_nothing(
    strict_app: Flask, builders: Builders, *, by_its_id: bool
) -> None:
    user = builders.new_user()
    owner, stolen = user.on(strict_app), user.sign_in().on(strict_app)
    stolen_id = stolen.get("/v1/me/sessions").json["sessions"][0]["id"]
    path = f"/v1/me/sessions/{stolen_id if by_its_id else 'current'}"
    assert stolen.delete("/v1/me/sessions/current").status_code == 204
    before = remaining(owner.get("/v1/me"))
    quota = limits.ENDED_SIGN_OUTS.quota
    address = {"X-Forwarded-For": an_address()}
    responses = [stolen.delete(path, headers=address) for _ in range(quota + 1)]
    assert [response.status_code for response in responses] == [401] * quota + [429]
    assert_problem(responses[-1], 429, "too-many-requests")
    assert remaining(owner.get("/v1/me")) >= before - 2


def remaining(response: ApiResponse) -> int:
    """What is left of the general quota."""
    left = re.search(r'"general";r=(\d+)', response.headers["RateLimit"])
    assert left
    return int(left[1])


def test_an_import_of_500_follows_passes_also_if_each_is_sent_twice() -> None:
    assert limits.FOLLOWS.quota >= 2 * 500


def test_session_and_quota_take_one_round_trip(
    builders: Builders, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = builders.new_user()
    assert person.get("/v1/me").status_code == 200  # caches the session
    reads: list[object] = []
    monkeypatch.setattr(SessionCopies, "read", lambda *arguments: reads.append(arguments))
    monkeypatch.setattr(Limits, "take", lambda *arguments: reads.append(arguments))
    response = person.get("/v1/me")
    assert (response.status_code, reads) == (200, [])
    assert '"general";r=' in response.headers["RateLimit"]


# Security 5
def test_x_forwarded_for_is_ignored_without_a_trusted_proxy(app: Flask) -> None:
    with app.test_request_context(headers={"X-Forwarded-For": "203.0.113.9"}):
        assert limits.client_network() == "unknown"  # the test client has no address
    response = call_api(
        app,
        "GET",
        "/livez",
        headers={"X-Forwarded-For": "x"},
        environ_base={"REMOTE_ADDR": "192.0.2.1"},
    )
    assert response.status_code == 200


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


def test_there_are_no_limits_without_the_cache(
    app_without_cache: Flask, builders: Builders
) -> None:
    person = builders.new_user()
    assert sign_in(app_without_cache, person.username).status_code == 201


def _use_up(app: Flask, person: Person, policy: Policy) -> None:
    """Consumes the whole quota without sending requests."""
    with app.test_request_context():
        for _ in range(policy.quota):
            limits.consume(policy, person.id)
