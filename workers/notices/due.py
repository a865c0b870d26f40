"""When a notice is due. Pure; all times are Unix milliseconds by the clock of the queue."""

from dataclasses import dataclass

from graph.ids import ms_of
from storage.notices.records import NoticeRecord

PATIENCE = 5
"""Delays after which a notice is due although new posts still arrive."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeTimes:
    """The settings of notices."""

    delay_ms: int
    """How long after the newest post a notice is due: it then tells of a series in one."""
    window_ms: int
    """The shortest time between two notices of a user."""


def due_at(*, oldest_id: int, newest_id: int, times: NoticeTimes) -> int:
    """When a notice of what is new is due; the ids are of posts or notifications."""
    return min(
        ms_of(newest_id) + times.delay_ms,
        ms_of(oldest_id) + PATIENCE * times.delay_ms,
    )


def window_end(noticed_at: int, times: NoticeTimes) -> int:
    """When the window of the last notice ends."""
    return noticed_at + times.window_ms if noticed_at else 0


def free_at(record: NoticeRecord, times: NoticeTimes) -> int:
    """The earliest time at which there can be something to send to the user."""
    end, sending = window_end(record.noticed_at, times), record.sending
    if sending is None:
        return end
    return sending.retry_at if sending.is_claimed else min(end, sending.retry_at)


def spread_ms(user_id: int, times: NoticeTimes) -> int:
    """A part of a window, the same each time for a user.

    Quiet hours end for many at the same time; their notices must not be sent at the same time.
    """
    return user_id % max(1, times.window_ms)
