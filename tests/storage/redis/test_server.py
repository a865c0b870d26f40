"""The circuit, the pings, the settings."""

import threading
import time
from contextlib import suppress

import pytest
import redis
from environs import Env, EnvValidationError

from storage import Storage, StorageRefusedError, StorageSettings, StorageUnavailableError
from storage.redis.circuit import FAILURES_TO_OPEN, OPEN_SECONDS, Circuit
from storage.redis.server import Server
from tests.support.eventually import eventually
from tests.support.private_server import PrivateServer


def fail(circuit: Circuit, error: Exception) -> None:
    with circuit.guard():
        raise error


def opened() -> Circuit:
    circuit = Circuit("cache")
    for _ in range(FAILURES_TO_OPEN):
        with pytest.raises(StorageUnavailableError):
            fail(circuit, redis.TimeoutError())
    return circuit


def succeeds(circuit: Circuit) -> bool:
    try:
        with circuit.guard():
            return True
    except StorageUnavailableError:
        return False


def test_an_open_circuit_refuses_before_anything_is_tried_and_closes_by_one_success() -> None:
    circuit = opened()
    assert not succeeds(circuit)

    eventually(lambda: succeeds(circuit), seconds=OPEN_SECONDS + 1)
    assert succeeds(circuit)


def test_after_a_moment_one_call_is_let_through_and_its_failure_opens_again() -> None:
    circuit, tried = opened(), []

    def note_and_fail() -> None:
        with circuit.guard():
            tried.append(time.monotonic())
            raise redis.ConnectionError

    def probe() -> bool:
        with pytest.raises(StorageUnavailableError):
            note_and_fail()
        return len(tried) == 2

    eventually(probe, seconds=2 * OPEN_SECONDS + 1, every=0.01)
    assert tried[1] - tried[0] >= OPEN_SECONDS


def test_while_one_call_probes_the_others_are_refused() -> None:
    circuit = opened()
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


def test_only_what_is_refused_for_good_is_a_refusal(storage: Storage, user: int) -> None:
    passing = [
        redis.ResponseError("BUSY Redis is busy running a script."),
        redis.ResponseError("MISCONF Redis is configured to save RDB snapshots"),
        redis.OutOfMemoryError("command not allowed when used memory > 'maxmemory'."),
        redis.ReadOnlyError("You can't write against a read only replica."),
        redis.BusyLoadingError("Redis is loading the dataset in memory"),
        redis.AuthenticationError("Authentication required."),
    ]
    for error in passing:
        with pytest.raises(StorageUnavailableError) as outage:
            fail(Circuit("cache"), error)
        assert not isinstance(outage.value, StorageRefusedError)
    storage.cache.client.set(f"tl:{user:014x}", "no list")
    with pytest.raises(StorageRefusedError):
        storage.timelines.whole(user)
    with pytest.raises(StorageRefusedError), storage.cache.guard():
        storage.cache.client.execute_command("NOSUCHCOMMAND")  # type: ignore[no-untyped-call]


def test_errors_that_the_server_answers_with_do_not_open_the_circuit() -> None:
    circuit = Circuit("cache")
    for _ in range(3 * FAILURES_TO_OPEN):
        with pytest.raises(StorageUnavailableError):
            fail(circuit, redis.ResponseError("OOM command not allowed"))

    assert succeeds(circuit)


def test_mistakes_of_ours_pass_through_untranslated() -> None:
    with pytest.raises(KeyError):
        fail(Circuit("cache"), KeyError())


def test_both_servers_are_pinged(storage: Storage) -> None:
    storage.ping_cache()
    storage.ping_queue()


def test_a_ping_of_a_server_that_stands_still_takes_half_a_second(
    private_server: PrivateServer,
) -> None:
    server = Server("queue", private_server.url)
    private_server.stop()
    begun = time.monotonic()
    with pytest.raises(StorageUnavailableError) as raised:
        server.ping()

    assert raised.value.part == "queue"
    assert time.monotonic() - begun < 0.9


def test_settings_name_every_missing_variable_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("QUEUE_REDIS_URL", "CACHE_REDIS_URL", "S3_BUCKET"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TIMELINE_CAP", "0")
    env = Env(eager=False)
    StorageSettings.from_env(env)

    with pytest.raises(EnvValidationError) as raised:
        env.seal()
    missing = raised.value.error_messages
    assert {"QUEUE_REDIS_URL", "CACHE_REDIS_URL", "S3_BUCKET", "TIMELINE_CAP"} <= set(missing)


def test_settings_do_not_show_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    values = {
        "QUEUE_REDIS_URL": "redis://:hidden@queue",
        "CACHE_REDIS_URL": "redis://:hidden@cache",
        "S3_ENDPOINT_URL": "http://s3",
        "S3_BUCKET": "bucket",
        "AWS_ACCESS_KEY_ID": "hidden",
        "AWS_SECRET_ACCESS_KEY": "hidden",
        "MEDIA_BASE_URL": "http://media",
        "S3_CORS_ORIGINS": "https://a.example,https://b.example",
    }
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    settings = StorageSettings.from_env(Env())

    assert "hidden" not in repr(settings)
    assert settings.s3_cors_origins == ("https://a.example", "https://b.example")
