"""When a circuit of any store opens, probes and closes, and what it reports."""

import pytest
from structlog.testing import capture_logs

from observing import metrics
from storage import StorageUnavailableError
from storage.circuit import Circuit
from tests.support.eventually import eventually

OPEN_SECONDS = 0.2


class PlainCircuit(Circuit):
    """Takes each ConnectionError for a failure of the server, each ValueError for an answer."""

    def _translate(self, error: BaseException) -> tuple[StorageUnavailableError, bool] | None:
        if isinstance(error, ConnectionError | ValueError):
            return StorageUnavailableError(self._part), isinstance(error, ValueError)
        return None


def fail(circuit: Circuit, error: Exception | None = None) -> None:
    with pytest.raises(StorageUnavailableError), circuit.guard():
        raise error or ConnectionError


def is_refused(circuit: Circuit) -> bool:
    try:
        with circuit.guard():
            return False
    except StorageUnavailableError:
        return True


def openings(store: str) -> float:
    return float(metrics.CIRCUIT_OPENINGS.labels(store=store)._value.get())


def refusals(store: str) -> float:
    return float(metrics.CALLS_REFUSED.labels(store=store, why="circuit")._value.get())


def test_opening_and_closing_are_logged_and_counted_once() -> None:
    circuit = PlainCircuit("a store", failures_to_open=2, open_seconds=OPEN_SECONDS)
    with capture_logs() as lines:
        for _ in range(4):
            fail(circuit)
        assert circuit.open
        eventually(lambda: not is_refused(circuit))
        assert not is_refused(circuit)
    assert [(line["event"], line["part"]) for line in lines] == [
        ("store away, left alone", "a store"),
        ("store answers again", "a store"),
    ]
    assert openings("a store") == 1
    assert refusals("a store") >= 2


def test_failures_that_are_far_apart_do_not_open_a_circuit() -> None:
    circuit = PlainCircuit("store", failures_to_open=2, forget_seconds=-1)
    for _ in range(4):
        fail(circuit)
    assert not circuit.open


def test_a_probe_that_fails_late_leaves_the_circuit_open() -> None:
    circuit = PlainCircuit("store", failures_to_open=2, forget_seconds=60, open_seconds=0)
    fail(circuit)
    fail(circuit)
    circuit._forget_seconds = -1  # as if the probe came long after the failures
    fail(circuit)
    assert circuit.open


def test_a_call_that_fails_alone_does_not_open_a_circuit_with_a_probe() -> None:
    circuit = PlainCircuit("store", failures_to_open=1, probe=lambda: True)
    with capture_logs() as lines:
        for _ in range(3):
            fail(circuit)
    assert not circuit.open
    assert lines == []


def test_an_open_circuit_with_a_probe_sends_no_call_until_the_probe_succeeds() -> None:
    answering, probes = False, 0

    def probe() -> bool:
        nonlocal probes
        probes += 1
        return answering

    circuit = PlainCircuit("store", failures_to_open=1, open_seconds=OPEN_SECONDS, probe=probe)
    fail(circuit)
    assert (circuit.open, probes) == (True, 1)

    def probed_again() -> bool:
        assert is_refused(circuit)
        return probes == 3

    eventually(probed_again)
    answering = True
    eventually(lambda: not is_refused(circuit))
    assert not circuit.open


def test_an_answer_is_no_failure() -> None:
    circuit = PlainCircuit("store", failures_to_open=1)
    for _ in range(3):
        fail(circuit, ValueError())
    assert not circuit.open
