"""Probes: each runs at most once at a time, and a probe that hangs blocks no other."""

import threading
from collections.abc import Iterator
from concurrent.futures import TimeoutError as FutureTimeoutError

import pytest

from observing.probes import Probes


class HeldProbe:
    """A probe that waits for `released`, and counts its calls."""

    def __init__(self) -> None:
        self.released = threading.Event()
        self.calls = 0

    def __call__(self) -> int:
        self.calls += 1
        self.released.wait(30)
        return self.calls


@pytest.fixture
def held() -> Iterator[HeldProbe]:
    held = HeldProbe()
    yield held
    held.released.set()


def test_a_probe_that_hangs_blocks_no_other(held: HeldProbe) -> None:
    probes = Probes({"held": held, "quick": lambda: "ok"}, threads_name="test")
    for _ in range(2):
        futures = probes.futures()
        assert futures["quick"].result(10) == "ok"
        with pytest.raises(FutureTimeoutError):
            futures["held"].result(0)


def test_a_running_probe_is_shared_and_a_finished_one_is_started_again(held: HeldProbe) -> None:
    probes = Probes({"held": held}, threads_name="test")
    first, second = probes.futures()["held"], probes.futures()["held"]
    assert first is second
    held.released.set()
    assert first.result(10) == 1
    assert probes.futures()["held"].result(10) == 2


def test_an_error_of_a_probe_is_raised_by_its_future() -> None:
    def fail() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        Probes({"broken": fail}, threads_name="test").futures()["broken"].result(10)
