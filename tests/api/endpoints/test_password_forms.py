"""Passwords are hashed in NFC; a hash of the form that older versions took is still accepted."""

import threading
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from argon2 import PasswordHasher
from flask import Flask

from api.http.context import context_of
from api.services import accounts
from api.services.passwords import Passwords
from api.services.sessions import Lifetime
from graph import Graph
from graph.errors import GraphUnavailableError
from graph.ids import new_id
from storage import Storage
from tests.support.people import Builders, Person, assert_problem, call_api, sign_in

COMPOSED = "Señor Müller, Ångström"
DECOMPOSED = unicodedata.normalize("NFD", COMPOSED)
FORMS = (COMPOSED, DECOMPOSED)

OTHER = "another long pass\u00e9"

Hashed = Callable[[str], Person]


@pytest.fixture
def hashed_as_sent(builders: Builders, graph: Graph) -> Hashed:
    """Sets a user's hash to that of a password as it is, as older versions did."""

    def hashed(password: str) -> Person:
        person = builders.new_user()
        stored = graph.users.password_hash(person.id)
        as_sent = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1).hash(password)
        graph.users.replace_hash(person.id, as_sent, checked_hash=stored)
        return person

    return hashed


@pytest.mark.parametrize("first", FORMS)
@pytest.mark.parametrize("then", FORMS)
def test_a_password_is_the_same_from_any_keyboard(app: Flask, first: str, then: str) -> None:
    username = f"u{new_id()}"
    account = {"username": username, "password": first}
    assert call_api(app, "POST", "/v1/accounts", json=account).status_code == 201
    assert sign_in(app, username, then).status_code == 201
    assert sign_in(app, username, then[:-1]).status_code == 401


def test_an_older_hash_of_another_form_is_accepted_and_replaced(
    app: Flask, graph: Graph, hashed_as_sent: Hashed
) -> None:
    person = hashed_as_sent(DECOMPOSED)
    before = graph.users.password_hash(person.id)
    assert sign_in(app, person.username, COMPOSED).status_code == 401
    assert sign_in(app, person.username, DECOMPOSED).status_code == 201
    assert graph.users.password_hash(person.id) != before
    for form in FORMS:
        assert sign_in(app, person.username, form).status_code == 201
    assert person.get("/v1/me").status_code == 200  # no session has ended


def test_a_hash_that_is_up_to_date_is_not_replaced(
    app: Flask, graph: Graph, hashed_as_sent: Hashed
) -> None:
    person = hashed_as_sent(COMPOSED)
    before = graph.users.password_hash(person.id)
    assert sign_in(app, person.username, DECOMPOSED).status_code == 201
    assert graph.users.password_hash(person.id) == before


def test_sign_ins_that_replace_a_hash_at_once_all_succeed(
    graph: Graph, storage: Storage, hashed_as_sent: Hashed
) -> None:
    person = hashed_as_sent(DECOMPOSED)
    barrier = threading.Barrier(2)

    class MeetingPasswords(Passwords):
        """Every first sign-in has read the old hash before one of them replaces it."""

        def form_with_hash(self, password: str, password_hash: str | None) -> str | None:
            form = super().form_with_hash(password, password_hash)
            if form == DECOMPOSED:
                barrier.wait(20)
            return form

    passwords = MeetingPasswords()

    def enter(_: int) -> int:
        user, _session = accounts.sign_in(
            graph,
            storage,
            passwords,
            username=person.username,
            password=DECOMPOSED,
            lifetime=Lifetime(days=1),
        )
        return user.id

    with ThreadPoolExecutor(2) as threads:
        assert list(threads.map(enter, range(2))) == [person.id] * 2


def test_a_sign_in_whose_hash_was_replaced_meanwhile_succeeds(
    app: Flask, graph: Graph, storage: Storage, hashed_as_sent: Hashed
) -> None:
    person = hashed_as_sent(DECOMPOSED)

    class SlowPasswords(Passwords):
        """Returns after another sign-in has replaced the hash."""

        def form_with_hash(self, password: str, password_hash: str | None) -> str | None:
            form = super().form_with_hash(password, password_hash)
            assert sign_in(app, person.username, DECOMPOSED).status_code == 201
            return form

    user, _ = accounts.sign_in(
        graph,
        storage,
        SlowPasswords(),
        username=person.username,
        password=DECOMPOSED,
        lifetime=Lifetime(days=1),
    )
    assert user.id == person.id


def test_a_sign_in_succeeds_although_its_hash_cannot_be_replaced(
    monkeypatch: pytest.MonkeyPatch, graph: Graph, app: Flask, hashed_as_sent: Hashed
) -> None:
    person = hashed_as_sent(DECOMPOSED)

    def fail(*_: object, **__: object) -> None:
        raise GraphUnavailableError

    with monkeypatch.context() as patch:
        patch.setattr(type(graph.users), "replace_hash", fail)
        assert sign_in(app, person.username, DECOMPOSED).status_code == 201
    assert sign_in(app, person.username, COMPOSED).status_code == 401
    assert sign_in(app, person.username, DECOMPOSED).status_code == 201
    assert sign_in(app, person.username, COMPOSED).status_code == 201


def test_a_password_is_changed_with_either_form_of_the_current_one(
    app: Flask, hashed_as_sent: Hashed
) -> None:
    person = hashed_as_sent(DECOMPOSED)
    body = {"password": OTHER, "current_password": COMPOSED}
    assert_problem(person.patch("/v1/me", json=body), 403, "wrong-password")
    body = {"password": OTHER, "current_password": DECOMPOSED}
    assert person.patch("/v1/me", json=body).status_code == 200
    for form in ("NFC", "NFD"):
        assert sign_in(app, person.username, unicodedata.normalize(form, OTHER)).status_code == 201


def test_a_password_is_as_long_as_its_composed_form(app: Flask) -> None:
    account = {"username": f"u{new_id()}", "password": "e\u0301" * 4}
    problem = assert_problem(call_api(app, "POST", "/v1/accounts", json=account), 422,
                             "invalid-fields")  # fmt: skip
    assert list(problem["errors"]) == ["password"]
    account["password"] = "four plain words! " + "\u0344" * 503  # 1,024 bytes, 2,030 in NFC
    assert call_api(app, "POST", "/v1/accounts", json=account).status_code == 201
    assert sign_in(app, account["username"], account["password"]).status_code == 201


def test_a_password_in_two_forms_is_tried_twice_whether_or_not_the_user_exists() -> None:
    tried: list[str] = []

    class CountingPasswords(Passwords):
        def _has_hash(self, form: str, password_hash: str | None) -> bool:
            tried.append(form)
            return super()._has_hash(form, password_hash)

    passwords = CountingPasswords()
    for password_hash in (None, passwords.hash("something else")):
        for password, count in ((COMPOSED, 1), (DECOMPOSED, 2)):
            tried.clear()
            assert passwords.form_with_hash(password, password_hash) is None
            assert len(tried) == count


@pytest.fixture
def hashed_by(builders: Builders, graph: Graph) -> Callable[..., Person]:
    """Sets a user's hash of COMPOSED to one of other parameters."""

    def hashed(*, memory_cost: int = 19 * 1024, time_cost: int = 2) -> Person:
        person = builders.new_user()
        hasher = PasswordHasher(time_cost=time_cost, memory_cost=memory_cost, parallelism=1)
        stored = graph.users.password_hash(person.id)
        graph.users.replace_hash(person.id, hasher.hash(COMPOSED), checked_hash=stored)
        return person

    return hashed


# Security 4
@pytest.mark.parametrize("parameters", [{"memory_cost": 8 * 1024}, {"time_cost": 1}])
def test_a_sign_in_replaces_a_hash_of_lower_parameters(
    app: Flask, graph: Graph, hashed_by: Callable[..., Person], parameters: dict[str, int]
) -> None:
    person = hashed_by(**parameters)
    before = graph.users.password_hash(person.id)
    assert sign_in(app, person.username, COMPOSED[:-1]).status_code == 401
    assert graph.users.password_hash(person.id) == before
    assert sign_in(app, person.username, COMPOSED).status_code == 201
    stored = graph.users.password_hash(person.id)
    assert stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert sign_in(app, person.username, COMPOSED).status_code == 201
    assert graph.users.password_hash(person.id) == stored
    assert person.get("/v1/me").status_code == 200  # no session has ended


def test_a_hash_of_higher_parameters_stays(
    app: Flask, graph: Graph, hashed_by: Callable[..., Person]
) -> None:
    person = hashed_by(time_cost=3)
    before = graph.users.password_hash(person.id)
    assert sign_in(app, person.username, COMPOSED).status_code == 201
    assert graph.users.password_hash(person.id) == before


def test_one_hash_is_replaced_at_a_time_and_other_sign_ins_go_first(
    app: Flask, graph: Graph, hashed_by: Callable[..., Person]
) -> None:
    person, passwords = hashed_by(time_cost=1), context_of(app).passwords
    before = graph.users.password_hash(person.id)
    with passwords.rehash_turn() as is_free:
        assert is_free
        assert sign_in(app, person.username, COMPOSED).status_code == 201
        assert graph.users.password_hash(person.id) == before
    assert sign_in(app, person.username, COMPOSED).status_code == 201
    assert graph.users.password_hash(person.id) != before


# Security 5
def test_all_forms_of_a_password_are_checked_in_one_turn() -> None:
    """A refusal between them would show that the first is wrong, and count as no guess."""
    passwords = Passwords()
    stored = passwords.hash("something else")
    take = passwords._turns.take
    taken: list[None] = []

    def counted_take() -> bool:
        taken.append(None)
        return take()

    passwords._turns.take = counted_take  # type: ignore[method-assign]
    assert passwords.form_with_hash(DECOMPOSED, stored) is None
    assert not passwords.verify(stored, DECOMPOSED, OTHER)
    assert len(taken) == 2
