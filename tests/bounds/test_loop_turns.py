"""The bulkhead of the event loop: as turns.py, with callers that may be gone while they wait."""

import asyncio
import random
import secrets
import time
from contextlib import suppress

import pytest

from bounds.loop_turns import LoopTurns
from tests.support.loops import eventually_on_loop, on_loop

WAIT_SECONDS = 0.05
LONG_SECONDS = 30.0
"""Longer than any test: a caller that waits this long is not refused at once."""


async def waits(turns: LoopTurns) -> bool:
    """Whether a call of `take` waits for its time and is then refused."""
    began = time.monotonic()
    assert not await turns.take()
    return time.monotonic() - began > WAIT_SECONDS / 2


async def busy(*, busy_seconds: float = LONG_SECONDS, busy_line: int = 0) -> LoopTurns:
    """One turn, which is taken, at the begin of a busy period; a caller who waits, waits long."""
    turns = LoopTurns(1, wait_seconds=WAIT_SECONDS, busy_seconds=busy_seconds, busy_line=busy_line)
    assert await turns.take()
    assert await waits(turns)
    turns._wait_seconds = LONG_SECONDS
    return turns


async def line(turns: LoopTurns, count: int) -> list[asyncio.Task[bool]]:
    """So many callers that wait, in this order."""
    callers = [asyncio.create_task(turns.take()) for _ in range(count)]
    await asyncio.sleep(0)
    assert len(turns._waiting) == count
    return callers


@on_loop
async def test_no_more_callers_than_the_count_have_a_turn() -> None:
    turns = LoopTurns(2, wait_seconds=0)
    assert [await turns.take() for _ in range(4)] == [True, True, False, False]


@on_loop
async def test_a_turn_that_was_given_back_can_be_taken_once() -> None:
    turns = LoopTurns(1, wait_seconds=0)
    await turns.take()
    turns.give_back()
    assert [await turns.take() for _ in range(2)] == [True, False]


@on_loop
async def test_a_caller_waits_for_its_time_before_it_is_refused() -> None:
    turns = LoopTurns(1, wait_seconds=WAIT_SECONDS)
    await turns.take()
    assert await waits(turns)
    assert await waits(turns), "without a busy period every caller waits"


@on_loop
async def test_the_callers_that_wait_get_turns_in_their_order() -> None:
    turns = LoopTurns(1, wait_seconds=LONG_SECONDS)
    await turns.take()
    callers = await line(turns, 5)
    for number, caller in enumerate(callers):
        turns.give_back()
        assert await caller
        assert [c.done() for c in callers] == [n <= number for n in range(5)]
    turns.give_back()
    assert await turns.take()


@on_loop
async def test_a_newcomer_takes_no_turn_from_a_caller_that_waits() -> None:
    turns = LoopTurns(1, wait_seconds=WAIT_SECONDS)
    await turns.take()
    [caller] = await line(turns, 1)
    turns.give_back()  # the caller has it, but has not run yet
    assert not await turns.take()
    assert await caller


@on_loop
async def test_in_a_busy_period_a_caller_is_refused_at_once() -> None:
    turns = await busy()
    async with asyncio.timeout(LONG_SECONDS / 6):
        assert not await turns.take()


@on_loop
async def test_in_a_busy_period_a_free_turn_is_taken() -> None:
    turns = await busy()
    turns.give_back()
    assert await turns.take()


@on_loop
async def test_in_a_busy_period_only_the_busy_line_waits() -> None:
    turns = await busy(busy_line=2)
    callers = await line(turns, 2)
    async with asyncio.timeout(LONG_SECONDS / 6):
        assert not await turns.take()
    for caller in callers:
        turns.give_back()
        assert await caller


@on_loop
async def test_a_caller_that_waited_in_vain_leaves_the_busy_line() -> None:
    turns = LoopTurns(1, wait_seconds=WAIT_SECONDS, busy_seconds=LONG_SECONDS, busy_line=1)
    await turns.take()
    assert [await waits(turns) for _ in range(3)] == [True, True, True]


@on_loop
async def test_after_the_busy_period_callers_wait_again() -> None:
    turns = await busy(busy_seconds=0.2)
    await eventually_on_loop(lambda: asyncio.get_running_loop().time() > turns._busy_until)
    [caller] = await line(turns, 1)
    turns.give_back()
    assert await caller


@on_loop
async def test_a_caller_that_is_gone_leaves_the_line_and_its_turn_to_the_next() -> None:
    turns = LoopTurns(1, wait_seconds=LONG_SECONDS)
    await turns.take()
    gone, late, last = await line(turns, 3)
    gone.cancel()
    turns.give_back()
    late.cancel()  # it has the turn, but has not run yet
    assert await last
    assert gone.cancelled()
    assert late.cancelled()
    assert not turns._waiting
    turns.give_back()
    assert await turns.take()


@on_loop
async def test_a_turn_that_comes_with_the_time_out_is_taken() -> None:
    turns = LoopTurns(1, wait_seconds=WAIT_SECONDS)
    await turns.take()
    loop = asyncio.get_running_loop()
    caller = asyncio.create_task(turns.take())
    await asyncio.sleep(0)
    loop.call_later(WAIT_SECONDS, turns.give_back)
    loop.call_soon(time.sleep, 2 * WAIT_SECONDS)  # both timers are due in the same turn of the loop
    had_turn = await caller
    turns._wait_seconds = 0
    assert await turns.take() == (not had_turn), "the turn is either taken or free"


@pytest.mark.parametrize("busy_seconds", [0.0, 0.01])
@on_loop
async def test_random_schedules_lose_and_double_no_turn(busy_seconds: float) -> None:
    seed = secrets.randbelow(10**6)
    print(f"seed {seed}")
    chance = random.Random(seed)
    count = 3
    turns = LoopTurns(count, wait_seconds=0.01, busy_seconds=busy_seconds, busy_line=5)
    working, counts = 0, {"worked": 0, "refused": 0, "gone": 0}

    async def call() -> None:
        nonlocal working
        await asyncio.sleep(chance.random())
        if not await turns.take():
            counts["refused"] += 1
            return
        try:
            working += 1
            assert working <= count
            counts["worked"] += 1
            for _ in range(chance.randrange(3)):
                await asyncio.sleep(chance.choice([0, 0.001, 0.01]))
        finally:
            working -= 1
            turns.give_back()

    async def call_for_a_time(seconds: float) -> None:
        caller = asyncio.create_task(call())
        await asyncio.wait([caller], timeout=seconds)
        counts["gone"] += caller.cancel()
        with suppress(asyncio.CancelledError):
            await caller

    await asyncio.gather(
        *(call_for_a_time(chance.choice([9, chance.random()])) for _ in range(900))
    )
    print(counts)
    assert min(counts.values()) > 0
    turns._wait_seconds = 0
    assert not turns._waiting
    assert [await turns.take() for _ in range(count + 1)] == [True] * count + [False]
