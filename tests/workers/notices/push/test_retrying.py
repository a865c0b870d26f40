from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.notices.push.retrying import (
    LONGEST_SECONDS,
    MAX_TRIES,
    SHORTEST_SECONDS,
    pause_seconds,
    read_retry_after,
)

NOW = 1_780_000_000.0


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("120", 120.0),
        (" 120 ", 120.0),
        ("0", SHORTEST_SECONDS),
        ("999999999999", LONGEST_SECONDS),
        (formatdate(NOW + 90, usegmt=True), 90.0),
        (formatdate(NOW - 90, usegmt=True), SHORTEST_SECONDS),
        (formatdate(NOW + 10**6, usegmt=True), LONGEST_SECONDS),
        (None, None),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("²", None),
        ("1" * 65, None),
        ("Thu, 99 Foo 2026 00:00:00 GMT", None),
    ],
)
def test_a_retry_after_is_read_in_both_forms_and_bounded(
    text: str | None, seconds: float | None
) -> None:
    assert read_retry_after(text, now=NOW) == seconds


@given(st.text())
def test_no_retry_after_raises(text: str) -> None:
    seconds = read_retry_after(text, now=NOW)
    assert seconds is None or SHORTEST_SECONDS <= seconds <= LONGEST_SECONDS


def test_pauses_grow_and_are_spread() -> None:
    shortest = [pause_seconds(n, retry_after=None, random=0.0) for n in range(1, MAX_TRIES)]
    longest = [pause_seconds(n, retry_after=None, random=1.0) for n in range(1, MAX_TRIES)]
    assert shortest == [7.5, 22.5, 67.5, 202.5]
    assert longest == [3 * pause for pause in shortest]


def test_a_pause_is_never_shorter_than_a_retry_after() -> None:
    for random in (0.0, 0.5, 1.0):
        assert 600 <= pause_seconds(1, retry_after=600, random=random) <= 900
        assert pause_seconds(3, retry_after=1, random=random) >= 67.5
