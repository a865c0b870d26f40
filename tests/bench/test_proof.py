import pytest

from bench.stage.proof import is_right
from storage.timeline_layout import DISORDER
from storage.timelines import RawTimeline


def raw(*entries: int, expires: bool = True) -> RawTimeline:
    return RawTimeline(entries=list(entries), expires=expires)


FEED = [9, 8, 7, 6, 5]


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ((0, 5, 6, 7, 8, 9), True),
        ((0, 5, 6, 8, 7, 9), True),  # out of order by a moment
        ((-7, 7, 8, 9), True),
        ((7, 8, 9), True),  # trimmed to the cap
        ((8, 9), False),  # trimmed below it
        ((6, 8, 9), True),  # trimmed after 6 came late: 7 stood before it
        ((6, 8, 8, 9), False),  # twice
        ((4, 8, 9), False),  # of nobody
        ((0, 5, 6, 7, 9), False),  # a hole
        ((0, 5, 6, 7, 8, 9, 9), False),  # twice
        ((0, 4, 5, 6, 7, 8, 9), False),  # of nobody
        ((-8, 7, 8, 9), False),  # the watermark is above an entry
        ((5, 6, 0, 7, 8, 9), False),  # the sentinel is not the first
        ((0, 4, 5, 6, 7, 8, 9, 10), False),  # too long
    ],
)
def test_a_list_is_right_if_it_is_the_feed_above_its_watermark(
    entries: tuple[int, ...], expected: bool
) -> None:
    assert is_right(raw(*entries), FEED, cap=3, longest=7) is expected


def test_a_trimmed_list_may_miss_only_what_is_within_t_of_its_first_entry() -> None:
    feed = [6 * DISORDER, 5 * DISORDER, 2 * DISORDER, 2 * DISORDER - 1, DISORDER]
    late = raw(DISORDER, *feed[:3])
    assert is_right(late, feed, cap=3, longest=7)
    assert not is_right(raw(DISORDER, *feed[:2]), feed, cap=3, longest=7)


def test_a_list_that_never_expires_is_wrong() -> None:
    assert not is_right(raw(0, 5, 6, 7, 8, 9, expires=False), FEED, cap=3, longest=7)
