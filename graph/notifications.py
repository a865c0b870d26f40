"""Notifications: what others did that concerns a user, stored with the fact, grouped when read."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from graph.connection import Connection
from graph.errors import NotFoundError
from graph.ids import from_ms
from graph.notification_kinds import KINDS, text_of
from graph.queries import load

GROUPS = load("notifications/groups")
UNREAD = load("notifications/unread")
NEWEST_IDS = load("notifications/newest_ids")
SET_POSITION = load("notifications/set_position")
TRIM = load("notifications/trim")
CROWDED = load("notifications/crowded")
DELETE_OLD = load("notifications/delete_old")

MOST = 1_000
"""Notifications of a user that are stored; others are deleted, first those whose fact has ended."""

WINDOW = 2 * MOST
"""The newest notifications of a user that are read: those above MOST are not deleted yet, and ended
ones among them hide no others."""

COUNT_CAP = 100
"""The largest number of unread notifications that is counted."""

TRIM_SLACK = 50
"""Notifications above MOST that are left alone, so that not every follow of a user looks at all."""

TRIM_PAGE = 1_000
"""Notifications above MOST that one call deletes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """The fields of a user that a notification shows."""

    id: int
    username: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationGroup:
    """The notifications of one UTC day, kind and subject that the user may see.

    `id` and `created_at` are those of the newest one; `actors` has its actor and the one before.
    """

    id: int
    kind: str
    subject_id: int
    actors: tuple[Actor, ...]
    actor_count: int
    created_at: datetime
    position: int
    """The place in the pages: an id, at least `id`."""

    @property
    def actor(self) -> Actor:
        """The actor of the newest notification."""
        return self.actors[0]

    @property
    def others_count(self) -> int:
        """The number of people besides `actor`."""
        return self.actor_count - 1

    @property
    def post_id(self) -> int | None:
        """The post that the notifications are about, if their kind has one."""
        return self.subject_id if KINDS[self.kind].subject == "post" else None

    @property
    def text(self) -> str:
        """A sentence with up to two names."""
        names = [actor.name for actor in self.actors]
        return text_of(self.kind, names, self.actor_count - len(names))


@dataclass(frozen=True, slots=True, kw_only=True)
class UnreadNotifications:
    """How many notifications are above the user's position; `capped`: there are more.

    `newest_id` is the newest that the user may see, read or not; None without any.
    """

    count: int
    capped: bool
    newest_id: int | None


class Notifications:
    """Reads, counts and deletes notifications; the statement of a fact creates its own."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def groups(
        self, user_id: int, *, before: int, limit: int
    ) -> tuple[list[NotificationGroup], int | None]:
        """Groups in descending order of `position`, and `before` for the next page.

        None instead of a position means that there is no next page.
        """
        rows = self._connection.read(
            GROUPS,
            user_id=user_id,
            kinds=list(KINDS),
            before=before,
            most=WINDOW,
            limit=limit + 1,
        )
        groups = [_group_of(row) for row in rows]
        return groups[:limit], groups[limit - 1].position if len(groups) > limit else None

    def unread(self, user_id: int) -> UnreadNotifications:
        """The number of notifications above the user's position, up to 100, and the newest id."""
        rows = self._connection.read(
            UNREAD, user_id=user_id, kinds=list(KINDS), most=WINDOW, limit=COUNT_CAP + 1
        )
        counted, newest_id = (rows[0]["count"], rows[0]["newest_id"]) if rows else (0, None)
        return UnreadNotifications(
            count=min(counted, COUNT_CAP), capped=counted > COUNT_CAP, newest_id=newest_id
        )

    def newest_ids(self, user_ids: Sequence[int]) -> dict[int, int]:
        """The id of each user's newest notification, shown or not; 0 if there is none.

        For up to 1,000 users. This is the number that the cache has as `nt:`.
        """
        rows = self._connection.read(NEWEST_IDS, user_ids=list(user_ids))
        return {row["user_id"]: row["newest_id"] for row in rows}

    def move_position(self, user_id: int, notification_id: int) -> None:
        """Raise the user's position; a lower one changes nothing. Raises NotFoundError."""
        if not self._connection.write(
            SET_POSITION, user_id=user_id, notification_id=notification_id
        ):
            raise NotFoundError

    def crowded(self, user_ids: Iterable[int]) -> list[int]:
        """Those of the users who have notifications that trim() deletes. For up to 1,000 users."""
        rows = self._connection.read(CROWDED, user_ids=list(user_ids), most=MOST + TRIM_SLACK)
        return [row["user_id"] for row in rows]

    def trim(self, user_id: int) -> int:
        """Delete up to 1,000 notifications of the user beyond 1,000; returns how many.

        Up to 50 too many are left alone. Of the 2,000 newest, those whose fact has ended are
        deleted before those that stand.
        """
        rows = self._connection.write(
            TRIM, user_id=user_id, most=MOST, slack=TRIM_SLACK, limit=TRIM_PAGE
        )
        return int(rows[0]["deleted"])

    def delete_old(self, before_id: int, limit: int) -> int:
        """Delete up to `limit` notifications below an id; returns how many."""
        rows = self._connection.write(DELETE_OLD, before=before_id, limit=limit)
        return int(rows[0]["deleted"])


def _group_of(row: dict[str, Any]) -> NotificationGroup:
    actors = tuple(Actor(**fields) for fields in row["actors"])
    return NotificationGroup(**row | {"actors": actors, "created_at": from_ms(row["created_at"])})
