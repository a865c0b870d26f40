"""Guesses of passwords: what is counted, for whom, and who is never refused for it."""

import re
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import pairwise

import pytest
from flask import Flask
from structlog.testing import capture_logs

from api.http import guesses
from api.http.context import context_of
from tests.support.people import PASSWORD, Builders, Person, assert_problem
from tests.support.sign_ins import (
    WRONG,
    a_policy,
    an_address,
    an_ipv4_address,
    neighbour_of,
    sign_in_from,
    sign_up_from,
    statuses,
    unknown_name,
)
from tests.support.transports import ApiResponse

QUOTA = guesses.FAILURES.quota
NEW = "yet another of my words"


# Security 5
def test_guesses_of_a_password_are_429_and_do_not_lock_the_owner_out(
    strict_app: Flask, builders: Builders
) -> None:
    person, address = builders.new_user(), an_address()
    responses = [sign_in_from(strict_app, address, person.username) for _ in range(QUOTA + 1)]
    assert [response.status_code for response in responses] == [401] * QUOTA + [429]
    assert_problem(responses[-1], 429, "too-many-requests")
    assert int(responses[-1].headers["Retry-After"]) <= 900
    right = sign_in_from(strict_app, address, person.username, PASSWORD)
    assert right.status_code == 429, "the right password is not told from a wrong one"
    assert sign_in_from(strict_app, an_address(), person.username, PASSWORD).status_code == 201


# Security 5
def test_an_owner_signs_in_from_a_known_network_while_200_other_networks_guess(
    strict_app: Flask, builders: Builders
) -> None:
    person, home = builders.new_user(), an_address()
    assert sign_in_from(strict_app, home, person.username, PASSWORD).status_code == 201
    for number in range(2, 202):  # of the same /48, which uses up the quota of the range
        last = sign_in_from(strict_app, neighbour_of(home, number), person.username)
    assert last.status_code == 429
    assert '"sign-in-failures-from-range";r=0' in last.headers["RateLimit"]
    stranger = neighbour_of(home, 999)
    assert sign_in_from(strict_app, stranger, person.username, PASSWORD).status_code == 429
    for _ in range(3):
        assert sign_in_from(strict_app, home, person.username, PASSWORD).status_code == 201


# Security 5
def test_a_known_network_keeps_its_own_allowance_and_no_more(
    strict_app: Flask, builders: Builders, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guesses, "FAILURES_FROM_RANGE", a_policy("from-range", 5))
    person, home = builders.new_user(), an_address()
    assert sign_in_from(strict_app, home, person.username, PASSWORD).status_code == 201
    for _ in range(5):
        sign_in_from(strict_app, neighbour_of(home, 7), person.username)
    found = statuses(sign_in_from(strict_app, home, person.username) for _ in range(20))
    assert found == {401: QUOTA, 429: 20 - QUOTA}


# Security 5
def test_a_right_password_is_no_failure(strict_app: Flask, builders: Builders) -> None:
    person, address = builders.new_user(), an_address()
    for _ in range(QUOTA + 5):
        assert sign_in_from(strict_app, address, person.username, PASSWORD).status_code == 201
    wrong = sign_in_from(strict_app, address, person.username)
    assert f'"sign-in-failures";r={QUOTA - 1};' in wrong.headers["RateLimit"]


# Security 5
def test_a_right_password_gives_back_no_failure(
    strict_app: Flask, builders: Builders, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guesses, "FAILURES_OF_NETWORK", a_policy("of-network", 8))
    mine, address = builders.new_user(), an_address()
    found = Counter[int]()
    for _ in range(12):  # who tries the passwords of others, and has an account too
        found[sign_in_from(strict_app, address, unknown_name()).status_code] += 1
        assert sign_in_from(strict_app, address, mine.username, PASSWORD).status_code == 201
    assert found == {401: 8, 429: 4}


# Security 5
def test_a_network_that_guesses_a_thousand_names_is_429_and_its_users_are_not(
    strict_app: Flask, builders: Builders
) -> None:
    person, address = builders.new_user(), an_address()
    assert sign_in_from(strict_app, address, person.username, PASSWORD).status_code == 201
    quota = guesses.FAILURES_OF_NETWORK.quota
    found = statuses(sign_in_from(strict_app, address, unknown_name()) for _ in range(1_000))
    assert found == {401: quota, 429: 1_000 - quota}
    newcomer = builders.new_user()
    refused = sign_in_from(strict_app, address, newcomer.username, PASSWORD)
    assert_problem(refused, 429, "too-many-requests")
    assert sign_in_from(strict_app, address, person.username, PASSWORD).status_code == 201


# Security 5
def test_networks_of_a_48_share_a_looser_quota_of_an_account_and_of_all(
    strict_app: Flask, builders: Builders, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guesses, "FAILURES_FROM_RANGE", a_policy("from-range", 15))
    monkeypatch.setattr(guesses, "FAILURES_OF_RANGE", a_policy("of-range", 25))
    person, address = builders.new_user(), an_address()
    found = statuses(
        sign_in_from(strict_app, neighbour_of(address, number), person.username)
        for number in range(1, 30)
    )
    assert found == {401: 15, 429: 14}
    found = statuses(
        sign_in_from(strict_app, neighbour_of(address, number), unknown_name())
        for number in range(30, 60)
    )
    assert found == {401: 10, 429: 20}


# Security 5
def test_addresses_of_a_24_share_a_looser_quota(
    strict_app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guesses, "FAILURES_FROM_RANGE", a_policy("from-range", 15))
    username, start = unknown_name(), an_ipv4_address().rpartition(".")[0]
    found = statuses(
        sign_in_from(strict_app, f"{start}.{number}", username) for number in range(1, 21)
    )
    assert found == {401: 15, 429: 5}


# Security 5
def test_all_spellings_of_a_username_share_a_quota(strict_app: Flask, builders: Builders) -> None:
    username, address = builders.new_user().username, an_address()
    fullwidth = "".join(chr(ord(letter) + 0xFEE0) for letter in username)
    assert sign_in_from(strict_app, address, fullwidth, PASSWORD).status_code == 201
    for spelling in (username, username.upper(), fullwidth) * 4:
        last = sign_in_from(strict_app, address, spelling)
    assert last.status_code == 429


# Security 5
def test_addresses_of_an_ipv6_64_share_a_quota(strict_app: Flask, builders: Builders) -> None:
    username, address = builders.new_user().username, an_address()
    for number in range(QUOTA):
        sign_in_from(strict_app, f"{address[:-1]}{number + 2}", username)
    assert sign_in_from(strict_app, address, username).status_code == 429


# Security 3, 5
def test_an_unknown_username_is_refused_as_a_known_one_is(
    strict_app: Flask, builders: Builders
) -> None:
    names = (builders.new_user().username, unknown_name())
    answers: list[list[object]] = []
    for username in names:
        address = an_address()
        responses = [sign_in_from(strict_app, address, username) for _ in range(QUOTA + 3)]
        answers.append([_comparable(response) for response in responses])
    assert answers[0] == answers[1]


# Security 5
def test_many_guesses_at_once_do_not_pass_the_quota(strict_app: Flask, builders: Builders) -> None:
    person, address = builders.new_user(), an_address()
    with ThreadPoolExecutor(16) as threads:
        responses = list(
            threads.map(lambda _: sign_in_from(strict_app, address, person.username), range(80))
        )
    found = statuses(iter(responses))
    assert set(found) <= {401, 429, 503}
    assert found[401] <= QUOTA
    found += statuses(sign_in_from(strict_app, address, person.username) for _ in range(QUOTA))
    assert found[401] == QUOTA, "what was not checked was given back"


# Security 5
def test_a_password_that_was_not_checked_is_not_counted(
    strict_app: Flask, builders: Builders, monkeypatch: pytest.MonkeyPatch
) -> None:
    person, address = builders.new_user(), an_address()
    turns = context_of(strict_app).passwords._turns
    with monkeypatch.context() as patch:
        patch.setattr(turns, "take", lambda: False)
        for _ in range(QUOTA + 5):
            response = sign_in_from(strict_app, address, person.username)
            assert_problem(response, 503, "too-busy")
    assert sign_in_from(strict_app, address, person.username).status_code == 401


# Security 5
def test_a_sign_up_that_is_503_is_not_counted(
    strict_app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guesses, "SIGN_UPS", a_policy("sign-ups", 2))
    address, turns = an_address(), context_of(strict_app).passwords._turns
    with monkeypatch.context() as patch:
        patch.setattr(turns, "take", lambda: False)
        for _ in range(5):
            assert_problem(sign_up_from(strict_app, address), 503, "too-busy")
    found = [sign_up_from(strict_app, address).status_code for _ in range(3)]
    assert found == [201, 201, 429]


# Security 5
def test_sign_ups_from_one_network_are_limited(
    strict_app: Flask, builders: Builders, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guesses, "SIGN_UPS", a_policy("sign-ups", 3))
    monkeypatch.setattr(guesses, "SIGN_UPS_OF_RANGE", a_policy("sign-ups-of-range", 5))
    address, taken = an_address(), builders.new_user().username
    found = [sign_up_from(strict_app, address).status_code for _ in range(2)]
    found += [sign_up_from(strict_app, address, taken).status_code for _ in range(2)]
    assert found == [201, 201, 409, 429], "a name that is taken counts"
    found = [sign_up_from(strict_app, neighbour_of(address, n)).status_code for n in (2, 3, 4)]
    assert found == [201, 201, 429]
    assert sign_up_from(strict_app, an_address()).status_code == 201


def change_password(person: Person, current: str, password: str = NEW) -> ApiResponse:
    body = {"password": password, "current_password": current}
    return person.patch("/v1/me", json=body)


# Security 5
def test_a_stolen_session_cannot_guess_the_password_nor_keep_its_owner_from_changing_it(
    strict_app: Flask, builders: Builders
) -> None:
    person = builders.new_user()
    stolen, own = person.on(strict_app), person.sign_in().on(strict_app)
    found = statuses(change_password(stolen, f"{WRONG} {number}") for number in range(12))
    assert found == {403: 5, 429: 7}, "a request has two guesses"
    refused = change_password(stolen, PASSWORD)
    assert_problem(refused, 429, "too-many-requests")
    assert change_password(own, PASSWORD).status_code == 200


# Security 5
def test_guesses_by_a_session_are_bounded_for_a_day(
    strict_app: Flask, builders: Builders, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guesses, "PASSWORD_GUESSES", a_policy("password-guesses", 1_000))
    monkeypatch.setattr(guesses, "PASSWORD_CHANGES", a_policy("password-changes", 1_000))
    stolen = builders.new_user().on(strict_app)
    found = statuses(change_password(stolen, WRONG) for _ in range(40))
    assert found == {403: 30, 429: 10}


# Security 5
def test_password_changes_by_one_session_are_limited(
    strict_app: Flask, builders: Builders, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guesses, "PASSWORD_CHANGES", a_policy("password-changes", 2))
    person = builders.new_user().on(strict_app)
    words = [PASSWORD, "first of many words", "second of many words", "third of many words"]
    found = [change_password(person, old, new).status_code for old, new in pairwise(words)]
    assert found == [200, 200, 429]


# Security 5
def test_without_the_cache_a_process_counts_for_itself(
    strict_app_without_cache: Flask, builders: Builders
) -> None:
    app, person, address = strict_app_without_cache, builders.new_user(), an_address()
    with capture_logs() as lines:
        assert sign_in_from(app, address, person.username, PASSWORD).status_code == 201
        found = statuses(sign_in_from(app, address, person.username) for _ in range(QUOTA + 5))
    assert found == {401: QUOTA, 429: 5}
    begun = [line for line in lines if line["event"] == "limits counted by this process alone"]
    assert len(begun) == 1
    assert sign_in_from(app, an_address(), person.username, PASSWORD).status_code == 201


# Security 5
def test_without_the_cache_a_known_network_keeps_its_allowance(
    strict_app_without_cache: Flask, builders: Builders, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guesses, "FAILURES_FROM_RANGE", a_policy("from-range", 3))
    app, person, home = strict_app_without_cache, builders.new_user(), an_address()
    assert sign_in_from(app, home, person.username, PASSWORD).status_code == 201
    for number in range(2, 9):
        last = sign_in_from(app, neighbour_of(home, number), person.username)
    assert last.status_code == 429
    assert sign_in_from(app, home, person.username, PASSWORD).status_code == 201


# Security 5
def test_without_the_cache_sign_ups_and_password_changes_are_limited(
    strict_app_without_cache: Flask, builders: Builders, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guesses, "SIGN_UPS", a_policy("sign-ups", 2))
    app, address = strict_app_without_cache, an_address()
    found = [sign_up_from(app, address).status_code for _ in range(3)]
    assert found == [201, 201, 429]
    stolen = builders.new_user().on(app)
    assert statuses(change_password(stolen, WRONG) for _ in range(7)) == {403: 5, 429: 2}


def test_responses_have_rate_limit_headers(strict_app: Flask, builders: Builders) -> None:
    response = sign_in_from(strict_app, an_address(), builders.new_user().username)
    assert '"sign-in-failures";q=10;w=900' in response.headers["RateLimit-Policy"]
    assert '"sign-in-failures";r=9;t=900' in response.headers["RateLimit"]


# Security 5
def test_events_of_security_are_log_lines_with_account_and_network_and_no_secret(
    strict_app: Flask, builders: Builders
) -> None:
    address = an_ipv4_address()
    with capture_logs() as lines:
        user = sign_up_from(strict_app, address).json["user"]
        person = replace(builders.new_user(), id=int(user["id"]), username=user["username"])
        for password in (WRONG, PASSWORD):
            signed_in = sign_in_from(strict_app, address, person.username, password)
        sign_in_from(strict_app, address, "a password typed as a name")
        me = person.on(strict_app, signed_in.json["auth_token"])
        other = me.on(strict_app, _token(strict_app, address, person))
        sessions = me.get("/v1/me/sessions").json["sessions"]
        change_password(me, WRONG)
        [other_id] = [
            s["id"] for s in other.get("/v1/me/sessions").json["sessions"] if s["current"]
        ]
        me.delete(f"/v1/me/sessions/{other_id}")
        change_password(me, PASSWORD)
        me.delete("/v1/me/sessions/current")
    events = [line for line in lines if line.get("security")]
    assert [(line["event"], line["account_id"]) for line in events] == [
        ("signed-up", person.id),
        ("sign-in-failed", person.id),
        ("signed-in", person.id),
        ("sign-in-failed", None),
        ("signed-in", person.id),
        ("password-change-failed", person.id),
        ("session-revoked", person.id),
        ("password-changed", person.id),
        ("signed-out", person.id),
    ]
    assert {line["network"] for line in events[:5]} == {address}
    assert len(sessions) == 3
    for secret in (PASSWORD, WRONG, NEW, me.token, other.token, "a password typed as a name"):
        assert secret not in str(lines)


def _token(app: Flask, address: str, person: Person) -> str:
    return str(sign_in_from(app, address, person.username, PASSWORD).json["auth_token"])


def _comparable(response: ApiResponse) -> object:
    """What must not show whether a user exists."""
    body = {name: value for name, value in response.json.items() if name != "request_id"}
    limit = re.sub(r"t=\d+", "", response.headers["RateLimit"])
    return response.status_code, body, limit
