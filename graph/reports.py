"""Reports: what users tell operators about a post or a user."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from graph.connection import Connection
from graph.errors import ConstraintViolatedError, IdTakenError, NotFoundError
from graph.ids import from_ms, new_id
from graph.queries import load

CREATE = load("reports/create")
BY_REPORTER = load("reports/by_reporter")
PAGE = load("reports/page")
CLOSE = load("reports/close")
DELETE_CLOSED = load("reports/delete_closed")

Subject = Literal["post", "user"]
State = Literal["open", "closed"]

REASONS = (
    "spam",
    "nudity",
    "violence",
    "harassment",
    "hate",
    "self-harm",
    "impersonation",
    "copyright",
    "other",
)
"""Why a post or a user can be reported."""

MOST_OPEN = 100
"""Open reports of a subject that are stored. Further ones say nothing new."""
MOST_READ = 5_000
"""Reports that one list is made of."""
CLOSED_LIFE_MS = 90 * 86_400_000
"""Time for which a closed report is stored, in milliseconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportedSubject:
    """A reported post or user, with the reports of one state, the oldest first."""

    id: int
    """Of the oldest report."""
    subject: Subject
    subject_id: int
    author_id: int
    """The author of the post, or the user."""
    status: str
    """shown, hidden or deleted of a post; suspended or the state of a user."""
    created_at: datetime
    """Of the oldest report."""
    reporter_ids: Sequence[int]
    reasons: Sequence[str]
    texts: Sequence[str]
    """Of the oldest reports with a text, up to three."""


class Reports:
    """Stores, lists and closes reports."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def create(
        self,
        *,
        report_id: int,
        reporter_id: int,
        subject: Subject,
        subject_id: int,
        author_id: int,
        reason: str,
        text: str | None,
    ) -> bool:
        """Store a report; False if nothing is stored.

        That is so for a second one of the same subject by the reporter, and beyond MOST_OPEN. The
        caller has checked that the reporter may see the subject. Raises IdTakenError.
        """
        try:
            rows = self._connection.write(
                CREATE,
                report_id=report_id,
                reporter_id=reporter_id,
                subject=subject,
                subject_id=subject_id,
                author_id=author_id,
                reason=reason,
                text=text,
                most=MOST_OPEN,
            )
        except ConstraintViolatedError as error:
            if self._exists(reporter_id, subject, subject_id):
                return False
            raise IdTakenError(report_id) from error
        return bool(rows)

    def page(self, state: State, *, limit: int) -> list[ReportedSubject]:
        """The reported posts and users, by the oldest report of this state.

        Only the MOST_READ oldest reports are looked at.
        """
        rows = self._connection.read(PAGE, state=state, most=MOST_READ, limit=limit)
        return [ReportedSubject(**row | {"created_at": from_ms(row["created_at"])}) for row in rows]

    def close(self, report_id: int, *, operator: str, reason: str | None) -> int:
        """Close the report and all open ones of its subject; returns how many were open.

        Raises NotFoundError.
        """
        rows = self._connection.write(
            CLOSE, report_id=report_id, entry_id=new_id(), operator=operator, reason=reason
        )
        if not rows:
            raise NotFoundError
        return int(rows[0]["closed"])

    def delete_closed(self, limit: int) -> int:
        """Delete up to `limit` reports that were closed long ago; returns how many."""
        rows = self._connection.write(DELETE_CLOSED, limit=limit, life_ms=CLOSED_LIFE_MS)
        return int(rows[0]["cleared"])

    def _exists(self, reporter_id: int, subject: Subject, subject_id: int) -> bool:
        return bool(
            self._connection.read(
                BY_REPORTER, reporter_id=reporter_id, subject=subject, subject_id=subject_id
            )
        )
