"""Passwords that change while one is checked, and many checks at once."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest
from flask import Flask

from api.services import accounts
from api.services.errors import (
    NotSignedInError,
    TooBusyError,
    WrongCredentialsError,
    WrongPasswordError,
)
from api.services.passwords import Passwords
from api.services.sessions import Lifetime, Viewer
from graph import Graph
from storage import Storage
from tests.support.eventually import eventually
from tests.support.people import OTHER_PASSWORD, PASSWORD, Builders, Person, sign_in


def test_a_sign_in_with_a_password_changed_meanwhile_creates_no_session(
    builders: Builders, graph: Graph, storage: Storage
) -> None:
    person = builders.new_user()

    class SlowPasswords(Passwords):
        """Returns after the password has been changed."""

        def form_with_hash(self, password: str, password_hash: str | None) -> str | None:
            form = super().form_with_hash(password, password_hash)
            body = {"password": OTHER_PASSWORD, "current_password": PASSWORD}
            assert person.patch("/v1/me", json=body).status_code == 200
            return form

    with pytest.raises(WrongCredentialsError):
        accounts.sign_in(
            graph,
            storage,
            SlowPasswords(),
            username=person.username,
            password=PASSWORD,
            lifetime=Lifetime(days=1),
        )


class InterruptedPasswords(Passwords):
    """Calls a function between its first check and the return."""

    def __init__(self, then: Callable[[], object]) -> None:
        super().__init__()
        self._then: Callable[[], object] | None = then

    def verify(self, password_hash: str, *passwords: str) -> bool:
        matches = super().verify(password_hash, *passwords)
        then, self._then = self._then, None
        if then:
            then()
        return matches


def change_slowly(
    person: Person, graph: Graph, storage: Storage, then: Callable[[], object]
) -> None:
    [session] = graph.sessions.of_user(person.id)
    accounts.change_password(
        graph,
        storage,
        InterruptedPasswords(then),
        viewer=Viewer(user_id=person.id, session_id=session.id),
        current_password=PASSWORD,
        password="from an older request",
    )


def test_a_slow_password_change_does_not_undo_a_newer_one(
    app: Flask, builders: Builders, graph: Graph, storage: Storage
) -> None:
    person = builders.new_user()
    body = {"password": OTHER_PASSWORD, "current_password": PASSWORD}
    with pytest.raises(WrongPasswordError):
        change_slowly(person, graph, storage, lambda: person.patch("/v1/me", json=body))
    assert sign_in(app, person.username, OTHER_PASSWORD).status_code == 201


def test_a_session_that_has_ended_changes_no_password(
    app: Flask, builders: Builders, graph: Graph, storage: Storage
) -> None:
    person = builders.new_user()
    with pytest.raises(NotSignedInError):
        change_slowly(person, graph, storage, lambda: person.delete("/v1/me/sessions/current"))
    assert sign_in(app, person.username, PASSWORD).status_code == 201


# Security 4
def test_a_hash_beyond_the_bound_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("api.services.passwords._WAIT_SECONDS", 0.05)
    passwords = Passwords()
    release, barrier = threading.Event(), threading.Barrier(3)

    def hold() -> None:
        with passwords._turns.turn(TooBusyError):
            barrier.wait(10)
            release.wait(10)

    threads = [threading.Thread(target=hold) for _ in range(2)]
    for thread in threads:
        thread.start()
    barrier.wait(10)
    with pytest.raises(TooBusyError):
        passwords.hash("a password")
    release.set()
    for thread in threads:
        thread.join()
    assert passwords.verify(passwords.hash("a password"), "a password")


# Security 4
def test_a_flood_of_sign_ins_occupies_three_threads_after_a_wait_in_vain(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    passwords = Passwords()
    with ThreadPoolExecutor(8) as pool, ExitStack() as held:
        for _ in range(2):
            held.enter_context(passwords._turns.turn(TooBusyError))
        with pytest.raises(TooBusyError):  # waits in vain
            passwords.hash("a password")
        monkeypatch.setattr(passwords._turns, "_wait_seconds", 30)
        monkeypatch.setattr(passwords._turns, "_busy_until", time.monotonic() + 30)
        waiting = pool.submit(passwords.hash, "a password")
        eventually(lambda: len(passwords._turns._waiting) == 1)
        flood = [pool.submit(passwords.hash, "a password") for _ in range(7)]
        for refused in flood:
            assert isinstance(refused.exception(10), TooBusyError)
        held.close()
        assert waiting.result(30)


def test_a_hash_waits_a_third_of_a_second_at_most() -> None:
    passwords = Passwords()
    with ExitStack() as held:
        for _ in range(2):
            held.enter_context(passwords._turns.turn(TooBusyError))
        began = time.monotonic()
        with pytest.raises(TooBusyError):
            passwords.hash("a password")
        first, began = time.monotonic() - began, time.monotonic()
        assert passwords._turns._busy_until > began, "then comes a busy period"
    assert 0.3 <= first < 1.5
