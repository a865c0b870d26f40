"""When the circuit opens and closes, and how it translates exceptions."""

import threading
import time
from contextlib import suppress

import pytest
import redis

from storage import Storage, StorageRefusedError, StorageUnavailableError
from storage.circuit import FAILURES_TO_OPEN, OPEN_SECONDS
from storage.redis.circuit import RedisCircuit
from storage.timeline_layout import timeline_key
from tests.support.eventually import eventually


def fail(circuit: RedisCircuit, error: Exception) -> None:
    with circuit.guard():
        raise error


def open_circuit() -> RedisCircuit:
    circuit = RedisCircuit("cache")
    for _ in range(FAILURES_TO_OPEN):
        with pytest.raises(StorageUnavailableError):
            fail(circuit, redis.TimeoutError())
    return circuit


def succeeds(circuit: RedisCircuit) -> bool:
    try:
        with circuit.guard():
            return True
    except StorageUnavailableError:
        return False


def test_an_open_circuit_refuses_calls_unsent_and_one_success_closes_it() -> None:
    circuit = open_circuit()
    assert not succeeds(circuit)

    eventually(lambda: succeeds(circuit), seconds=OPEN_SECONDS + 1)
    assert succeeds(circuit)


def test_an_open_circuit_lets_one_call_probe_and_a_failed_probe_keeps_it_open() -> None:
    circuit, attempts = open_circuit(), []

    def attempt() -> None:
        with circuit.guard():
            attempts.append(time.monotonic())
            raise redis.ConnectionError

    def probe() -> bool:
        with pytest.raises(StorageUnavailableError):
            attempt()
        return len(attempts) == 2

    eventually(probe, seconds=2 * OPEN_SECONDS + 1, every=0.01)
    assert attempts[1] - attempts[0] >= OPEN_SECONDS


def test_during_a_probe_all_other_calls_are_refused() -> None:
    circuit = open_circuit()
    entered, leave = threading.Event(), threading.Event()

    def probe() -> None:
        with suppress(StorageUnavailableError), circuit.guard():
            entered.set()
            leave.wait(5)

    def started() -> bool:
        threading.Thread(target=probe, daemon=True).start()
        return entered.wait(0.05)

    eventually(started, seconds=OPEN_SECONDS + 1)
    assert not succeeds(circuit)
    leave.set()
    eventually(lambda: succeeds(circuit))


def test_only_a_permanent_error_is_a_refusal(storage: Storage, user: int) -> None:
    transient = [
        redis.ResponseError("BUSY Redis is busy running a script."),
        redis.ResponseError("MISCONF Redis is configured to save RDB snapshots"),
        redis.OutOfMemoryError("command not allowed when used memory > 'maxmemory'."),
        redis.ReadOnlyError("You can't write against a read only replica."),
        redis.BusyLoadingError("Redis is loading the dataset in memory"),
        redis.AuthenticationError("Authentication required."),
    ]
    for error in transient:
        with pytest.raises(StorageUnavailableError) as outage:
            fail(RedisCircuit("cache"), error)
        assert not isinstance(outage.value, StorageRefusedError)
    storage.cache.client.set(timeline_key(user), "no list")
    with pytest.raises(StorageRefusedError):
        storage.timelines.entries(user)
    with pytest.raises(StorageRefusedError), storage.cache.guard():
        storage.cache.client.execute_command("NOSUCHCOMMAND")  # type: ignore[no-untyped-call]


def test_error_replies_do_not_open_the_circuit() -> None:
    circuit = RedisCircuit("cache")
    for _ in range(3 * FAILURES_TO_OPEN):
        with pytest.raises(StorageUnavailableError):
            fail(circuit, redis.ResponseError("OOM command not allowed"))

    assert succeeds(circuit)


def test_an_error_reply_to_the_probe_closes_the_circuit() -> None:
    """The probe may be a script that a restarted server does not have, and always the same one."""
    circuit = open_circuit()

    def probe() -> bool:
        with pytest.raises(StorageUnavailableError) as raised:
            fail(circuit, redis.exceptions.NoScriptError("No matching script."))
        return isinstance(raised.value.__cause__, redis.exceptions.NoScriptError)

    eventually(probe, seconds=OPEN_SECONDS + 1)
    assert succeeds(circuit)


def test_other_exceptions_are_not_translated() -> None:
    with pytest.raises(KeyError):
        fail(RedisCircuit("cache"), KeyError())
