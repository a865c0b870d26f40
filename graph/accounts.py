"""Accounts that their owners delete: hidden at once, and restored within a week or deleted."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from graph.connection import Connection
from graph.errors import NotFoundError
from graph.events import Event, event_of
from graph.ids import from_ms
from graph.queries import load
from graph.users import Credentials, fold_username

LEAVE = load("accounts/leave")
RESTORE = load("accounts/restore")
LEAVING_CREDENTIALS = load("accounts/leaving_credentials")
LEAVING = load("accounts/leaving")
CREDENTIALS_OF = load("accounts/credentials_of")
BEGIN_DELETION = load("accounts/begin_deletion")
CLEAR = (
    load("accounts/clear_relations"),
    load("accounts/clear_sessions"),
    load("accounts/clear_subscriptions"),
    load("accounts/clear_notifications"),
    load("accounts/clear_keys"),
    load("accounts/clear_reports"),
)
"""What belongs to a user beside posts and photos, a statement each."""
FINISH = load("accounts/finish")
FREE_NAMES = load("accounts/free_names")

DAY_MS = 86_400_000
UNDO_MS = 7 * DAY_MS
"""Time for which an account can be restored."""
NAME_MS = 30 * DAY_MS
"""Time after the deletion for which nobody gets the name: links to it must not change hands."""
NEWEST_SESSIONS = 200
"""Sessions whose copies the request drops. The event drops those of all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaving:
    """An account whose deletion has been asked for."""

    leaves_at: datetime
    """Until then it can be restored."""
    session_ids: Sequence[int]
    """The newest sessions, all of which have ended."""
    event: Event | None
    """None for a repeat."""


class Accounts:
    """Hides, restores and deletes accounts."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def password_hash(self, user_id: int) -> str | None:
        """The hash of a user who is active or about to be deleted, else None."""
        rows = self._connection.read(CREDENTIALS_OF, user_id=user_id)
        return rows[0]["password_hash"] if rows else None

    def is_leaving(self, user_id: int) -> bool:
        """Whether the user is hidden, and the account about to be deleted."""
        rows = self._connection.read(CREDENTIALS_OF, user_id=user_id)
        return bool(rows) and rows[0]["state"] == "leaving"

    def leave(self, user_id: int, *, checked_hash: str) -> Leaving:
        """Begin the deletion: the user is hidden and has no session from now on.

        Raises NotFoundError if the password is no longer the checked one.
        """
        rows = self._connection.write_with_event(
            LEAVE,
            user_id=user_id,
            checked_hash=checked_hash,
            undo_ms=UNDO_MS,
            most=NEWEST_SESSIONS,
        )
        if not rows:
            raise NotFoundError
        return Leaving(
            leaves_at=from_ms(rows[0]["leaves_at"]),
            session_ids=tuple(rows[0]["session_ids"]),
            event=event_of(rows[0]),
        )

    def leaving_credentials(self, username: str) -> Credentials | None:
        """The id and the hash of a user whose account is about to be deleted, else None."""
        rows = self._connection.read(LEAVING_CREDENTIALS, username_ci=fold_username(username))
        return Credentials(**rows[0]) if rows else None

    def restore(self, user_id: int, *, checked_hash: str) -> Event | None:
        """End the deletion before its time.

        Raises NotFoundError if that is no longer possible, or the account is suspended.
        """
        rows = self._connection.write_with_event(
            RESTORE, user_id=user_id, checked_hash=checked_hash
        )
        if not rows:
            raise NotFoundError
        return event_of(rows[0])

    def left_ms(self, event: Event) -> int | None:
        """Milliseconds until the deletion that the event owes, 0 or less if it is due.

        None if the account was restored or is deleted.
        """
        rows = self._connection.read(LEAVING, user_id=event.subject_id, event_id=event.id)
        if not rows or rows[0]["state"] not in {"leaving", "deleting"}:
            return None
        return 0 if rows[0]["state"] == "deleting" else int(rows[0]["left_ms"])

    def begin_deletion(self, event: Event) -> bool:
        """Begin to delete; False if the account was restored meanwhile."""
        return bool(
            self._connection.write(BEGIN_DELETION, user_id=event.subject_id, event_id=event.id)
        )

    def clear(self, user_id: int, limit: int) -> bool:
        """Delete up to `limit` of each kind that belongs to the user; whether some may be left."""
        counts = [
            self._connection.write(query, user_id=user_id, limit=limit)[0]["cleared"]
            for query in CLEAR
        ]
        return any(count >= limit for count in counts)

    def finish(self, user_id: int) -> None:
        """Leave a receipt in the user's place: the id, the times, and the name for a while."""
        self._connection.write(FINISH, user_id=user_id, name_ms=NAME_MS)

    def free_names(self, limit: int) -> int:
        """Free the names of accounts that were deleted long ago; returns how many."""
        return int(self._connection.write(FREE_NAMES, limit=limit)[0]["cleared"])
