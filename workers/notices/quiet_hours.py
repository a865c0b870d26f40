"""Whether a moment is in a user's quiet hours, and when they end. Pure.

The clocks of the user's time zone decide, second by second. So it is quiet again if the clocks are
put back over the end of the quiet hours. If they are put forward over the end, it is not quiet.
"""

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from graph.notification_settings import QuietHours

_DAY = timedelta(days=1)
_PRECISION = timedelta(seconds=1)
"""Time zones change their offset at whole seconds of UTC."""


def quiet_until(hours: QuietHours, now_utc: datetime) -> datetime | None:
    """The first moment from `now_utc` on that is not quiet, in UTC; None if it is not quiet now.

    The hours begin at `start`, and `end` is not in them. If both are the same, there are none.
    """
    if not _includes(hours, now_utc):
        return None
    begin = now_utc
    while True:
        end = _end_at_constant_offset(hours, begin)
        change = _first_offset_change(hours, begin, end)
        if change is None:
            return end
        if not _includes(hours, change):
            return change
        begin = change


def waking_time(hours: QuietHours) -> timedelta:
    """The time from the end of the hours to their next start, on a day without a clock change."""
    return (_since_midnight(hours.start) - _since_midnight(hours.end)) % _DAY


def _includes(hours: QuietHours, moment: datetime) -> bool:
    clock = _clock(hours, moment)
    if hours.start <= hours.end:
        return hours.start <= clock < hours.end
    return clock >= hours.start or clock < hours.end


def _clock(hours: QuietHours, moment: datetime) -> time:
    """The time that clocks of the zone show."""
    return moment.astimezone(ZoneInfo(hours.time_zone)).time()


def _end_at_constant_offset(hours: QuietHours, begin: datetime) -> datetime:
    """The end of the quiet hours that include `begin`, if no clock is changed until then."""
    return begin + (_since_midnight(hours.end) - _since_midnight(_clock(hours, begin))) % _DAY


def _since_midnight(clock: time) -> timedelta:
    return timedelta(
        hours=clock.hour,
        minutes=clock.minute,
        seconds=clock.second,
        microseconds=clock.microsecond,
    )


def _first_offset_change(hours: QuietHours, begin: datetime, end: datetime) -> datetime | None:
    """The first moment with another offset than `begin`, up to `end`; None if there is none.

    In a day there is at most one change, so the offset at `end` shows whether there is one.
    """
    zone = ZoneInfo(hours.time_zone)
    offset = begin.astimezone(zone).utcoffset()
    if end.astimezone(zone).utcoffset() == offset:
        return None
    before, after = begin, end
    while after - before > _PRECISION:
        middle = before + (after - before) / 2
        if middle.astimezone(zone).utcoffset() == offset:
            before = middle
        else:
            after = middle
    return after.replace(microsecond=0)
