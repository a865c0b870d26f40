"""Moderation: posts that operators hide, accounts that they suspend or delete, and the audit log.

Each change commits its audit entry and its event in one statement. No code of ours changes or
deletes an audit entry.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from graph.connection import Connection
from graph.events import Event, event_of
from graph.ids import from_ms, new_id
from graph.queries import Query, load

POST = load("moderation/post")
HIDE_POST = load("moderation/hide_post")
SHOW_POST = load("moderation/show_post")
USER = load("moderation/user")
SUSPEND = load("moderation/suspend")
UNSUSPEND = load("moderation/unsuspend")
DELETE_ACCOUNT = load("moderation/delete_account")
LOG = load("moderation/log")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModeratedPost:
    """A post as moderation sees it."""

    author_id: int
    hidden: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ModeratedUser:
    """A user as moderation sees it. One whose account is about to be deleted can be suspended."""

    state: str
    suspended: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """What an operator has done."""

    id: int
    at: datetime
    operator: str
    action: str
    """hide-post, show-post, suspend, unsuspend, delete-account or close."""
    subject: str
    """post, user or report."""
    subject_id: int
    reason: str | None


class Moderation:
    """Hides and shows posts, suspends and deletes accounts, and reads the audit log."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def post(self, post_id: int) -> ModeratedPost | None:
        """A post, hidden or not; None if it does not exist."""
        rows = self._connection.read(POST, post_id=post_id)
        return ModeratedPost(**rows[0]) if rows else None

    def user(self, user_id: int) -> ModeratedUser | None:
        """A user in any state; None if there never was one."""
        rows = self._connection.read(USER, user_id=user_id)
        return ModeratedUser(**rows[0]) if rows else None

    def hide_post(
        self, post_id: int, *, author_id: int, operator: str, reason: str | None
    ) -> Event | None:
        """Hide a post from everybody; None if it is hidden already, or deleted."""
        return self._change(
            HIDE_POST, post_id=post_id, author_id=author_id, operator=operator, reason=reason
        )

    def show_post(
        self, post_id: int, *, author_id: int, operator: str, reason: str | None
    ) -> Event | None:
        """Show a hidden post again; None if it is not hidden, or deleted."""
        return self._change(
            SHOW_POST, post_id=post_id, author_id=author_id, operator=operator, reason=reason
        )

    def suspend(self, user_id: int, *, operator: str, reason: str | None) -> Event | None:
        """Hide a user and end all sessions; None if that is so already, or the account deleted."""
        return self._change(SUSPEND, user_id=user_id, operator=operator, reason=reason)

    def unsuspend(self, user_id: int, *, operator: str, reason: str | None) -> Event | None:
        """End a suspension; None if there is none, or the account is deleted."""
        return self._change(UNSUSPEND, user_id=user_id, operator=operator, reason=reason)

    def delete_account(
        self, user_id: int, *, undo_ms: int, operator: str, reason: str | None
    ) -> Event | None:
        """Begin an account's deletion; None if it has begun already."""
        return self._change(
            DELETE_ACCOUNT, user_id=user_id, undo_ms=undo_ms, operator=operator, reason=reason
        )

    def log(self, *, before: int, limit: int) -> Sequence[AuditEntry]:
        """A page of the audit log below the id `before`, newest first."""
        rows = self._connection.read(LOG, before=before, limit=limit)
        return [AuditEntry(**row | {"at": from_ms(row["at"])}) for row in rows]

    def _change(self, query: Query, **parameters: Any) -> Event | None:
        rows = self._connection.write_with_event(query, entry_id=new_id(), **parameters)
        return event_of(rows[0]) if rows else None
