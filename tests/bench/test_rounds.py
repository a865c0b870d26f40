import contextlib
from collections.abc import Callable, Iterator, Sequence

import pytest

from bench.rounds import MANY_ROUNDS, ROUNDS, cpu_of, measured, rounds_wanted, verdict_of
from bench.rows.row import Check, Measured, Row, Sides, Sizes

SIZES = Sizes(quick=False, seed=1, seconds=0.1)
QUICK = Sizes(quick=True, seed=1, seconds=0.1)


def row_of(
    ours: Callable[[], float],
    against: Callable[[], float],
    *,
    right: Sequence[bool] = (True, True),
    void: str | None = None,
) -> Row:
    answers = iter(right)

    @contextlib.contextmanager
    def ready(_: Sizes) -> Iterator[Sides]:
        yield Sides(
            ours=lambda: Measured(value=ours()),
            against=lambda: Measured(value=against()),
            check=lambda: Check(what="lists", count=3, passed=next(answers)),
            void=lambda: void,
        )

    return Row(id="X1", title="x", unit="1/s", target=1.0, better="higher", ready=ready)


def silent(_: str) -> None:
    pass


def test_the_sides_take_turns_after_a_warm_up_that_is_not_counted() -> None:
    called: list[str] = []

    def side(name: str, value: float) -> Callable[[], float]:
        return lambda: called.append(name) or value  # type: ignore[func-returns-value]

    outcome = measured(row_of(side("A", 4.0), side("B", 2.0)), SIZES, say=silent)
    assert "".join(called) == "AB" + "AB" + "BA" + "AB"
    assert [one.order for one in outcome.rounds] == ["AB", "BA", "AB"]
    assert [one.ratio for one in outcome.rounds] == [2.0] * ROUNDS
    assert outcome.verdict == "met"


def test_three_rounds_that_lie_far_apart_become_seven_and_none_is_dropped() -> None:
    values = iter([1.0, 1.0, 1.4, 1.2, 1.0, 1.0, 1.0, 1.0])
    outcome = measured(row_of(lambda: next(values), lambda: 1.0), SIZES, say=silent)
    assert [one.ratio for one in outcome.rounds] == [1.0, 1.4, 1.2, 1.0, 1.0, 1.0, 1.0]


@pytest.mark.parametrize(
    ("ratios", "wanted"),
    [
        ([], ROUNDS),
        ([1.0, 9.0], ROUNDS),
        ([1.0, 1.1, 1.3], ROUNDS),
        ([1.0, 1.1, 1.31], MANY_ROUNDS),
        ([1.0, 2.0, 1.0, 1.0, 1.0, 1.0], MANY_ROUNDS),
    ],
)
def test_how_many_rounds_there_are_is_decided_by_the_first_ratios(
    ratios: list[float], wanted: int
) -> None:
    assert rounds_wanted(ratios) == wanted


def test_a_wrong_result_is_given_no_rate() -> None:
    for right in ((False,), (True, False)):
        outcome = measured(row_of(lambda: 9.0, lambda: 1.0, right=right), SIZES, say=silent)
        assert (outcome.verdict, list(outcome.rounds)) == ("WRONG", [])


def test_a_void_row_is_given_no_ratio_but_its_reason() -> None:
    slow = "wrk is too slow"
    outcome = measured(row_of(lambda: 9.0, lambda: 1.0, void=slow), SIZES, say=silent)
    assert (outcome.verdict, outcome.reason, list(outcome.rounds)) == ("void", slow, [])


def test_a_quick_run_proves_the_result_in_one_round_and_judges_no_time() -> None:
    called: list[str] = []

    def one() -> float:
        called.append("ours")
        return 0.001

    outcome = measured(row_of(one, lambda: 1.0), QUICK, say=silent)
    assert (outcome.verdict, list(outcome.rounds), called) == ("checked", [], ["ours"])
    wrong = measured(row_of(one, lambda: 1.0, right=(False,)), QUICK, say=silent)
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
    assert verdict_of(ratios, target=1.0, better=better) == verdict  # type: ignore[arg-type]


def test_cpu_time_is_told_by_side_and_redis_apart() -> None:
    ours = [Measured(value=1, cpu_us={"python": us, "redis": 2.0}) for us in (1.0, 3.0, 90.0)]
    against = [Measured(value=1, cpu_us={"client": 0.5, "redis": 2.5})] * 3
    pairs = list(zip(ours, against, strict=True))
    assert cpu_of(pairs) == {"ours": 3.0, "redis": 2.0, "against": 0.5, "redis_against": 2.5}
