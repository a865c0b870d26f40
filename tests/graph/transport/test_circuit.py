"""The circuit breaker, with a graph that is down, silent, or only slow."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from drill.support.proxy import Proxy
from graph import Graph, GraphSettings
from graph.errors import ConstraintViolatedError, GraphTimeoutError, GraphUnavailableError
from tests.support.concurrency import run_together
from tests.support.eventually import eventually
from tests.support.town import Town, statement

ONE = statement("RETURN 1 AS one")
SLOW = statement("UNWIND range(1, 1000000000) AS i WITH i WHERE i < 0 RETURN i")
LOCK = statement("MATCH (u:User {id: $id}) SET u.bio = 'locked' WITH u " + SLOW.text)

REFUSAL_SECONDS = 0.25
"""Longest time for a refusal by an open circuit."""

DETECTION_SECONDS = 5.0
"""1 s of silence, 2 s for the probe, and 2 s for a call that was opening a connection."""


@pytest.fixture
def proxied(proxied_settings: GraphSettings) -> Iterator[Graph]:
    """The graph behind the proxy, with a circuit."""
    with Graph.open(proxied_settings, circuit=True) as proxied:
        assert proxied.connection.read(ONE) == [{"one": 1}]
        yield proxied


def timed(call: Callable[[], object]) -> tuple[float, Exception | None]:
    """The seconds that a call took, and its GraphUnavailableError."""
    start = time.monotonic()
    try:
        call()
    except GraphUnavailableError as error:
        return time.monotonic() - start, error
    return time.monotonic() - start, None


def assert_refused_at_once(graph: Graph) -> None:
    for call in (graph.connection.read, graph.connection.write):
        seconds, error = timed(lambda call=call: call(ONE))  # type: ignore[misc]
        assert error is not None
        assert seconds < REFUSAL_SECONDS


def assert_recovers(graph: Graph) -> None:
    eventually(lambda: not graph.circuit_open)
    assert graph.connection.write(ONE) == [{"one": 1}]


def test_one_call_opens_the_circuit_of_a_graph_that_is_down_until_the_graph_is_up_again(
    proxied: Graph, proxy: Proxy
) -> None:
    """Case 32."""
    with proxy.outage():
        seconds, error = timed(lambda: proxied.connection.write(ONE))
        assert error is not None
        assert seconds < 1.0
        eventually(lambda: proxied.circuit_open)
        assert_refused_at_once(proxied)
        refused = proxy.refused
        for _ in range(50):
            assert_refused_at_once(proxied)
        assert proxy.refused - refused <= 10  # only the probes, two a second
    assert_recovers(proxied)


def test_a_silent_graph_ends_the_calls_in_flight_and_delays_no_others(
    proxied: Graph, proxy: Proxy
) -> None:
    """Case 32."""
    proxy.swallow()
    calls = [lambda: timed(lambda: proxied.connection.write(ONE))] * 6
    for seconds, error in run_together(*calls):  # type: ignore[misc]
        assert error is not None
        assert seconds < DETECTION_SECONDS
    assert proxied.circuit_open
    longest = 0.0
    until = time.monotonic() + 2.2  # longer than a probe takes
    while time.monotonic() < until:
        longest = max(longest, timed(lambda: proxied.connection.read(ONE))[0])
    assert longest < REFUSAL_SECONDS
    proxy.resume()
    assert_recovers(proxied)


def test_a_successful_ping_closes_the_circuit(proxied: Graph, proxy: Proxy) -> None:
    with proxy.outage():
        timed(lambda: proxied.connection.write(ONE))
        eventually(lambda: proxied.circuit_open)
    proxied.ping()
    assert proxied.connection.read(ONE) == [{"one": 1}]


def test_cut_connections_are_replaced_and_no_call_is_refused(proxied: Graph, proxy: Proxy) -> None:
    reads = [lambda: proxied.connection.read(ONE)] * 4
    for _ in range(3):
        run_together(*reads)
        proxy.cut()
        assert run_together(*reads) == [[{"one": 1}]] * 4
    assert not proxied.circuit_open


def test_a_connection_that_is_cut_during_a_statement_is_replaced_and_no_call_is_refused(
    proxied: Graph, proxy: Proxy
) -> None:
    for number in range(3):
        hold = proxy.hold(f"RETURN 4{number}".encode(), side="answer")
        query = statement(f"RETURN 4{number} AS number")
        with ThreadPoolExecutor(1) as pool:
            read = pool.submit(proxied.connection.read, query)
            hold.wait()
            proxy.cut()
            hold.release()
            assert read.result(10) == [{"number": 40 + number}]
        assert not proxied.circuit_open


def assert_closed_during(graph: Graph, busy: threading.Thread) -> None:
    """Start a thread. Other calls succeed and the circuit is closed until the thread ends."""
    busy.start()
    while busy.is_alive():
        assert not graph.circuit_open
        assert graph.connection.read(ONE) == [{"one": 1}]
    busy.join()


def test_a_slow_statement_leaves_the_circuit_closed(proxied: Graph) -> None:
    def slow() -> None:
        with pytest.raises(GraphTimeoutError):
            proxied.connection.write(SLOW, timeout_seconds=1.8)

    assert_closed_during(proxied, threading.Thread(target=slow))


def test_a_slow_statement_without_other_calls_leaves_the_circuit_closed(proxied: Graph) -> None:
    with pytest.raises(GraphTimeoutError):
        proxied.connection.write(SLOW, timeout_seconds=2.0)
    assert not proxied.circuit_open


def test_one_lost_answer_leaves_the_circuit_closed(proxied: Graph, proxy: Proxy) -> None:
    hold = proxy.hold(b"RETURN 42")
    query = statement("RETURN 42 AS number")
    timer = threading.Timer(1.8, hold.release)
    timer.start()
    read = threading.Thread(target=lambda: proxied.connection.read(query))
    assert_closed_during(proxied, read)
    timer.join()


def test_a_wait_for_a_lock_leaves_the_circuit_closed(
    proxied: Graph, graph: Graph, town: Town
) -> None:
    user = town.user()

    def hold_lock() -> None:
        with pytest.raises(GraphTimeoutError):
            graph.connection.write(LOCK, timeout_seconds=2.0, id=user)

    def wait_for_lock() -> None:
        with pytest.raises(GraphTimeoutError):
            proxied.connection.write(LOCK, timeout_seconds=1.3, id=user)

    holder = threading.Thread(target=hold_lock)
    holder.start()
    assert_closed_during(proxied, threading.Thread(target=wait_for_lock))
    holder.join()


def test_refused_statements_leave_the_circuit_closed(proxied: Graph, town: Town) -> None:
    user = town.user()
    for _ in range(20):
        with pytest.raises(ConstraintViolatedError):
            proxied.connection.write(statement("CREATE (:User {id: $id})"), id=user)
    assert not proxied.circuit_open
