"""Last uses of sessions: noted by requests, written seldom. Sessions that are not used end."""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask

from api.app import create_app
from api.http.context import context_of
from api.services import last_uses
from api.services.last_uses import LastUses
from api.services.sessions import Lifetime
from graph import Graph
from graph.errors import GraphUnavailableError
from graph.sessions import Session
from storage import Storage
from storage.sessions import SessionCopy, copy_key
from tests.support.eventually import eventually
from tests.support.people import Builders, Person, assert_problem, call_api
from tests.support.town import Town

DAY = timedelta(days=1)


@pytest.fixture
def uses(graph: Graph, storage: Storage) -> LastUses:
    """Uses that are written when a test says so."""
    return LastUses(graph, storage, idle_days=14)


def session_of(graph: Graph, person: Person) -> Session:
    [session] = graph.sessions.of_user(person.id)
    return session


def make_idle(graph: Graph, person: Person, *, left: timedelta, days: float = 1) -> Session:
    """The person's session, unused for so many days, which ends soon unless it is used."""
    session = session_of(graph, person)
    Town(graph).query(
        "MATCH (s:Session {id: $id}) SET s.expires_at = $expires_at, s.ends_at = $ends_at, "
        "s.last_used_at = timestamp() - $idle_ms",
        id=session.id,
        expires_at=_ms(datetime.now(UTC) + left),
        ends_at=_ms(datetime.now(UTC) + 30 * DAY),
        idle_ms=int(days * 86_400_000),
    )
    return session_of(graph, person)


def test_a_request_is_noted_and_written_later(
    app: Flask, builders: Builders, graph: Graph, uses: LastUses, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = builders.new_user()
    idle = make_idle(graph, person, left=2 * DAY)
    context = replace(context_of(app), last_uses=uses)
    monkeypatch.setitem(app.extensions, "photofeed", context)
    assert person.get("/v1/me").status_code == 200
    assert session_of(graph, person) == idle, "a request writes nothing"
    uses.write_pending()
    used = session_of(graph, person)
    assert used.last_used_at
    assert idle.last_used_at
    assert used.last_used_at > idle.last_used_at
    assert used.expires_at - datetime.now(UTC) > 13 * DAY


def test_uses_are_noted_once_an_hour_and_written_together(
    graph: Graph, uses: LastUses, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[list[int]] = []

    def set_used(_: object, session_ids: list[int], *, idle_days: int) -> Mapping[int, datetime]:
        assert idle_days == 14
        written.append(session_ids)
        return {}

    monkeypatch.setattr(type(graph.sessions), "set_used", set_used)
    for _ in range(3):
        for session_id in range(300):
            uses.note(7, session_id)
    uses.write_pending()
    assert [len(batch) for batch in written] == [128, 128, 44]
    uses.note(7, 8)
    uses.write_pending()
    assert len(written) == 3
    monkeypatch.setattr(last_uses, "NOTED_SECONDS", 0.0)
    uses.note(7, 8)
    uses.write_pending()
    assert written[3:] == [[8]]


def test_what_is_remembered_is_bounded(uses: LastUses, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(last_uses, "MOST_PENDING", 50)
    monkeypatch.setattr(last_uses, "MOST_NOTED", 80)
    for session_id in range(1_000):
        uses.note(7, session_id)
    assert uses._pending.qsize() == 50
    uses._take_pending()
    for session_id in range(1_000, 2_000):
        uses.note(7, session_id)
    assert len(uses._noted) <= 80


def test_the_thread_writes_by_itself_and_outlives_failures(
    builders: Builders, graph: Graph, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(last_uses, "GATHER_SECONDS", 0.01)
    uses, person, other = (
        LastUses(graph, storage, idle_days=14),
        *(builders.new_user() for _ in range(2)),
    )
    for one in (person, other):
        make_idle(graph, one, left=2 * DAY)
    failed = threading.Event()

    def fail(*_: object, **__: object) -> None:
        failed.set()
        raise GraphUnavailableError

    with monkeypatch.context() as patch:
        patch.setattr(type(graph.sessions), "set_used", fail)
        uses.note(person.id, session_of(graph, person).id)
        uses.start()
        assert failed.wait(30)
    uses.note(other.id, session_of(graph, other).id)
    eventually(lambda: session_of(graph, other).expires_at - datetime.now(UTC) > 13 * DAY)
    uses.close()
    assert not uses._thread.is_alive()


def test_the_copy_of_a_session_that_would_have_ended_soon_is_dropped(
    builders: Builders, graph: Graph, storage: Storage, uses: LastUses
) -> None:
    soon, later = builders.new_user(), builders.new_user()
    for person, left in ((soon, timedelta(hours=5)), (later, 5 * DAY)):
        make_idle(graph, person, left=left)
        storage.sessions.drop(person.id, [session_of(graph, person).id])
        assert person.get("/v1/me").status_code == 200  # caches the session
        uses.note(person.id, session_of(graph, person).id)
    uses.write_pending()
    copies = [
        storage.sessions.read(person.id, session_of(graph, person).id) for person in (soon, later)
    ]
    assert copies[0] is None
    assert copies[1]


# Security 1
def test_a_session_that_is_not_used_ends(
    builders: Builders, graph: Graph, storage: Storage
) -> None:
    person = builders.new_user()
    session = make_idle(graph, person, left=timedelta(seconds=2), days=14)
    token = storage.sessions.reserve(person.id, session.id)
    assert token
    copy = SessionCopy(
        user_id=person.id,
        secret_sha256=session.secret_sha256,
        expires_at=int(session.expires_at.timestamp()),
    )
    assert storage.sessions.fill(session.id, token, copy)
    eventually(lambda: datetime.now(UTC) > session.expires_at)
    for path in ("/v1/me", "/v1/me/feed"):
        assert_problem(person.get(path), 401, "not-signed-in")
    assert graph.sessions.of_user(person.id) == []


def test_a_copy_that_has_just_expired_ends_no_session_in_use(
    builders: Builders, graph: Graph, storage: Storage
) -> None:
    person = builders.new_user()
    assert person.get("/v1/me").status_code == 200
    session = session_of(graph, person)
    key = copy_key(person.id, session.id)
    copy = storage.sessions.read(person.id, session.id)
    assert copy
    old = replace(copy, expires_at=int(time.time()) - 1)
    storage.cache.client.set(key, old.to_bytes(), ex=60)
    assert person.get("/v1/me").status_code == 200


def test_sign_ins_begin_sessions_that_end_after_the_idle_days(
    graph: Graph, strict: Callable[..., Flask], builders: Builders
) -> None:
    person = builders.new_user()
    body = {"username": person.username, "password": "a long password"}
    agent = "Mozilla/5.0 \x1b[31m(X11)\t" + "x" * 500
    answer = call_api(
        strict(session_days=30, session_idle_days=3),
        "POST",
        "/v1/sessions",
        json=body,
        headers={"X-Forwarded-For": "192.0.2.44", "User-Agent": agent},
    )
    ends_at = datetime.fromisoformat(answer.json["expires_at"])
    assert timedelta(days=29) < ends_at - datetime.now(UTC) <= 30 * DAY
    session = graph.sessions.of_user(person.id)[0]
    assert timedelta(days=2) < session.expires_at - datetime.now(UTC) <= 3 * DAY
    shown = person.get("/v1/me/sessions").json["sessions"][0]
    assert shown["expires_at"] == answer.json["expires_at"]
    assert shown["network"] == "192.0.2.44"
    assert shown["last_used_at"] == shown["created_at"]
    assert shown["user_agent"] == "Mozilla/5.0 [31m(X11) " + "x" * 178
    assert len(shown["user_agent"]) == 200


def test_a_session_of_an_older_version_is_listed_without_what_it_lacks(
    builders: Builders, graph: Graph
) -> None:
    person = builders.new_user()
    Town(graph).query(
        "MATCH (s:Session) WHERE s.user_id = $id "
        "REMOVE s.ends_at, s.last_used_at, s.network, s.user_agent",
        id=person.id,
    )
    [shown] = person.get("/v1/me/sessions").json["sessions"]
    assert (shown["last_used_at"], shown["network"], shown["user_agent"]) == (None, None, None)
    assert shown["expires_at"]


def test_a_lifetime_is_no_longer_than_its_days() -> None:
    expires_at, ends_at = Lifetime(days=7, idle_days=90).from_now()
    assert expires_at == ends_at
    assert timedelta(days=6) < ends_at - datetime.now(UTC) <= 7 * DAY


@pytest.fixture
def strict(app: Flask) -> Callable[..., Flask]:
    """A function that creates an app with other settings, behind one proxy."""
    context = context_of(app)

    def make(*, session_days: int, session_idle_days: int) -> Flask:
        settings = replace(
            context.settings,
            trusted_proxies=1,
            session_days=session_days,
            session_idle_days=session_idle_days,
        )
        return create_app(settings, context.graph, context.storage, context.rebuilder)

    return make


def _ms(time_: datetime) -> int:
    return int(time_.timestamp() * 1000)
