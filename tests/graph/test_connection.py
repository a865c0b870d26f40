"""The way to the graph when it is away, slow, or takes the question and loses the answer."""

import dataclasses
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import pytest
from environs import Env

from drill.support.proxy import Proxy
from graph import Graph, GraphSettings
from graph.errors import (
    ConstraintViolatedError,
    GraphError,
    GraphTimeoutError,
    GraphUnavailableError,
)
from graph.ids import new_id
from tests.support.eventually import eventually
from tests.support.maker import Maker, statement, together

ONE = statement("RETURN 1 AS one")


@pytest.fixture
def settings(stack_env: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> GraphSettings:
    for name, setting in stack_env.items():
        if name not in os.environ:
            monkeypatch.setenv(name, setting)
    return GraphSettings.from_env(Env())


@pytest.fixture
def proxy(settings: GraphSettings) -> Iterator[Proxy]:
    with Proxy("127.0.0.1", urlsplit(settings.uri).port or 7687) as proxy:
        yield proxy


@pytest.fixture
def far(settings: GraphSettings, proxy: Proxy) -> Iterator[Graph]:
    """The graph, by way of the proxy."""
    uri = f"bolt://127.0.0.1:{proxy.port}"
    with Graph.open(dataclasses.replace(settings, uri=uri)) as far:
        far.ping()
        yield far


def test_settings_come_from_the_environment_and_hide_the_password(
    settings: GraphSettings,
) -> None:
    assert settings.uri.startswith("bolt://")
    assert settings.password
    assert settings.password not in repr(settings)


def test_the_graph_answers_and_the_clocks_agree(graph: Graph) -> None:
    graph.ping()
    assert abs(graph.clock_offset_seconds()) < 5


def test_pings_at_once_all_hear_that_the_graph_answers(graph: Graph) -> None:
    for _ in range(10):
        assert together(*[graph.ping] * 4) == [None] * 4


def test_a_graph_that_is_down_is_unavailable_within_seconds(far: Graph, proxy: Proxy) -> None:
    calls: list[Callable[[], object]] = [
        far.ping,
        lambda: far.connection.read(ONE),
        lambda: far.connection.write(ONE),
    ]
    with proxy.outage():
        for call in calls:
            begun = time.monotonic()
            with pytest.raises(GraphUnavailableError):
                call()
            assert time.monotonic() - begun < 7
    far.ping()
    assert far.connection.read(ONE) == [{"one": 1}]


def test_connections_that_died_in_the_pool_are_replaced(far: Graph, proxy: Proxy) -> None:
    together(*[lambda: far.connection.read(ONE)] * 8)
    proxy.cut()
    outcomes = together(*[lambda: far.connection.read(ONE)] * 8)
    assert outcomes == [[{"one": 1}]] * 8
    proxy.cut()
    assert far.connection.write(ONE) == [{"one": 1}]


def test_a_ping_without_an_answer_ends_after_two_seconds_and_the_next_at_once(
    far: Graph, proxy: Proxy
) -> None:
    proxy.swallow()
    for longest in (3.0, 0.5):
        begun = time.monotonic()
        with pytest.raises(GraphUnavailableError):
            far.ping()
        assert time.monotonic() - begun < longest
    proxy.resume()


def test_a_wrong_password_is_unavailable_too(settings: GraphSettings) -> None:
    wrong = dataclasses.replace(settings, password="not the password")
    with Graph.open(wrong) as graph, pytest.raises(GraphUnavailableError):
        graph.connection.read(ONE)


def test_nobody_listening_is_unavailable(settings: GraphSettings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    nowhere = dataclasses.replace(settings, uri=f"bolt://127.0.0.1:{port}")
    with Graph.open(nowhere) as graph, pytest.raises(GraphUnavailableError):
        graph.ping()


def test_a_violated_constraint_names_what_it_is_of(graph: Graph, make: Maker) -> None:
    user = make.user()
    with pytest.raises(ConstraintViolatedError) as violated:
        graph.connection.write(statement("CREATE (:User {id: $id})"), id=user.id)
    assert violated.value.of == "User"
    follow = (
        "MATCH (u:User {id: $id}) CREATE (u)-[:FOLLOWS {followee_id: 1, follower_id: $id}]->(u)"
    )
    graph.connection.write(statement(follow), id=user.id)
    with pytest.raises(ConstraintViolatedError) as violated:
        graph.connection.write(statement(follow), id=user.id)
    assert violated.value.of == "FOLLOWS"
    make.cypher("MATCH (u:User {id: $id}) DETACH DELETE u", id=user.id)


def test_a_faulty_statement_is_no_outage(graph: Graph) -> None:
    with pytest.raises(GraphError) as refused:
        graph.connection.read(statement("RETURN nothing"))
    assert not isinstance(refused.value, GraphUnavailableError)


def test_a_statement_that_takes_too_long_is_ended(graph: Graph) -> None:
    endless = statement("UNWIND range(1, 1000000000) AS i WITH i WHERE i < 0 RETURN i")
    with pytest.raises(GraphTimeoutError):
        graph.connection.write(endless, timeout_seconds=0.2)


def lost(proxy: Proxy, pattern: bytes, done: Callable[[], object]) -> threading.Thread:
    """Let the next statement with this pattern be committed, but its answer be lost."""
    hold = proxy.hold(pattern, side="answer")

    def cut() -> None:
        hold.wait()
        eventually(done)
        proxy.cut()

    thread = threading.Thread(target=cut)
    thread.start()
    return thread


def test_a_follow_whose_answer_was_lost_is_told_as_made(
    graph: Graph, far: Graph, proxy: Proxy, make: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana, ben = make.users(2)
    cutting = lost(
        proxy, b"'followed'", lambda: graph.follows.followers_page(ben.id, after=0, limit=1)
    )
    event_id = new_id()
    monkeypatch.setattr("graph.connection.new_id", lambda: event_id)
    event = far.follows.create(follower_id=ana.id, followee_id=ben.id)
    cutting.join()
    assert event
    assert event.id == event_id


def test_a_post_whose_answer_was_lost_is_told_as_made(
    graph: Graph, far: Graph, proxy: Proxy, make: Maker
) -> None:
    author = make.user()
    photo_ids = [make.photo(author.id)]
    cutting = lost(
        proxy,
        b"'post-published'",
        lambda: graph.posts.ids_by_author(author.id, before=2**53, limit=9),
    )
    event = Maker(far).post_and_event(author.id, photo_ids=photo_ids)
    cutting.join()
    assert graph.posts.ids_by_author(author.id, before=2**53, limit=9) == [event.subject_id]


def test_a_user_whose_answer_was_lost_is_told_as_made(
    graph: Graph, far: Graph, proxy: Proxy
) -> None:
    username = f"lost{new_id()}"
    cutting = lost(proxy, b"notification_position: 0", lambda: graph.users.credentials(username))
    user = Maker(far).user(username=username)
    cutting.join()
    assert graph.users.by_id(user.id) == user


def test_a_deletion_whose_answer_was_lost_is_told_as_done(
    graph: Graph, far: Graph, proxy: Proxy, make: Maker
) -> None:
    author = make.user()
    post_id = make.post(author.id)
    cutting = lost(proxy, b"DETACH DELETE post", lambda: graph.posts.deleted_photos(post_id))
    event = far.posts.delete(post_id, author_id=author.id)
    cutting.join()
    assert event
    assert event.subject_id == post_id
