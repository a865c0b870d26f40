"""The bulkhead: how many callers work, how many wait, and when a caller is refused."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from bounds.turns import Turns
from tests.support.eventually import eventually

WAIT_SECONDS = 0.05
LONG_SECONDS = 60.0
"""Longer than any test: a caller that waits this long is not refused at once."""


class NoTurnError(Exception):
    """The refusal of these tests."""


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as pool:
        yield pool


def waits(turns: Turns) -> bool:
    """Whether a call of `take` waits for its time and is then refused."""
    began = time.monotonic()
    assert not turns.take()
    return time.monotonic() - began > WAIT_SECONDS / 2


def busy(*, busy_seconds: float = LONG_SECONDS, busy_line: int = 0) -> Turns:
    """One turn, which is taken, at the begin of a busy period; a caller who waits, waits long."""
    turns = Turns(1, wait_seconds=WAIT_SECONDS, busy_seconds=busy_seconds, busy_line=busy_line)
    assert turns.take()
    assert waits(turns)
    turns._wait_seconds = LONG_SECONDS
    return turns


def callers_waiting(turns: Turns, count: int) -> None:
    eventually(lambda: len(turns._waiting) == count)


def test_no_more_callers_than_the_count_have_a_turn() -> None:
    turns = Turns(2, wait_seconds=0)
    assert [turns.take() for _ in range(4)] == [True, True, False, False]


def test_a_turn_that_was_given_back_can_be_taken_once() -> None:
    turns = Turns(1, wait_seconds=0)
    turns.take()
    turns.give_back()
    assert [turns.take() for _ in range(2)] == [True, False]


def test_a_spare_turn_is_one_beyond_those_that_are_left() -> None:
    turns = Turns(3, wait_seconds=0)
    assert [turns.take_spare(1) for _ in range(3)] == [True, True, False]
    assert turns.take()
    assert not turns.take_spare(0)
    turns.give_back()
    assert turns.take_spare(0)


def test_a_caller_waits_for_its_time_before_it_is_refused() -> None:
    turns = Turns(1, wait_seconds=WAIT_SECONDS)
    turns.take()
    assert waits(turns)
    assert waits(turns), "without a busy period every caller waits"


def test_a_waiting_caller_gets_the_turn_that_is_given_back(pool: ThreadPoolExecutor) -> None:
    turns = Turns(1, wait_seconds=LONG_SECONDS)
    turns.take()
    waiting = pool.submit(turns.take)
    callers_waiting(turns, 1)
    assert not waiting.done()
    turns.give_back()
    assert waiting.result(10)
    assert not turns._waiting, "the caller has left the line"


def test_in_a_busy_period_a_caller_is_refused_at_once(pool: ThreadPoolExecutor) -> None:
    turns = busy()
    assert not pool.submit(turns.take).result(LONG_SECONDS / 6)


def test_in_a_busy_period_a_free_turn_is_taken() -> None:
    turns = busy()
    turns.give_back()
    assert turns.take()


def test_in_a_busy_period_only_the_busy_line_waits(pool: ThreadPoolExecutor) -> None:
    turns = busy(busy_line=2)
    waiting = [pool.submit(turns.take) for _ in range(2)]
    callers_waiting(turns, 2)
    assert not pool.submit(turns.take).result(LONG_SECONDS / 6)
    for _ in waiting:
        turns.give_back()
    assert [caller.result(10) for caller in waiting] == [True, True]


def test_a_caller_that_waited_in_vain_leaves_the_busy_line() -> None:
    turns = Turns(1, wait_seconds=WAIT_SECONDS, busy_seconds=LONG_SECONDS, busy_line=1)
    turns.take()
    assert [waits(turns) for _ in range(3)] == [True, True, True]


def test_after_the_busy_period_callers_wait_again(pool: ThreadPoolExecutor) -> None:
    turns = busy(busy_seconds=0.2)
    eventually(lambda: time.monotonic() > turns._busy_until)
    waiting = pool.submit(turns.take)
    callers_waiting(turns, 1)
    turns.give_back()
    assert waiting.result(10)


def test_a_block_without_a_turn_raises_the_refusal() -> None:
    turns = Turns(1, wait_seconds=0)
    turns.take()
    with pytest.raises(NoTurnError), turns.turn(NoTurnError):
        pytest.fail("the block ran without a turn")


@pytest.mark.parametrize("error", [None, RuntimeError])
def test_a_block_holds_a_turn_and_gives_it_back(error: type[Exception] | None) -> None:
    turns = Turns(1, wait_seconds=0)
    try:
        with turns.turn(NoTurnError):
            assert not turns.take(), "the block has the only turn"
            if error:
                raise error
    except RuntimeError:
        pass
    assert turns.take()


def test_a_refused_block_gives_no_turn_back() -> None:
    turns = Turns(1, wait_seconds=0)
    turns.take()
    with pytest.raises(NoTurnError), turns.turn(NoTurnError):
        pass
    assert not turns.take()
