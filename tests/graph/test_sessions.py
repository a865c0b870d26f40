import statistics
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest

from graph import Graph
from graph.errors import IdTakenError, NotFoundError
from graph.ids import MAX_ID, new_id, unguessable_id
from graph.sessions import MOST, EndedSession, NewSession, Session
from graph.users import SESSIONS_ENDED_ONE_BY_ONE, FirstSession
from tests.support.concurrency import errors, run_together
from tests.support.town import Town


def session_of(
    graph: Graph, user_id: int, *, hours: float = 1, password_hash: str | None = None
) -> Session:
    return graph.sessions.create(
        session_id=new_id(),
        user_id=user_id,
        secret_sha256="5e" * 32,
        expires_at=datetime.now(UTC) + timedelta(hours=hours),
        password_hash=password_hash,
    ).session


def test_a_session_lasts_until_it_expires(graph: Graph, town: Town) -> None:
    user = town.user()
    lasting, over = session_of(graph, user), session_of(graph, user, hours=-1)
    assert graph.sessions.by_id(lasting.id) == lasting
    assert graph.sessions.by_id(over.id) is None
    assert graph.sessions.of_user(user) == [lasting]


def test_only_its_user_can_end_a_session_and_a_repeat_succeeds(graph: Graph, town: Town) -> None:
    user, other = town.users(2)
    session = session_of(graph, user)
    assert not graph.sessions.delete(session.id, user_id=other)
    assert graph.sessions.by_id(session.id)
    ended = graph.sessions.delete(session.id, user_id=user)
    assert ended
    assert ended.event
    assert (ended.event.kind, ended.event.subject_id) == ("sessions-ended", user)
    assert graph.sessions.by_id(session.id) is None
    assert graph.sessions.delete(session.id, user_id=user) == EndedSession(event=None)


def test_an_ended_session_can_be_read_for_a_day(graph: Graph, town: Town) -> None:
    user = town.user()
    lasting, over = session_of(graph, user), session_of(graph, user, hours=-1)
    assert graph.sessions.by_id_or_ended(lasting.id) == lasting
    assert graph.sessions.by_id_or_ended(over.id) == over
    assert graph.sessions.by_id_or_ended(new_id()) is None


def test_a_session_of_a_user_who_does_not_exist_is_refused(graph: Graph) -> None:
    with pytest.raises(NotFoundError):
        session_of(graph, new_id())


def test_a_creation_repeated_after_its_answer_was_lost_succeeds(graph: Graph, town: Town) -> None:
    session = session_of(graph, town.user())
    again = graph.sessions.create(
        session_id=session.id,
        user_id=session.user_id,
        secret_sha256=session.secret_sha256,
        expires_at=session.expires_at,
    )
    assert again.session == session


def test_a_password_change_ends_all_other_sessions_and_a_repeat_returns_them_again(
    graph: Graph, town: Town
) -> None:
    user = town.user()
    mine, other, third = (session_of(graph, user) for _ in range(3))
    for checked, is_repeat in ((graph.users.password_hash(user), False), ("new hash", True)):
        ended = graph.users.set_password(
            user, "new hash", checked_hash=checked, keep_session_id=mine.id
        )
        assert sorted(ended.ids) == [other.id, third.id]
        assert (ended.event is None) == is_repeat
        assert not ended.has_more
    assert graph.sessions.of_user(user) == [mine]
    assert graph.users.password_hash(user) == "new hash"
    with pytest.raises(NotFoundError):
        graph.users.set_password(
            new_id(), "new hash", checked_hash="new hash", keep_session_id=mine.id
        )


def test_a_user_whose_first_session_cannot_be_created_is_not_created(
    graph: Graph, town: Town
) -> None:
    existing = session_of(graph, town.user())
    username = f"new{new_id()}"
    fields: dict[str, Any] = {"username": username, "name": "Ana", "password_hash": "-"}
    fields["user_id"] = new_id()
    first = FirstSession(id=existing.id, secret_sha256="a1", expires_at=existing.expires_at)
    with pytest.raises(IdTakenError):
        graph.users.create(**fields, session=first)
    assert graph.users.credentials(username) is None
    first = replace(first, id=new_id())
    for _ in range(2):  # the second call is a repeat after a lost answer
        user = graph.users.create(**fields, session=first)
        assert [session.id for session in graph.sessions.of_user(user.id)] == [first.id]


def test_of_many_concurrent_changes_of_one_password_the_first_succeeds(
    graph: Graph, town: Town
) -> None:
    user = town.user()
    old_hash = graph.users.password_hash(user)
    sessions = [session_of(graph, user) for _ in range(8)]

    def change(session: Session) -> str:
        new_hash = f"hash by {session.id}"
        graph.users.set_password(user, new_hash, checked_hash=old_hash, keep_session_id=session.id)
        return new_hash

    outcomes = run_together(*[partial(change, session) for session in sessions])
    assert len(errors(outcomes)) == 7
    assert graph.users.password_hash(user) in outcomes
    assert len(graph.sessions.of_user(user)) == 1


def test_an_ended_session_cannot_change_the_password(graph: Graph, town: Town) -> None:
    user = town.user()
    old_hash = graph.users.password_hash(user)
    mine, other = session_of(graph, user), session_of(graph, user)
    graph.sessions.delete(mine.id, user_id=user)
    with pytest.raises(NotFoundError):
        graph.users.set_password(user, "new hash", checked_hash=old_hash, keep_session_id=mine.id)
    assert graph.sessions.of_user(user) == [other]


def test_a_sign_in_during_a_password_change_leaves_no_session(graph: Graph, town: Town) -> None:
    user = town.user()
    old_hash = graph.users.password_hash(user)
    keep = session_of(graph, user)

    def sign_in() -> None:
        session_of(graph, user, password_hash=old_hash)

    def change() -> None:
        graph.users.set_password(user, "new hash", checked_hash=old_hash, keep_session_id=keep.id)

    run_together(*[sign_in] * 8, change)
    assert graph.sessions.of_user(user) == [keep]


def test_sessions_are_deleted_a_day_after_their_end(graph: Graph, town: Town) -> None:
    user = town.user()
    long_over, over = session_of(graph, user, hours=-25), session_of(graph, user, hours=-1)
    while graph.sessions.delete_expired(1000):
        pass
    assert not graph.sessions.delete(long_over.id, user_id=user)
    assert graph.sessions.delete(over.id, user_id=user)


# Case 59
def test_a_sign_in_ends_the_oldest_of_more_than_fifty_sessions(graph: Graph, town: Town) -> None:
    user, other = town.user(), town.user()
    theirs = session_of(graph, other)
    oldest, second, *others = town.old_sessions(user, MOST + 1)
    created = create(graph, user)
    assert created.ended_ids == (second, oldest)
    assert created.event
    assert (created.event.kind, created.event.subject_id) == ("sessions-ended", user)
    newest_first = [created.session.id, *reversed(others)]
    assert [session.id for session in graph.sessions.of_user(user)] == newest_first
    assert graph.sessions.by_ids([oldest, second]) == []
    assert graph.sessions.by_id_or_ended(oldest)
    assert graph.sessions.by_id(theirs.id)
    again = create(graph, user)
    assert again.ended_ids == (others[0],)


def test_sessions_are_ordered_by_their_creation_whatever_their_ids(
    graph: Graph, town: Town
) -> None:
    user = town.user()
    falling = sorted((unguessable_id() for _ in range(5)), reverse=True)
    for at, session_id in enumerate(falling):
        town.query(
            "CREATE (:Session {id: $id, user_id: $user, secret_sha256: $sha,"
            " created_at: timestamp() - 1000 + $at, expires_at: timestamp() + 86400000})",
            id=session_id,
            user=user,
            sha="5e" * 32,
            at=at,
        )
    assert [session.id for session in graph.sessions.of_user(user)] == falling[::-1]
    newest = create(graph, user).session.id
    assert [session.id for session in graph.sessions.of_user(user)] == [newest, *falling[::-1]]


def test_ended_sessions_do_not_count(graph: Graph, town: Town) -> None:
    user = town.user()
    sessions = town.old_sessions(user, MOST)
    graph.sessions.delete(sessions[7], user_id=user)
    created = create(graph, user)
    assert (created.ended_ids, created.event) == ((), None)


# Case 59
def test_sign_ins_at_once_leave_fifty_sessions(graph: Graph, town: Town) -> None:
    user = town.user()
    town.old_sessions(user, MOST - 2)
    assert not errors(run_together(*[lambda: create(graph, user)] * 8))
    [row] = town.query(
        "MATCH (s:Session) WHERE s.user_id = $id AND s.expires_at > timestamp()"
        " RETURN count(*) AS lasting",
        id=user,
    )
    assert row["lasting"] == MOST


# Case 59
def test_a_sign_in_ends_a_bounded_number_of_sessions(
    graph: Graph, town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("graph.sessions.MOST_ENDED", 10)
    user = town.user()
    town.old_sessions(user, MOST + 24)
    assert [len(create(graph, user).ended_ids) for _ in range(4)] == [10, 10, 7, 1]


# Case 59
def test_a_password_change_ends_any_number_of_sessions_at_once(graph: Graph, town: Town) -> None:
    user = town.user()
    old = town.old_sessions(user, SESSIONS_ENDED_ONE_BY_ONE + 50)
    mine = session_of(graph, user)
    old_hash = graph.users.password_hash(user)
    ended = graph.users.set_password(user, "new", checked_hash=old_hash, keep_session_id=mine.id)
    assert set(ended.ids) < set(old)
    assert ended.has_more
    assert ended.event
    assert graph.sessions.of_user(user) == [mine]
    assert graph.sessions.by_ids([mine.id, *old[:100]]) == [mine]
    assert graph.sessions.by_id(old[0]) is None
    assert graph.sessions.by_id(mine.id) == mine
    assert sorted(graph.sessions.ended_ids(user, before=MAX_ID, limit=1_000)) == old
    with pytest.raises(NotFoundError):
        graph.users.set_password(user, "new", checked_hash="new", keep_session_id=old[0])
    later = session_of(graph, user)
    assert graph.sessions.of_user(user) == [later, mine]
    graph.sessions.delete_outdated(user, [*old, mine.id, later.id])
    assert graph.sessions.ended_ids(user, before=MAX_ID, limit=1_000) == []
    assert graph.sessions.of_user(user) == [later, mine]


# Case 59
def test_the_time_of_a_password_change_does_not_grow_with_the_sessions(
    graph: Graph, town: Town
) -> None:
    users = [town.user(), town.user()]
    for user, count in zip(users, (500, 20_000), strict=True):
        town.old_sessions(user, count)
    mine = [session_of(graph, user).id for user in users]
    seconds: list[list[float]] = [[], []]
    for number in range(8):  # in turns: other load affects both
        for which, user in enumerate(users):
            checked, began = graph.users.password_hash(user), time.perf_counter()
            graph.users.set_password(
                user, f"hash {number}", checked_hash=checked, keep_session_id=mine[which]
            )
            seconds[which].append(time.perf_counter() - began)
    few, many = map(statistics.median, seconds)
    assert many / few < 8  # 40 times as many sessions; ending each takes 30 times as long


def create(graph: Graph, user_id: int) -> NewSession:
    return graph.sessions.create(
        session_id=new_id(),
        user_id=user_id,
        secret_sha256="5e" * 32,
        expires_at=datetime.now(UTC) + timedelta(hours=1),
    )
