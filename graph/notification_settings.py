"""Notification settings: which pushes a user gets, and the hours in which there are none."""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import time
from importlib import resources
from typing import Any, TypedDict

from graph.connection import Connection
from graph.errors import NotFoundError, QuietHoursIncompleteError
from graph.notification_kinds import KINDS
from graph.queries import load

OF_USERS = load("notification_settings/of_users")
UPDATE = load("notification_settings/update")

NEW_PHOTOS = "new_photos"
"""The kind of push that tells of new posts in the feed."""

PUSH_KINDS = (NEW_PHOTOS, *KINDS)
"""The kinds of pushes that a user can turn off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QuietHours:
    """Hours of each day without pushes, by the clocks of a time zone. None if start equals end."""

    start: time
    end: time
    """Exclusive. Before `start`: the hours last over midnight."""
    time_zone: str
    """A name of the IANA database, such as Europe/Berlin."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationSettings:
    """The settings of a user. By default all pushes are on, and there are no quiet hours."""

    muted_kinds: frozenset[str] = frozenset()
    quiet_hours: QuietHours | None = None

    @property
    def push(self) -> dict[str, bool]:
        """Each kind of push, and whether it is on."""
        return {kind: kind not in self.muted_kinds for kind in PUSH_KINDS}


class SettingsChanges(TypedDict, total=False):
    """Changes as a merge patch: what is absent stays as it is."""

    push: Mapping[str, bool]
    quiet_hours: Mapping[str, time | str] | None
    """Some fields of QuietHours, or None for no quiet hours."""


@functools.cache
def time_zones() -> frozenset[str]:
    """The names of all time zones, from the database that is installed with photofeed.

    A server can have a newer database. Its new names are refused, as other servers may lack them.
    """
    names = resources.files("tzdata").joinpath("zones").read_text(encoding="utf-8").split()
    return frozenset(names) - {"Factory", "localtime"}


class NotificationSettingsOfUsers:
    """Reads and changes the settings of users."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def read(self, user_id: int) -> NotificationSettings:
        """The settings of an active user. Raises NotFoundError."""
        settings = self.read_many([user_id])
        if user_id not in settings:
            raise NotFoundError
        return settings[user_id]

    def read_many(self, user_ids: Sequence[int]) -> dict[int, NotificationSettings]:
        """The settings of up to 1,000 users, without those who are not active."""
        rows = self._connection.read(OF_USERS, user_ids=list(user_ids))
        return {row["user_id"]: _settings_of(row) for row in rows}

    def update(self, user_id: int, changes: SettingsChanges) -> NotificationSettings:
        """The settings after the changes.

        Raises NotFoundError, and QuietHoursIncompleteError if there are no quiet hours yet and the
        changes do not have all of their fields.
        """
        push = changes.get("push", {})
        rows = self._connection.write(
            UPDATE,
            user_id=user_id,
            muted_kinds=[kind for kind, is_on in push.items() if not is_on],
            unmuted_kinds=[kind for kind, is_on in push.items() if is_on],
            quiet_hours=_quiet_properties(changes),
        )
        if not rows:
            raise NotFoundError
        if not rows[0]["complete"]:
            raise QuietHoursIncompleteError
        return _settings_of(rows[0])


def _quiet_properties(changes: SettingsChanges) -> dict[str, str | None]:
    """The properties of the user that the changes set; None removes a property."""
    if "quiet_hours" not in changes:
        return {}
    fields = changes["quiet_hours"]
    if fields is None:
        return dict.fromkeys(("quiet_start", "quiet_end", "quiet_time_zone"))
    return {f"quiet_{name}": _text_of(value) for name, value in fields.items()}


def _text_of(value: time | str) -> str:
    return value.strftime("%H:%M") if isinstance(value, time) else value


def _settings_of(row: dict[str, Any]) -> NotificationSettings:
    quiet_hours = row["quiet_start"] and QuietHours(
        start=time.fromisoformat(row["quiet_start"]),
        end=time.fromisoformat(row["quiet_end"]),
        time_zone=row["quiet_time_zone"],
    )
    return NotificationSettings(
        muted_kinds=frozenset(row["muted_kinds"] or ()), quiet_hours=quiet_hours
    )
