import re
from typing import Any

import pytest
from flask import Flask

from api.http import limits
from storage.limits import Limits, Policy
from storage.sessions import SessionCopies
from tests.api.http.test_failing_tokens import an_address
from tests.support.people import Builders, Person, assert_problem, call_api
from tests.support.transports import ApiResponse


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
        body = {"json": {"name": "A Name"}}
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
    ("address", "network", "around"),
    [
        ("192.0.2.7", "192.0.2.7", "192.0.2.0/24"),
        ("::ffff:192.0.2.7", "192.0.2.7", "192.0.2.0/24"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64", "2001:db8:1::/48"),
        ("fe80::1%eth0", "fe80::/64", "fe80::/48"),
        ("192.0.2.7:41200", "192.0.2.7", "192.0.2.0/24"),
        ("[2001:db8:1:2::9]:41200", "2001:db8:1:2::/64", "2001:db8:1::/48"),
        ("nonsense", "unknown", "unknown"),
        ("", "unknown", "unknown"),
    ],
)
def test_a_network_is_an_ipv4_address_or_an_ipv6_64_and_its_range_a_24_or_48(
    app: Flask, address: str, network: str, around: str
) -> None:
    with app.test_request_context(environ_base={"REMOTE_ADDR": address}):
        assert (limits.client_network(), limits.client_range()) == (network, around)


def _use_up(app: Flask, person: Person, policy: Policy) -> None:
    """Consumes the whole quota without sending requests."""
    with app.test_request_context():
        for _ in range(policy.quota):
            limits.consume(policy, person.id)
