"""How long things are kept, and how the soak shortens it: a day is two minutes.

So an hour of load meets a month of clearing.
"""

from collections.abc import Mapping, Sequence
from types import ModuleType

from graph import accounts, exports, photos, posts, push_subscriptions, reports, sessions
from storage import bodies
from workers import clearing, sweeper
from workers.exports import clearing as exports_clearing
from workers.photos import expiry

FACTOR = 720
CLEAR_SECONDS = 20.0
"""Between two rounds of clearing. Ten minutes by FACTOR would be less than a round takes."""

LIVES: Mapping[ModuleType, Sequence[str]] = {
    photos: (
        *("KEY_LIFE_MS", "UNPOSTED_LIFE_MS", "PROCESSING_LIFE_MS", "ENDED_LIFE_MS"),
        *("DELETED_LIFE_MS", "UPLOAD_LIFE_MS", "LATE_UPLOAD_MS", "PUT_OFF_MS"),
    ),
    exports: ("LINK_LIFE_MS", "PROGRESS_LIFE_MS", "ENDED_LIFE_MS", "WINDOW_MS", "PUT_OFF_MS"),
    exports_clearing: ("OBJECT_RETENTION",),
    accounts: ("UNDO_MS", "NAME_MS"),
    reports: ("CLOSED_LIFE_MS",),
    posts: ("KEY_LIFE_MS", "DELETED_LIFE_MS"),
    push_subscriptions: ("ENDED_LIFE_MS",),
    sessions: ("ENDED_LIFE_MS",),
    expiry: ("INCOMING_RETENTION",),
    clearing: ("NOTIFICATION_RETENTION",),
    bodies: ("BODY_TTL_SECONDS",),
}
"""The constants of each module: integers of milliseconds or seconds, or timedeltas."""

LONGER_LIVES: Mapping[str, int] = {
    "NOTIFICATION_RETENTION": 18,
    "BODY_TTL_SECONDS": 12,
    "CLOSED_LIFE_MS": 36,
    "UNDO_MS": 4,
    "NAME_MS": 12,
}
"""Lives that FACTOR leaves too long for an hour, and what divides them further. Those of an account
and of the reports of it follow one another."""


def shorten() -> None:
    """Shorten every life in this process, which nothing undoes."""
    for module, names in LIVES.items():
        for name in names:
            factor = FACTOR * LONGER_LIVES.get(name, 1)
            setattr(module, name, getattr(module, name) // factor)
    sweeper.CLEAR_SECONDS = CLEAR_SECONDS
