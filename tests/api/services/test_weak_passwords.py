"""Weak passwords are refused where a password is set, and only there."""

import itertools
import random
import secrets
import time
from collections.abc import Callable
from functools import partial

import pytest
from argon2 import PasswordHasher
from flask import Flask
from zxcvbn.frequency_lists import FREQUENCY_LISTS

from api.services import weak_passwords
from api.services.errors import TooBusyError, WeakPasswordError
from api.services.weak_passwords import COMMON, require_strong
from graph import Graph
from tests.support.people import PASSWORD, Builders, assert_problem, call_api, sign_in
from tests.support.transports import ApiResponse

WEAK = "baseball1"


def fullwidth(text: str) -> str:
    """The text in the letters of East Asian keyboards."""
    return "".join(chr(ord(letter) + 0xFEE0) for letter in text)


def sign_up(app: Flask, password: str, username: str = "") -> ApiResponse:
    account = {"username": username or f"u{secrets.token_hex(8)}", "password": password}
    return call_api(app, "POST", "/v1/accounts", json=account)


def assert_weak(password: str, username: str = "somebody") -> str:
    """The reason and the advice."""
    with pytest.raises(WeakPasswordError) as caught:
        require_strong(password, username)
    return str(caught.value)


# Security 6
@pytest.mark.parametrize(
    "password", ["password", "12345678", "Baseball", fullwidth("password"), WEAK]
)
def test_a_common_password_is_422_and_says_what_to_do(app: Flask, password: str) -> None:
    problem = assert_problem(sign_up(app, password), 422, "weak-password")
    [reason] = problem["errors"]["password"]
    assert "Use several words" in reason
    assert problem["detail"] == reason


# Security 6
def test_thousands_of_common_passwords_are_refused() -> None:
    assert len(COMMON) == len(FREQUENCY_LISTS["passwords"]) == 30_000
    long_enough = [password for password in COMMON if len(password) >= 8]
    assert len(long_enough) > 8_000
    for password in random.Random(6).sample(sorted(long_enough), 300):
        assert "most common" in assert_weak(password)


# Security 6
@pytest.mark.parametrize(
    "password",
    [
        "ana_lopes.88",
        "ANALOPES!",
        "lopes_ana",
        "sepol1988",
        "sepol_ana!!",
        "88ana.ana",
        "Lopes2025",
        fullwidth("analopes"),
        "ana.lopes.ana.lopes",
    ],
)
def test_a_password_made_of_the_username_is_refused(password: str) -> None:
    assert "made of the username" in assert_weak(password, "ana_lopes.88")


# Security 6
@pytest.mark.parametrize("password", ["aaaaaaaaaaaa", "abcdefghijk", "qwertyuio1", "photofeed1"])
def test_an_easily_guessed_password_is_refused(password: str) -> None:
    assert "easily guessed" in assert_weak(password)


# Security 6
@pytest.mark.parametrize(
    "password",
    [
        PASSWORD,
        "correct horse battery staple",
        "Señor Müller, Ångström",
        "мой длинный пароль",
        "ana likes her garden",
        secrets.token_urlsafe(12),
        "a" * 300 + "plum tower orbit",
        "plum tower orbit" + "a" * 1_000,
    ],
    ids=range(8),  # one is random, and all test processes need the same names
)
def test_a_strong_password_is_accepted(password: str) -> None:
    require_strong(password, "ana_lopes")


# Security 6
def test_a_weak_new_password_is_refused_and_changes_nothing(app: Flask, builders: Builders) -> None:
    person = builders.new_user()
    for password in (WEAK, f"{person.username}!"):
        body = {"password": password, "current_password": PASSWORD}
        problem = assert_problem(person.patch("/v1/me", json=body), 422, "weak-password")
        assert list(problem["errors"]) == ["password"]
    assert sign_in(app, person.username, PASSWORD).status_code == 201


# Security 6
def test_a_weak_password_of_an_older_version_still_signs_in_and_can_be_changed(
    app: Flask, builders: Builders, graph: Graph
) -> None:
    person = builders.new_user()
    stored = graph.users.password_hash(person.id)
    weak_hash = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1).hash(WEAK)
    graph.users.replace_hash(person.id, weak_hash, checked_hash=stored)
    assert sign_in(app, person.username, WEAK).status_code == 201
    body = {"password": "three plain words", "current_password": WEAK}
    assert person.patch("/v1/me", json=body).status_code == 200


# Security 6
def test_no_password_takes_long_to_judge() -> None:
    signs = "".join(sorted(weak_passwords.SIGNS))
    texts = ["4@8({[<69#!1|/0$5+7%2" * 48, "1234567890-=!@#$%^&*()" * 46, "(a" * 500, "ab" * 500]
    texts += ["".join(four) + "4836910572abcdef" for four in itertools.combinations(signs, 4)][::20]
    for text in texts:
        assert _seconds_of(partial(_judge, text)) < 1.5, text  # 0.1 s on a calm core


# Security 6
def test_passwords_are_judged_one_at_a_time_and_others_are_503(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(weak_passwords._turns, "_wait_seconds", 0.05)
    with weak_passwords._turns.turn(TooBusyError):
        assert_problem(sign_up(app, "three plain words"), 503, "too-busy")
    assert sign_up(app, "three plain words").status_code == 201


def _judge(password: str) -> None:
    try:
        require_strong(password, "ana_lopes.88")
    except WeakPasswordError:
        return


def _seconds_of(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began
