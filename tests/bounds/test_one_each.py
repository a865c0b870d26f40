"""The bulkhead a key: one caller works, few wait, further ones are refused at once."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from bounds.one_each import OneEach
from tests.support.eventually import eventually

LONG_SECONDS = 60.0


class NoTurnError(Exception):
    """The refusal of these tests."""


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as pool:
        yield pool


class Caller:
    """A caller that works until it is told to end."""

    def __init__(self, turns: OneEach, key: int, kind: str | None = None) -> None:
        self.turns, self.key, self.kind = turns, key, kind
        self.works, self.end = threading.Event(), threading.Event()

    def __call__(self) -> None:
        with self.turns.turn(self.key, NoTurnError, kind=self.kind):
            self.works.set()
            assert self.end.wait(30)


def test_callers_of_other_keys_do_not_wait(pool: ThreadPoolExecutor) -> None:
    turns = OneEach(wait_seconds=0)
    first = Caller(turns, 1)
    working = pool.submit(first)
    assert first.works.wait(30)
    with turns.turn(2, NoTurnError):
        pass
    first.end.set()
    working.result(30)
    assert turns._lines == {}


def test_a_second_caller_waits_and_a_third_is_refused_at_once(pool: ThreadPoolExecutor) -> None:
    turns = OneEach(wait_seconds=LONG_SECONDS)
    first, second = Caller(turns, 1), Caller(turns, 1)
    working = pool.submit(first)
    assert first.works.wait(30)
    waiting = pool.submit(second)
    eventually(lambda: turns._lines[1].callers == 2)
    with pytest.raises(NoTurnError), turns.turn(1, NoTurnError):
        pass
    assert not second.works.is_set()
    first.end.set()
    assert second.works.wait(30)
    second.end.set()
    working.result(30)
    waiting.result(30)
    assert turns._lines == {}


def test_callers_of_one_key_work_for_each_kind_and_are_few_in_all(
    pool: ThreadPoolExecutor,
) -> None:
    turns = OneEach(wait_seconds=LONG_SECONDS, callers=4)
    callers = [Caller(turns, 1, kind) for kind in "aabb"]
    working = [pool.submit(caller) for caller in callers]
    eventually(lambda: 1 in turns._lines)
    eventually(lambda: turns._lines[1].callers == 4)
    eventually(lambda: sum(caller.works.is_set() for caller in callers) == 2)
    for kind in "abc":
        with pytest.raises(NoTurnError), turns.turn(1, NoTurnError, kind=kind):
            pass
    assert callers[0].works.is_set() != callers[1].works.is_set()
    assert callers[2].works.is_set() != callers[3].works.is_set()
    for caller in callers:
        caller.end.set()
    for work in working:
        work.result(30)
    assert turns._lines == {}


def test_a_second_caller_is_refused_after_its_time(pool: ThreadPoolExecutor) -> None:
    turns = OneEach(wait_seconds=0.05)
    first = Caller(turns, 1)
    working = pool.submit(first)
    assert first.works.wait(30)
    began = time.monotonic()
    with pytest.raises(NoTurnError), turns.turn(1, NoTurnError):
        pass
    assert time.monotonic() - began >= 0.05
    first.end.set()
    working.result(30)


def test_a_caller_that_fails_gives_its_turn_back() -> None:
    turns = OneEach(wait_seconds=0)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError), turns.turn(1, NoTurnError):
            raise ZeroDivisionError
    assert turns._lines == {}
