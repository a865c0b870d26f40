"""The connection to a graph that is down or slow, or whose answers get lost."""

import dataclasses
import socket
import threading
import time
from collections.abc import Callable, Iterator

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
from tests.support.concurrency import run_together
from tests.support.eventually import eventually
from tests.support.town import Town, statement

ONE = statement("RETURN 1 AS one")


@pytest.fixture
def proxied(proxied_settings: GraphSettings) -> Iterator[Graph]:
    """The graph behind the proxy."""
    with Graph.open(proxied_settings) as proxied:
        proxied.ping()
        yield proxied


def test_settings_come_from_the_environment_and_hide_the_password(
    stack_env: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, setting in stack_env.items():
        monkeypatch.setenv(name, setting)
    settings = GraphSettings.from_env(Env())
    assert settings.uri.startswith("bolt://")
    assert settings.password
    assert settings.password not in repr(settings)


def test_the_graph_answers_and_the_clocks_agree(graph: Graph) -> None:
    graph.ping()
    assert abs(graph.clock_offset_seconds()) < 5


def test_concurrent_pings_all_succeed(graph: Graph) -> None:
    for _ in range(10):
        assert run_together(*[graph.ping] * 4) == [None] * 4


def test_a_graph_that_is_down_is_unavailable_within_seconds(proxied: Graph, proxy: Proxy) -> None:
    calls: list[Callable[[], object]] = [
        proxied.ping,
        lambda: proxied.connection.read(ONE),
        lambda: proxied.connection.write(ONE),
    ]
    with proxy.outage():
        for call in calls:
            start = time.monotonic()
            with pytest.raises(GraphUnavailableError):
                call()
            assert time.monotonic() - start < 7
    proxied.ping()
    assert proxied.connection.read(ONE) == [{"one": 1}]


def test_dead_connections_in_the_pool_are_replaced(proxied: Graph, proxy: Proxy) -> None:
    reads = [lambda: proxied.connection.read(ONE)] * 8
    run_together(*reads)
    proxy.cut()
    assert run_together(*reads) == [[{"one": 1}]] * 8
    proxy.cut()
    assert proxied.connection.write(ONE) == [{"one": 1}]


def test_a_ping_without_an_answer_ends_after_two_seconds_and_the_next_one_at_once(
    proxied: Graph, proxy: Proxy
) -> None:
    proxy.swallow()
    for longest in (3.0, 0.5):
        start = time.monotonic()
        with pytest.raises(GraphUnavailableError):
            proxied.ping()
        assert time.monotonic() - start < longest
    proxy.resume()


def test_with_a_wrong_password_the_graph_is_unavailable(graph: Graph) -> None:
    settings = dataclasses.replace(graph.connection.settings, password="not the password")
    with Graph.open(settings) as refused, pytest.raises(GraphUnavailableError):
        refused.connection.read(ONE)


def test_without_a_server_at_the_address_the_graph_is_unavailable(graph: Graph) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    settings = dataclasses.replace(graph.connection.settings, uri=f"bolt://127.0.0.1:{port}")
    with Graph.open(settings) as nowhere, pytest.raises(GraphUnavailableError):
        nowhere.ping()


def test_a_violated_constraint_names_its_entity(graph: Graph, town: Town) -> None:
    user = town.user()
    with pytest.raises(ConstraintViolatedError) as violated:
        graph.connection.write(statement("CREATE (:User {id: $id})"), id=user)
    assert violated.value.entity == "User"
    follow = (
        "MATCH (u:User {id: $id}) CREATE (u)-[:FOLLOWS {followee_id: 1, follower_id: $id}]->(u)"
    )
    graph.connection.write(statement(follow), id=user)
    with pytest.raises(ConstraintViolatedError) as violated:
        graph.connection.write(statement(follow), id=user)
    assert violated.value.entity == "FOLLOWS"
    town.query("MATCH (u:User {id: $id}) DETACH DELETE u", id=user)


def test_an_invalid_statement_is_no_outage(graph: Graph) -> None:
    with pytest.raises(GraphError) as refused:
        graph.connection.read(statement("RETURN nothing"))
    assert not isinstance(refused.value, GraphUnavailableError)


def test_a_statement_that_takes_too_long_is_ended(graph: Graph) -> None:
    endless = statement("UNWIND range(1, 1000000000) AS i WITH i WHERE i < 0 RETURN i")
    with pytest.raises(GraphTimeoutError):
        graph.connection.write(endless, timeout_seconds=0.2)


def lose_answer(
    proxy: Proxy, pattern: bytes, is_committed: Callable[[], object]
) -> threading.Thread:
    """Cut the connection after the next statement with this pattern was committed."""
    hold = proxy.hold(pattern, side="answer")

    def cut() -> None:
        hold.wait()
        eventually(is_committed)
        proxy.cut()

    thread = threading.Thread(target=cut)
    thread.start()
    return thread


def test_a_follow_whose_answer_was_lost_is_reported_as_created(
    graph: Graph, proxied: Graph, proxy: Proxy, town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana, ben = town.users(2)
    cutting = lose_answer(
        proxy, b"'followed'", lambda: graph.follows.followers_page(ben, after=0, limit=1)
    )
    event_id = new_id()
    monkeypatch.setattr("graph.connection.new_id", lambda: event_id)
    follow = proxied.follows.create(follower_id=ana, followee_id=ben)
    cutting.join()
    assert follow.event
    assert follow.event.id == event_id
    assert graph.notifications.newest_ids([ben]) == {ben: follow.notification_id}


def test_a_post_whose_answer_was_lost_is_reported_as_created(
    graph: Graph, proxied: Graph, proxy: Proxy, town: Town
) -> None:
    author = town.user()
    photo_ids = [town.photo(author)]
    cutting = lose_answer(
        proxy,
        b"'post-published'",
        lambda: graph.posts.ids_by_author(author, before=2**53, limit=9),
    )
    event = Town(proxied).create_post(author, photo_ids=photo_ids)
    cutting.join()
    assert graph.posts.ids_by_author(author, before=2**53, limit=9) == [event.subject_id]


def test_a_user_whose_answer_was_lost_is_reported_as_created(
    graph: Graph, proxied: Graph, proxy: Proxy
) -> None:
    username = f"lost{new_id()}"
    cutting = lose_answer(
        proxy, b"notification_position: 0", lambda: graph.users.credentials(username)
    )
    user = Town(proxied).create_user(username=username)
    cutting.join()
    assert graph.users.by_id(user.id) == user


def test_a_deletion_whose_answer_was_lost_is_reported_as_done(
    graph: Graph, proxied: Graph, proxy: Proxy, town: Town
) -> None:
    author = town.user()
    post_id = town.post(author)[0]
    cutting = lose_answer(proxy, b"DETACH DELETE post", lambda: graph.posts.deleted_photos(post_id))
    event = proxied.posts.delete(post_id, author_id=author)
    cutting.join()
    assert event
    assert event.subject_id == post_id
