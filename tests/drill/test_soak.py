"""The soak: what counts as growth, and that everything it shortens exists."""

from datetime import timedelta

import pytest

from drill.soak_samples import FILES, NODES, Trend, quarters
from drill.stage.short_lives.lives import FACTOR, LIVES, LONGER_LIVES


def trend(*numbers: float) -> Trend:
    return Trend(name="keys", quarters=numbers, bound=NODES)


def test_a_quarter_is_the_median_of_its_samples() -> None:
    assert quarters([1, 2, 9, 4, 4, 4, 5, 6, 7, 8, 0, 8]) == [2, 4, 6, 8]
    assert quarters([1, 2, 3, 4]) == [1, 2, 3, 4]


@pytest.mark.parametrize(
    "numbers", [(0, 1000, 1000, 1000), (0, 1000, 900, 1199), (0, 10, 50, 109), (0, 0, 9000, 99)]
)
def test_what_stays_within_chance_does_not_grow(numbers: tuple[float, ...]) -> None:
    assert not trend(*numbers).grows


@pytest.mark.parametrize("numbers", [(0, 1000, 1100, 1201), (0, 0, 0, 101)])
def test_what_is_larger_in_the_last_quarter_than_in_the_second_grows(
    numbers: tuple[float, ...],
) -> None:
    assert trend(*numbers).grows
    assert str(trend(*numbers)).endswith("GROWS")


def test_a_few_descriptors_are_growth_and_a_few_nodes_are_not() -> None:
    numbers = (10.0, 10.0, 20.0, 60.0)
    assert Trend(name="descriptors", quarters=numbers, bound=FILES).grows
    assert not trend(*numbers).grows


def test_everything_that_is_kept_for_a_time_is_shortened() -> None:
    for module, names in LIVES.items():
        kept = [name for name in vars(module) if name.endswith(("_LIFE_MS", "RETENTION"))]
        assert set(kept) <= set(names)
        assert all(hasattr(module, name) for name in names)


def test_every_life_ends_within_the_first_quarter_of_an_hour() -> None:
    """Otherwise it still grows in the second quarter, with which the last one is compared."""
    for module, names in LIVES.items():
        for name in names:
            life = getattr(module, name)
            assert _seconds(name, life) / FACTOR / LONGER_LIVES.get(name, 1) <= 960, name
    assert set(LONGER_LIVES) <= {name for names in LIVES.values() for name in names}


def _seconds(name: str, life: int | timedelta) -> float:
    if isinstance(life, timedelta):
        return life.total_seconds()
    return life if name.endswith("_SECONDS") else life / 1000
