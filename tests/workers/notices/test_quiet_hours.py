"""Quiet hours by the clocks of time zones with and without changes."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from graph.notification_settings import QuietHours
from workers.notices.quiet_hours import quiet_until, waking_time

BERLIN, NEW_YORK, LORD_HOWE = "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"
PHOENIX, KATHMANDU, UTC_ZONE = "America/Phoenix", "Asia/Kathmandu", "UTC"
ZONES = (BERLIN, NEW_YORK, LORD_HOWE, PHOENIX, KATHMANDU, UTC_ZONE)
MINUTE = timedelta(minutes=1)


def quiet(start: str, end: str, zone: str) -> QuietHours:
    return QuietHours(start=time.fromisoformat(start), end=time.fromisoformat(end), time_zone=zone)


def is_quiet(hours: QuietHours, moment: datetime) -> bool:
    return quiet_until(hours, moment) is not None


def at(text: str, zone: str = UTC_ZONE, *, fold: int = 0) -> datetime:
    """The moment at which clocks of the zone show this, in UTC."""
    local = datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold)
    return local.astimezone(UTC)


def test_hours_that_start_and_end_at_one_time_are_none() -> None:
    now = at("2026-01-01 22:00", BERLIN)
    for minutes in range(-1, 2):
        assert not is_quiet(quiet("22:00", "22:00", BERLIN), now + minutes * MINUTE)
    assert quiet_until(quiet("22:00", "22:00", BERLIN), now) is None


@pytest.mark.parametrize("zone", ZONES)
def test_the_start_is_quiet_and_the_end_is_not(zone: str) -> None:
    day = quiet("13:00", "14:30", zone)
    end = at("2026-01-15 14:30", zone)
    assert not is_quiet(day, at("2026-01-15 12:59:59", zone))
    assert is_quiet(day, at("2026-01-15 13:00", zone))
    assert is_quiet(day, at("2026-01-15 14:29:59.999999", zone))
    assert not is_quiet(day, end)
    assert quiet_until(day, at("2026-01-15 13:00:00.5", zone)) == end


@pytest.mark.parametrize("zone", ZONES)
def test_hours_over_midnight_end_on_the_next_day(zone: str) -> None:
    night = quiet("22:30", "07:00", zone)
    end = at("2026-01-16 07:00", zone)
    assert not is_quiet(night, at("2026-01-15 22:29", zone))
    assert not is_quiet(night, at("2026-01-15 12:00", zone))
    for now in ("2026-01-15 22:30", "2026-01-15 23:59:59", "2026-01-16 00:00", "2026-01-16 06:59"):
        assert quiet_until(night, at(now, zone)) == end
    assert not is_quiet(night, end)


@pytest.mark.parametrize(
    ("zone", "evening", "hours"),
    [
        (BERLIN, "2026-03-28 22:00", 8),  # clocks are put forward at 2:00
        (BERLIN, "2026-10-24 22:00", 10),
        (NEW_YORK, "2026-03-07 22:00", 8),
        (NEW_YORK, "2026-10-31 22:00", 10),
        (LORD_HOWE, "2026-10-03 22:00", 8.5),  # by half an hour
        (LORD_HOWE, "2026-04-04 22:00", 9.5),
        (PHOENIX, "2026-03-07 22:00", 9),
        (KATHMANDU, "2026-03-28 22:00", 9),
    ],
)
def test_a_night_in_which_clocks_are_changed_is_shorter_or_longer(
    zone: str, evening: str, hours: float
) -> None:
    now = at(evening, zone)
    assert quiet_until(quiet("22:00", "07:00", zone), now) == now + timedelta(hours=hours)


def test_an_end_that_clocks_leave_out_is_the_moment_of_the_change() -> None:
    change = at("2026-03-29 01:00")
    assert quiet_until(quiet("22:00", "02:30", BERLIN), at("2026-03-28 23:00", BERLIN)) == change
    half = at("2026-10-03 15:30")  # 2:00 becomes 2:30
    assert quiet_until(quiet("22:00", "02:15", LORD_HOWE), at("2026-10-03 13:00")) == half


def test_hours_that_clocks_leave_out_are_not_quiet_on_that_day() -> None:
    hours = quiet("02:10", "02:50", BERLIN)
    for minute in range(180):
        assert not is_quiet(hours, at("2026-03-28 23:30") + minute * MINUTE)
    assert is_quiet(hours, at("2026-03-30 02:10", BERLIN))


def test_a_start_that_clocks_leave_out_is_the_moment_of_the_change() -> None:
    hours, change = quiet("02:30", "04:00", BERLIN), at("2026-03-29 01:00")
    assert not is_quiet(hours, change - MINUTE)
    assert quiet_until(hours, change) == at("2026-03-29 04:00", BERLIN)


def test_an_end_that_clocks_show_twice_ends_the_hours_twice() -> None:
    hours = quiet("22:00", "02:30", BERLIN)
    first, second = (at("2026-10-25 02:30", BERLIN, fold=fold) for fold in (0, 1))
    assert second - first == timedelta(hours=1)
    assert quiet_until(hours, at("2026-10-25 01:00", BERLIN)) == first
    assert not is_quiet(hours, first + 29 * MINUTE)
    assert quiet_until(hours, first + 30 * MINUTE) == second


def test_clocks_that_are_put_back_before_the_start_end_the_hours() -> None:
    hours = quiet("02:30", "04:00", BERLIN)
    now = at("2026-10-25 02:45", BERLIN)
    assert quiet_until(hours, now) == at("2026-10-25 01:00")
    assert is_quiet(hours, at("2026-10-25 02:30", BERLIN, fold=1))


moments = st.one_of(
    st.datetimes(datetime(2024, 1, 1), datetime(2032, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    st.builds(  # near the changes of the zones
        lambda change, seconds: change + timedelta(seconds=seconds),
        st.sampled_from(
            [at(f"{day} 01:00") for day in ("2026-03-29", "2026-10-25")]
            + [at("2026-03-08 07:00"), at("2026-11-01 06:00")]
            + [at("2026-10-03 15:30"), at("2026-04-04 15:00")]
        ),
        st.integers(-90_000, 10_000),
    ),
)
clocks = st.builds(time, st.integers(0, 23), st.integers(0, 59))


@settings(max_examples=150, deadline=None)
@given(now=moments, start=clocks, end=clocks, zone=st.sampled_from(ZONES))
@example(now=at("2026-03-29 00:59"), start=time(3), end=time(2, 59), zone=BERLIN)
@example(now=at("2026-10-25 00:30"), start=time(2, 31), end=time(2, 30), zone=BERLIN)
def test_it_is_quiet_in_every_minute_until_the_end_and_not_at_the_end(
    now: datetime, start: time, end: time, zone: str
) -> None:
    hours = QuietHours(start=start, end=end, time_zone=zone)
    until = quiet_until(hours, now)
    assert (until is None) == (not is_quiet(hours, now))
    if until is None:
        return
    assert now < until
    assert until.tzinfo is UTC
    assert not is_quiet(hours, until)
    assert is_quiet(hours, until - timedelta(microseconds=1))
    moment = now
    while moment < until:
        assert is_quiet(hours, moment)
        moment += MINUTE


def test_the_waking_time_lasts_from_the_end_to_the_next_start() -> None:
    assert waking_time(quiet("22:00", "07:00", BERLIN)) == timedelta(hours=15)
    assert waking_time(quiet("00:00", "23:59", UTC_ZONE)) == MINUTE
