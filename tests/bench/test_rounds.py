import contextlib
from collections.abc import Callable, Iterator, Sequence

import pytest

from bench.rounds import MAX_ROUNDS, MIN_ROUNDS, judge, measure, median_cpu_us, rounds_needed
from bench.rows.row import Check, Row, Sides
from bench.stage.measurement import Measurement
from bench.stage.run_context import RunContext


def silent(_: str) -> None:
    pass


RUN = RunContext(quick=False, seed=1, seconds=0.1, report=silent)
QUICK_RUN = RunContext(quick=True, seed=1, seconds=0.1, report=silent)


def row_of(
    ours: Callable[[], float],
    against: Callable[[], float],
    *,
    right: Sequence[bool] = (True, True),
    void: str | None = None,
) -> Row:
    answers = iter(right)

    @contextlib.contextmanager
    def open_sides(_: RunContext) -> Iterator[Sides]:
        yield Sides(
            ours=lambda: Measurement(value=ours()),
            against=lambda: Measurement(value=against()),
            check=lambda: Check(what="lists", count=3, passed=next(answers)),
            void=lambda: void,
        )

    return Row(id="X1", title="x", unit="1/s", target=1.0, better="higher", open=open_sides)


def test_the_sides_take_turns_after_a_warm_up_that_is_not_counted() -> None:
    called: list[str] = []

    def side(name: str, value: float) -> Callable[[], float]:
        return lambda: called.append(name) or value  # type: ignore[func-returns-value]

    outcome = measure(row_of(side("A", 4.0), side("B", 2.0)), RUN)
    assert "".join(called) == "AB" + "AB" + "BA" + "AB"
    assert [one.order for one in outcome.rounds] == ["AB", "BA", "AB"]
    assert [one.ratio for one in outcome.rounds] == [2.0] * MIN_ROUNDS
    assert outcome.verdict == "met"


def test_three_rounds_that_lie_far_apart_become_seven_and_none_is_dropped() -> None:
    values = iter([1.0, 1.0, 1.4, 1.2, 1.0, 1.0, 1.0, 1.0])
    outcome = measure(row_of(lambda: next(values), lambda: 1.0), RUN)
    assert [one.ratio for one in outcome.rounds] == [1.0, 1.4, 1.2, 1.0, 1.0, 1.0, 1.0]


@pytest.mark.parametrize(
    ("ratios", "count"),
    [
        ([], MIN_ROUNDS),
        ([1.0, 9.0], MIN_ROUNDS),
        ([1.0, 1.1, 1.3], MIN_ROUNDS),
        ([1.0, 1.1, 1.31], MAX_ROUNDS),
        ([1.0, 2.0, 1.0, 1.0, 1.0, 1.0], MAX_ROUNDS),
    ],
)
def test_how_many_rounds_there_are_is_decided_by_the_first_ratios(
    ratios: list[float], count: int
) -> None:
    assert rounds_needed(ratios) == count


def test_a_wrong_result_has_no_rounds() -> None:
    for right in ((False,), (True, False)):
        outcome = measure(row_of(lambda: 9.0, lambda: 1.0, right=right), RUN)
        assert (outcome.verdict, list(outcome.rounds)) == ("WRONG", [])


def test_a_void_row_has_a_reason_and_no_rounds() -> None:
    slow = "wrk is too slow"
    outcome = measure(row_of(lambda: 9.0, lambda: 1.0, void=slow), RUN)
    assert (outcome.verdict, outcome.reason, list(outcome.rounds)) == ("void", slow, [])


def test_a_quick_run_proves_the_result_in_one_round_and_judges_no_time() -> None:
    called: list[str] = []

    def one() -> float:
        called.append("ours")
        return 0.001

    outcome = measure(row_of(one, lambda: 1.0), QUICK_RUN)
    assert (outcome.verdict, list(outcome.rounds), called) == ("checked", [], ["ours"])
    wrong = measure(row_of(one, lambda: 1.0, right=(False,)), QUICK_RUN)
    assert wrong.verdict == "WRONG"


@pytest.mark.parametrize(
    ("ratios", "better", "verdict"),
    [
        ([1.0, 1.1, 1.2], "higher", "met"),
        ([0.7, 0.8, 0.9], "higher", "missed"),
        ([0.9, 1.1, 1.2], "higher", "unclear"),
        ([0.7, 0.8, 0.9], "lower", "met"),
        ([1.1, 1.2, 1.3], "lower", "missed"),
        ([0.9, 0.95, 1.2], "lower", "unclear"),
        ([1.0, 1.0, 1.0], "lower", "met"),
    ],
)
def test_the_median_is_judged_unless_the_target_lies_among_the_ratios(
    ratios: list[float], better: str, verdict: str
) -> None:
    assert judge(ratios, target=1.0, better=better) == verdict  # type: ignore[arg-type]


def test_cpu_time_is_given_by_side_and_that_of_redis_apart() -> None:
    ours = [Measurement(value=1, cpu_us={"python": us, "redis": 2.0}) for us in (1.0, 3.0, 90.0)]
    against = [Measurement(value=1, cpu_us={"client": 0.5, "redis": 2.5})] * 3
    pairs = list(zip(ours, against, strict=True))
    assert median_cpu_us(pairs) == {"ours": 3.0, "redis": 2.0, "against": 0.5, "redis_against": 2.5}
