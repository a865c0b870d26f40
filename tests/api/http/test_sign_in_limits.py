"""Right passwords have limits too: each sign-in costs a hash and a session."""

import pytest
from flask import Flask

from api.http import guesses
from api.http.context import context_of
from operators import moderation
from tests.support.people import PASSWORD, Builders, assert_problem
from tests.support.sign_ins import (
    a_policy,
    an_address,
    neighbour_of,
    sign_in_from,
    statuses,
    unknown_name,
)

FAILURES_AN_HOUR = guesses.FAILURES.quota * 3_600 // guesses.FAILURES.window_seconds


def test_who_guesses_at_the_owners_address_leaves_the_owner_some_sign_ins() -> None:
    assert guesses.SIGN_INS.window_seconds == 3_600
    assert guesses.SIGN_INS.quota > FAILURES_AN_HOUR


# Security 5
def test_right_passwords_of_an_account_are_limited_in_one_network(
    strict_app: Flask, builders: Builders, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(guesses, "_is_known")  # what is refused anyway asks no graph
    person, address = builders.new_user(), an_address()
    quota = guesses.SIGN_INS.quota
    responses = [
        sign_in_from(strict_app, address, person.username, PASSWORD) for _ in range(quota + 5)
    ]
    assert statuses(responses) == {201: quota, 429: 5}
    assert f'"sign-ins";r={quota - 1};' in responses[0].headers["RateLimit"]
    assert_problem(responses[-1], 429, "too-many-requests")
    assert int(responses[-1].headers["Retry-After"]) <= 3_600
    assert sign_in_from(strict_app, address, person.username).status_code == 429
    assert sign_in_from(strict_app, an_address(), person.username, PASSWORD).status_code == 201


# Security 5
def test_one_network_and_one_range_with_many_accounts_are_limited(
    strict_app: Flask, builders: Builders, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guesses, "SIGN_INS_OF_NETWORK", a_policy("of-network", 4))
    monkeypatch.setattr(guesses, "SIGN_INS_OF_RANGE", a_policy("of-range", 6))
    address, people = an_address(), [builders.new_user() for _ in range(9)]
    responses = [
        sign_in_from(strict_app, address, person.username, PASSWORD) for person in people[:6]
    ]
    assert statuses(responses) == {201: 4, 429: 2}
    responses = [
        sign_in_from(strict_app, neighbour_of(address, number), person.username, PASSWORD)
        for number, person in enumerate(people[6:], start=2)
    ]
    assert statuses(responses) == {201: 2, 429: 1}


# Security 5
def test_a_known_network_keeps_its_own_sign_ins(
    strict_app: Flask, builders: Builders, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guesses, "SIGN_INS_OF_NETWORK", a_policy("of-network", 3))
    owner, neighbour, address = builders.new_user(), builders.new_user(), an_address()
    assert sign_in_from(strict_app, address, owner.username, PASSWORD).status_code == 201
    for _ in range(4):
        sign_in_from(strict_app, address, neighbour.username, PASSWORD)
    stranger = builders.new_user()
    assert sign_in_from(strict_app, address, stranger.username, PASSWORD).status_code == 429
    assert sign_in_from(strict_app, address, owner.username, PASSWORD).status_code == 201


# Security 5
def test_a_refused_sign_in_costs_nothing(
    strict_app: Flask, builders: Builders, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guesses, "FAILURES", a_policy("failures", 2))
    sign_ins = a_policy("sign-ins", 10)
    monkeypatch.setattr(guesses, "SIGN_INS", sign_ins)
    username, address = builders.new_user().username, an_address()
    found = statuses(sign_in_from(strict_app, address, username) for _ in range(30))
    assert found == {401: 2, 429: 28}
    monkeypatch.setattr(guesses, "FAILURES", a_policy("failures", 2))
    right = sign_in_from(strict_app, address, username, PASSWORD)
    assert f'"{sign_ins.name}";r=7;' in right.headers["RateLimit"]


# Security 5
def test_a_sign_in_that_was_not_checked_costs_nothing(
    strict_app: Flask, builders: Builders, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guesses, "SIGN_INS", a_policy("sign-ins", 2))
    person, address = builders.new_user(), an_address()
    turns = context_of(strict_app).passwords._turns
    with monkeypatch.context() as patch:
        patch.setattr(turns, "take", lambda: False)
        for _ in range(5):
            busy = sign_in_from(strict_app, address, person.username, PASSWORD)
            assert_problem(busy, 503, "too-busy")
    found = statuses(sign_in_from(strict_app, address, person.username, PASSWORD) for _ in range(3))
    assert found == {201: 2, 429: 1}


# Security 5
def test_a_suspended_owner_has_the_limits_of_others(
    strict_app: Flask, builders: Builders, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guesses, "SIGN_INS", a_policy("sign-ins", guesses.FAILURES.quota + 2))
    person, address, context = builders.new_user(), an_address(), context_of(strict_app)
    moderation.suspend(context.graph, context.storage, person.id, operator="eve", reason=None)
    found = statuses(
        sign_in_from(strict_app, address, person.username, PASSWORD)
        for _ in range(guesses.FAILURES.quota + 3)
    )
    assert found == {403: guesses.FAILURES.quota + 2, 429: 1}


# Security 5
def test_without_the_cache_right_passwords_are_limited(
    strict_app_without_cache: Flask, builders: Builders, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guesses, "SIGN_INS", a_policy("sign-ins", 2))
    app, person, address = strict_app_without_cache, builders.new_user(), an_address()
    found = statuses(sign_in_from(app, address, person.username, PASSWORD) for _ in range(3))
    assert found == {201: 2, 429: 1}
    assert sign_in_from(app, address, unknown_name()).status_code == 401
