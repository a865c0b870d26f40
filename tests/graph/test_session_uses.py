"""Uses of sessions: they prolong a session, and never revive one that has ended."""

import threading
from datetime import UTC, datetime, timedelta

from graph import Graph
from graph.ids import new_id
from graph.sessions import MOST_NETWORKS, USED_LEAST_MS, Session
from graph.users import FirstSession
from tests.support.eventually import eventually
from tests.support.town import Town

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def session_of(
    graph: Graph, user_id: int, *, idle: timedelta = DAY, longest: timedelta = 30 * DAY
) -> Session:
    now = datetime.now(UTC)
    return graph.sessions.create(
        session_id=new_id(),
        user_id=user_id,
        secret_sha256="5e" * 32,
        expires_at=now + idle,
        ends_at=now + longest,
        network="192.0.2.7",
        user_agent="A Browser/1",
    ).session


def set_last_use(town: Town, session: Session, ago: timedelta) -> None:
    town.query(
        "MATCH (s:Session {id: $id}) SET s.last_used_at = timestamp() - $ms",
        id=session.id,
        ms=int(ago.total_seconds() * 1000),
    )


def read(graph: Graph, session: Session) -> Session:
    found = graph.sessions.by_id(session.id)
    assert found
    return found


def near(time: datetime | None, expected: datetime) -> bool:
    return time is not None and abs(time - expected) < timedelta(minutes=5)


def test_a_session_remembers_where_it_began(graph: Graph, town: Town) -> None:
    session = session_of(graph, town.user())
    assert (session.network, session.user_agent) == ("192.0.2.7", "A Browser/1")
    assert session.last_used_at == session.created_at
    assert graph.sessions.of_user(session.user_id) == [session]
    assert graph.sessions.by_ids([session.id]) == [session]


def test_a_use_prolongs_a_session_by_the_idle_days_up_to_its_end(graph: Graph, town: Town) -> None:
    session = session_of(graph, town.user(), longest=5 * DAY)
    set_last_use(town, session, 2 * HOUR)
    assert graph.sessions.set_used([session.id], idle_days=3) == {session.id: session.expires_at}
    used = read(graph, session)
    assert near(used.last_used_at, datetime.now(UTC))
    assert near(used.expires_at, datetime.now(UTC) + 3 * DAY)
    set_last_use(town, session, 2 * HOUR)
    graph.sessions.set_used([session.id], idle_days=7)
    assert read(graph, session).expires_at == session.ends_at


def test_a_last_use_is_written_at_most_once_an_hour(graph: Graph, town: Town) -> None:
    session = session_of(graph, town.user())
    assert timedelta(milliseconds=USED_LEAST_MS) == HOUR
    set_last_use(town, session, timedelta(minutes=59))
    before = read(graph, session)
    assert graph.sessions.set_used([session.id], idle_days=9) == {}
    assert read(graph, session) == before


def test_a_session_that_has_ended_stays_ended(graph: Graph, town: Town) -> None:
    user = town.user()
    ended, over = session_of(graph, user), session_of(graph, user, idle=-HOUR)
    for session in (ended, over):
        set_last_use(town, session, 2 * HOUR)
    graph.sessions.delete(ended.id, user_id=user)
    assert graph.sessions.set_used([ended.id, over.id, new_id()], idle_days=9) == {}
    assert graph.sessions.of_user(user) == []


def test_a_use_that_waits_for_the_end_of_its_session_does_not_revive_it(
    graph: Graph, town: Town
) -> None:
    user = town.user()
    session = session_of(graph, user)
    set_last_use(town, session, 2 * HOUR)
    used: list[object] = []
    use = threading.Thread(
        target=lambda: used.append(graph.sessions.set_used([session.id], idle_days=9))
    )
    with town.locked_session(session.id) as ending:
        use.start()
        eventually(lambda: town.blocked_by_locks() == 1)
        ending.run(
            "MATCH (s:Session {id: $id}) SET s.expires_at = datetime.realtime().epochMillis",
            id=session.id,
        ).consume()  # the session ends after the use has begun
        ending.commit()
    use.join(30)
    assert used == [{}]
    assert graph.sessions.by_id(session.id) is None


def test_a_session_of_an_older_version_goes_on_and_is_prolonged_within_its_life(
    graph: Graph, town: Town
) -> None:
    session = session_of(graph, town.user(), idle=20 * DAY)
    town.query(
        "MATCH (s:Session {id: $id}) REMOVE s.last_used_at, s.ends_at, s.network, s.user_agent",
        id=session.id,
    )
    old = read(graph, session)
    assert (old.last_used_at, old.ends_at, old.network, old.user_agent) == (None,) * 4
    graph.sessions.set_used([session.id], idle_days=3)
    used = read(graph, session)
    assert used.ends_at == session.expires_at, "it never lasts longer than it would have"
    assert near(used.expires_at, datetime.now(UTC) + 3 * DAY)


def test_a_user_is_known_from_the_latest_networks_of_sign_ins(graph: Graph, town: Town) -> None:
    session = session_of(graph, town.user())
    username = graph.users.by_id(session.user_id).username
    assert graph.users.knows_network(username.upper(), "192.0.2.7")
    assert not graph.users.knows_network(username, "192.0.2.8")
    assert not graph.users.knows_network(f"nobody{new_id()}", "192.0.2.7")
    for number in range(MOST_NETWORKS - 1):
        sign_in_from(graph, session.user_id, f"198.51.100.{number}")
    sign_in_from(graph, session.user_id, "192.0.2.7")  # the oldest is the newest now
    sign_in_from(graph, session.user_id, "203.0.113.9")
    assert graph.users.knows_network(username, "192.0.2.7")
    assert graph.users.knows_network(username, "203.0.113.9")
    assert not graph.users.knows_network(username, "198.51.100.0")
    assert graph.users.knows_network(username, "198.51.100.1")


def test_a_sign_up_makes_its_network_known(graph: Graph) -> None:
    expires_at = datetime.now(UTC) + HOUR
    first = FirstSession(
        id=new_id(), secret_sha256="a1", expires_at=expires_at, network="192.0.2.9"
    )
    username = f"new{new_id()}"
    user = graph.users.create(
        user_id=new_id(), username=username, name="Ana", password_hash="-", session=first
    )
    assert graph.users.knows_network(username, "192.0.2.9")
    [session] = graph.sessions.of_user(user.id)
    assert session.network == "192.0.2.9"


def sign_in_from(graph: Graph, user_id: int, network: str) -> None:
    graph.sessions.create(
        session_id=new_id(),
        user_id=user_id,
        secret_sha256="5e" * 32,
        expires_at=datetime.now(UTC) + HOUR,
        network=network,
    )
