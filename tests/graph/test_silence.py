"""The graph away, silent or only slow: who is refused at once, who waits, and for how long."""

import dataclasses
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest
from environs import Env
from neo4j.exceptions import Neo4jError, ServiceUnavailable

from drill.support.proxy import Proxy
from graph import Graph, GraphSettings, connection
from graph.connection import says_it_lives
from graph.errors import ConstraintViolatedError, GraphTimeoutError, GraphUnavailableError
from tests.support.eventually import eventually
from tests.support.maker import Maker, statement, together

ONE = statement("RETURN 1 AS one")
SLOW = statement("UNWIND range(1, 1000000000) AS i WITH i WHERE i < 0 RETURN i")
LOCK = statement("MATCH (u:User {id: $id}) SET u.bio = 'held' WITH u " + SLOW.text)

AT_ONCE_SECONDS = 0.25
SILENCE_FOUND_SECONDS = 5.0
"""One second of silence, two for the probe, and two for whoever was opening a connection."""


@pytest.fixture
def settings(graph: Graph) -> GraphSettings:
    assert graph  # whose settings stand in the environment by now
    return GraphSettings.from_env(Env())


@pytest.fixture
def proxy(settings: GraphSettings) -> Iterator[Proxy]:
    with Proxy("127.0.0.1", urlsplit(settings.uri).port or 7687) as proxy:
        yield proxy


@pytest.fixture
def far(settings: GraphSettings, proxy: Proxy) -> Iterator[Graph]:
    """The graph with a circuit, by way of the proxy."""
    uri = f"bolt://127.0.0.1:{proxy.port}"
    with Graph.open(dataclasses.replace(settings, uri=uri), circuit=True) as far:
        assert far.connection.read(ONE) == [{"one": 1}]
        yield far


def timed(call: Callable[[], object]) -> tuple[float, Exception | None]:
    begun = time.monotonic()
    try:
        call()
    except GraphUnavailableError as error:
        return time.monotonic() - begun, error
    return time.monotonic() - begun, None


def refused_at_once(far: Graph) -> None:
    for call in (far.connection.read, far.connection.write):
        seconds, error = timed(lambda call=call: call(ONE))  # type: ignore[misc]
        assert error is not None
        assert seconds < AT_ONCE_SECONDS


def back(far: Graph) -> None:
    eventually(lambda: not far.away)
    assert far.connection.write(ONE) == [{"one": 1}]


def test_a_graph_that_is_down_is_found_out_by_one_call_and_left_alone_until_it_is_back(
    far: Graph, proxy: Proxy
) -> None:
    """Case 32."""
    with proxy.outage():
        seconds, error = timed(lambda: far.connection.write(ONE))
        assert error is not None
        assert seconds < 1.0
        eventually(lambda: far.away)
        refused_at_once(far)
        refused = proxy.refused
        for _ in range(50):
            refused_at_once(far)
        assert proxy.refused - refused <= 10  # only the probes, two a second
    back(far)


def test_a_silent_graph_lets_go_of_who_waits_and_holds_nobody_else(
    far: Graph, proxy: Proxy
) -> None:
    """Case 32."""
    proxy.swallow()
    for seconds, error in together(*[lambda: timed(lambda: far.connection.write(ONE))] * 6):  # type: ignore[misc]
        assert error is not None
        assert seconds < SILENCE_FOUND_SECONDS
    assert far.away
    longest = 0.0
    until = time.monotonic() + 2.2  # longer than a probe takes, and it holds nobody
    while time.monotonic() < until:
        longest = max(longest, timed(lambda: far.connection.read(ONE))[0])
    assert longest < AT_ONCE_SECONDS
    proxy.resume()
    back(far)


def test_an_answering_ping_ends_the_leaving_alone(far: Graph, proxy: Proxy) -> None:
    with proxy.outage():
        timed(lambda: far.connection.write(ONE))
        eventually(lambda: far.away)
    far.ping()
    assert far.connection.read(ONE) == [{"one": 1}]


def test_cut_connections_are_replaced_and_nobody_is_refused(far: Graph, proxy: Proxy) -> None:
    for _ in range(3):
        together(*[lambda: far.connection.read(ONE)] * 4)
        proxy.cut()
        assert together(*[lambda: far.connection.read(ONE)] * 4) == [[{"one": 1}]] * 4
    assert not far.away


def test_a_connection_cut_under_a_statement_is_replaced_and_nobody_is_refused(
    far: Graph, proxy: Proxy
) -> None:
    for number in range(3):
        hold = proxy.hold(f"RETURN 4{number}".encode(), side="answer")
        asked = statement(f"RETURN 4{number} AS number")
        with ThreadPoolExecutor(1) as pool:
            asking = pool.submit(far.connection.read, asked)
            hold.wait()
            proxy.cut()
            hold.release()
            assert asking.result(10) == [{"number": 40 + number}]
        assert not far.away


def never_away(far: Graph, busy: threading.Thread) -> None:
    """While it lasts, everybody else is answered."""
    busy.start()
    while busy.is_alive():
        assert not far.away
        assert far.connection.read(ONE) == [{"one": 1}]
    busy.join()


def test_a_slow_statement_is_no_outage(far: Graph) -> None:
    def slow() -> None:
        with pytest.raises(GraphTimeoutError):
            far.connection.write(SLOW, timeout_seconds=1.8)

    never_away(far, threading.Thread(target=slow))


def test_a_slow_statement_on_its_own_is_no_outage_either(far: Graph) -> None:
    with pytest.raises(GraphTimeoutError):
        far.connection.write(SLOW, timeout_seconds=2.0)
    assert not far.away


def test_one_statement_whose_answer_is_lost_is_no_outage(far: Graph, proxy: Proxy) -> None:
    hold = proxy.hold(b"RETURN 42")
    held = statement("RETURN 42 AS number")
    timer = threading.Timer(1.8, hold.release)
    timer.start()
    never_away(far, threading.Thread(target=lambda: far.connection.read(held)))
    timer.join()


def test_waiting_for_anothers_lock_is_no_outage(far: Graph, graph: Graph, make: Maker) -> None:
    user = make.user()

    def hold_it() -> None:
        with pytest.raises(GraphTimeoutError):
            graph.connection.write(LOCK, timeout_seconds=2.0, id=user.id)

    def want_it() -> None:
        with pytest.raises(GraphTimeoutError):
            far.connection.write(LOCK, timeout_seconds=1.3, id=user.id)

    holder = threading.Thread(target=hold_it)
    holder.start()
    never_away(far, threading.Thread(target=want_it))
    holder.join()


def test_refused_statements_are_no_outage(far: Graph, make: Maker) -> None:
    user = make.user()
    for _ in range(20):
        with pytest.raises(ConstraintViolatedError):
            far.connection.write(statement("CREATE (:User {id: $id})"), id=user.id)
    assert not far.away


@pytest.mark.parametrize(
    ("code", "lives"),
    [
        ("Neo.ClientError.Security.Unauthorized", True),
        ("Neo.ClientError.Security.AuthenticationRateLimit", True),
        ("Neo.TransientError.Transaction.DeadlockDetected", True),
        ("Neo.TransientError.General.MemoryPoolOutOfMemoryError", True),
        ("Neo.TransientError.General.DatabaseUnavailable", False),
    ],
)
def test_a_server_that_refuses_lives_unless_it_has_no_database(code: str, lives: bool) -> None:
    error = Neo4jError._hydrate_neo4j(code=code, message="a test")
    assert says_it_lives(error) == lives


def test_a_lost_connection_says_nothing() -> None:
    assert not says_it_lives(ServiceUnavailable("a test"))
    assert not says_it_lives(ConnectionResetError())


def test_a_silent_server_is_not_waited_for_longer_than_we_say_whatever_it_suggests(
    settings: GraphSettings, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Case 32, for a Neo4j of somebody else's. Without a circuit, as in a worker."""
    monkeypatch.setattr(connection, "ANSWER_SECONDS", 0.5)
    uri = f"bolt://127.0.0.1:{proxy.port}"
    with Graph.open(dataclasses.replace(settings, uri=uri)) as graph:
        assert graph.connection.read(ONE) == [{"one": 1}]
        proxy.swallow()
        seconds, error = timed(lambda: graph.connection.read(ONE))
        assert error is not None
        assert 0.4 < seconds < 5  # with the time of its second tries, which open a connection
        proxy.resume()
        assert graph.connection.write(ONE) == [{"one": 1}]
