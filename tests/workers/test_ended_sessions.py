"""Case 59. Sessions that ended at once are cleared in pages, their copies before them."""

from datetime import UTC, datetime, timedelta

import pytest

from graph.events import Event
from graph.ids import MAX_ID, new_id
from graph.users import SESSIONS_ENDED_ONE_BY_ONE
from storage.errors import StorageUnavailableError
from storage.sessions import SessionCopy
from tests.support.stage import Stage
from workers import ended_sessions

MANY = SESSIONS_ENDED_ONE_BY_ONE + 100


def create_session(stage: Stage, user_id: int) -> int:
    return stage.graph.sessions.create(
        session_id=new_id(),
        user_id=user_id,
        secret_sha256="5e" * 32,
        expires_at=datetime.now(UTC) + timedelta(hours=1),
    ).session.id


def keep_copy(stage: Stage, user_id: int, session_id: int) -> None:
    """Put a copy of the session into the cache, as a request does."""
    token = stage.storage.sessions.reserve(user_id, session_id)
    assert token
    copy = SessionCopy(user_id=user_id, secret_sha256="5e" * 32, expires_at=2**40)
    assert stage.storage.sessions.fill(session_id, token, copy)


def change_password(stage: Stage, user_id: int, keep: int) -> Event:
    """A password change whose request died after its commit: its event."""
    stored = stage.graph.users.password_hash(user_id)
    ended = stage.graph.users.set_password(
        user_id, "new", checked_hash=stored, keep_session_id=keep
    )
    assert ended.event
    return ended.event


# Case 59
def test_no_session_is_deleted_before_its_copies_are_announced_as_gone(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = stage.town.user()
    old = stage.town.old_sessions(user, MANY)
    mine = create_session(stage, user)
    event = change_password(stage, user, mine)

    def fail(_keys: object) -> None:
        raise StorageUnavailableError("cache")

    monkeypatch.setattr(stage.storage.changes, "announce", fail)
    with pytest.raises(StorageUnavailableError):
        ended_sessions.clear(stage.graph, stage.storage, event)
    assert len(stage.graph.sessions.ended_ids(user, before=MAX_ID, limit=1_000)) == len(old)


# Case 59
def test_the_event_drops_the_copies_and_deletes_the_sessions(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ended_sessions, "PAGE", 40)
    user = stage.town.user()
    old = stage.town.old_sessions(user, MANY)
    mine = create_session(stage, user)
    for session_id in (mine, old[0], old[-1]):
        keep_copy(stage, user, session_id)
    change_password(stage, user, mine)
    stage.do_all(user)  # a busy machine may need more than one turn
    assert stage.storage.sessions.read(user, old[0]) is None
    assert stage.storage.sessions.read(user, old[-1]) is None
    assert stage.storage.sessions.read(user, mine)
    assert stage.graph.sessions.ended_ids(user, before=MAX_ID, limit=1_000) == []
    assert [session.id for session in stage.graph.sessions.of_user(user)] == [mine]


# Case 59
def test_a_turn_that_is_over_leaves_the_rest_to_another_job(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ended_sessions, "PAGE", 100)
    monkeypatch.setattr(ended_sessions, "TURN_SECONDS", 0)
    user = stage.town.user()
    stage.town.old_sessions(user, MANY)
    event = change_password(stage, user, create_session(stage, user))
    assert stage.do(event) == "continued"
    left = stage.graph.sessions.ended_ids(user, before=MAX_ID, limit=1_000)
    assert len(left) == MANY - 100
    stage.do_all(user)
    assert stage.graph.sessions.ended_ids(user, before=MAX_ID, limit=1_000) == []


# Case 59
def test_the_event_of_a_sign_in_drops_the_copies_of_what_it_ended(stage: Stage) -> None:
    user = stage.town.user()
    [oldest, *_] = stage.town.old_sessions(user, 50)
    keep_copy(stage, user, oldest)
    create_session(stage, user)
    [event] = stage.town.events_of(user)
    assert stage.do(event) == "done"
    assert stage.storage.sessions.read(user, oldest) is None
    assert stage.graph.sessions.by_id_or_ended(oldest), "a repeated sign-out of it succeeds"


def test_the_event_of_a_suspension_drops_all_copies_and_deletes_the_sessions(
    stage: Stage,
) -> None:
    user = stage.town.user()
    session_ids = [create_session(stage, user) for _ in range(2)]
    for session_id in session_ids:
        keep_copy(stage, user, session_id)
    event = stage.graph.moderation.suspend(user, operator="ola", reason="spam")
    assert len(stage.graph.sessions.ended_ids(user, before=MAX_ID, limit=9)) == 2
    assert stage.do(event) == "done"
    assert [stage.storage.sessions.read(user, one) for one in session_ids] == [None, None]
    assert stage.graph.sessions.ended_ids(user, before=MAX_ID, limit=9) == []
