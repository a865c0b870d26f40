"""Reports: what users tell operators about a post or a user.

A post or user with open reports is one ReportedSubject, with the id of the oldest and their number.
Every statement that creates, closes or deletes open reports locks it first and counts anew. So the
list of the operators is a walk of its index, however many reports are open.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from graph.connection import Connection
from graph.errors import (
    ConstraintViolatedError,
    GraphUnavailableError,
    IdTakenError,
    NotFoundError,
)
from graph.ids import new_id, time_of
from graph.queries import Query, load

CREATE = load("reports/create")
BY_REPORTER = load("reports/by_reporter")
OPEN_PAGE = load("reports/open_page")
MOST_REPORTED = load("reports/most_reported")
CLOSED_PAGE = load("reports/closed_page")
STATUSES = load("reports/statuses")
OPEN_SUBJECTS = load("reports/open_subjects")
UNSETTLED = load("reports/unsettled")
MISLISTED = load("reports/mislisted")
LIST_SUBJECT = load("reports/list_subject")
SUBJECT_OF = load("reports/subject_of")
CLOSE = load("reports/close")
DELETE_CLOSED = load("reports/delete_closed")

Subject = Literal["post", "user"]

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
LOCK_ATTEMPTS = 8
"""Attempts of a write. Each further one means that the subject's reports were closed meanwhile."""
CLOSED_LIFE_MS = 90 * 86_400_000
"""Time for which a closed report is stored, in milliseconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportedSubject:
    """A reported post or user, with its open reports or with closed ones, the oldest first."""

    id: int
    """Of the oldest of these reports."""
    subject: Subject
    subject_id: int
    author_id: int
    """The author of the post, or the user."""
    status: str
    """shown, hidden or deleted of a post; suspended or the state of a user."""
    reporter_ids: Sequence[int]
    """None if the reports were closed while they were read."""
    reasons: Sequence[str]
    texts: Sequence[str]
    """Of the oldest reports with a text, up to three."""

    @property
    def created_at(self) -> datetime:
        """The time of the oldest report."""
        return time_of(self.id)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportPage:
    """A page of a list of reports."""

    subjects: Sequence[ReportedSubject]
    next_after: int | None
    """The id after which the next page begins; None at the end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SettledPage:
    """What was done with a page of the open reports."""

    closed: dict[tuple[str, int], int]
    """How many were closed of each subject and subject id."""
    next_after: int | None
    """The id after which the next page begins; None at the end."""


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
            rows = self._write(
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
        return bool(rows[0]["created"])

    def open_page(self, *, after: int = 0, limit: int) -> ReportPage:
        """The posts and users with open reports, by the oldest of these.

        The page begins after the report `after`. Who walks all pages meets each that stays open.
        """
        rows = self._connection.read(OPEN_PAGE, after=after, limit=limit + 1)
        subjects = self._with_statuses(rows[:limit])
        return ReportPage(
            subjects=subjects, next_after=subjects[-1].id if len(rows) > limit else None
        )

    def most_reported(self, limit: int) -> list[ReportedSubject]:
        """The posts and users with the most open reports."""
        return self._with_statuses(self._connection.read(MOST_REPORTED, limit=limit))

    def closed_page(self, *, after: int = 0, limit: int) -> ReportPage:
        """The next `limit` closed reports by id, those of one post or user together."""
        rows = self._connection.read(CLOSED_PAGE, after=after, limit=limit)
        last_ids = [row.pop("last_id") for row in rows]
        is_full = sum(len(row["reporter_ids"]) for row in rows) == limit
        return ReportPage(
            subjects=self._with_statuses(rows), next_after=max(last_ids) if is_full else None
        )

    def open_subjects(self) -> int:
        """The number of posts and users with open reports. It costs the same for any number."""
        return int(self._connection.read(OPEN_SUBJECTS)[0]["subjects"])

    def settle(self, *, after: int, limit: int) -> SettledPage:
        """Look at the next open reports: close those of posts and users that are deleted.

        Posts and users that are not in the list, as an older version has created the report, are
        put into it. Can be repeated.
        """
        rows = self._connection.read(UNSETTLED, after=after, limit=limit)
        if not rows:
            return SettledPage(closed={}, next_after=None)
        closed: dict[tuple[str, int], int] = {}
        for one in rows[0]["subjects"]:
            about = one["about"]
            if one["exists"]:
                self._connection.write(LIST_SUBJECT, **about)
            elif count := self._close(about, report_id=None, operator=None, reason=None):
                closed[about["subject"], about["subject_id"]] = count
        is_full = rows[0]["looked_at"] == limit
        return SettledPage(closed=closed, next_after=rows[0]["last_id"] if is_full else None)

    def relist(self, *, after: int, limit: int) -> int | None:
        """Look at the next posts and users of the list, and correct what it has of them.

        Processes of an older version close and delete reports without it. Returns the id after
        which the next page begins; None at the end. Can be repeated.
        """
        [row] = self._connection.read(MISLISTED, after=after, limit=limit)
        for about in row["subjects"]:
            self._connection.write(LIST_SUBJECT, **about)
        return row["last_id"] if row["looked_at"] == limit else None

    def close(self, report_id: int, *, operator: str, reason: str | None) -> int:
        """Close the report and all open ones of its subject; returns how many were open.

        Raises NotFoundError.
        """
        about = self._connection.read(SUBJECT_OF, report_id=report_id)
        if not about:
            raise NotFoundError
        return self._close(about[0], report_id=report_id, operator=operator, reason=reason)

    def delete_closed(self, limit: int) -> int:
        """Delete up to `limit` reports that were closed long ago; returns how many."""
        rows = self._connection.write(DELETE_CLOSED, limit=limit, life_ms=CLOSED_LIFE_MS)
        return int(rows[0]["cleared"])

    def _close(
        self,
        about: dict[str, Any],
        *,
        report_id: int | None,
        operator: str | None,
        reason: str | None,
    ) -> int:
        """Close all open reports of a subject; returns how many."""
        rows = self._write(
            CLOSE,
            **about,
            report_id=report_id,
            entry_id=new_id(),
            operator=operator,
            reason=reason,
        )
        return int(rows[0]["closed"])

    def _write(self, query: Query, **parameters: Any) -> list[dict[str, Any]]:
        """The row of a write that locks a ReportedSubject; repeated if that has ended meanwhile.

        Raises GraphUnavailableError after LOCK_ATTEMPTS.
        """
        for _ in range(LOCK_ATTEMPTS):
            if rows := self._connection.write(query, **parameters):
                return rows
        raise GraphUnavailableError("the reports of a subject were closed again and again")

    def _with_statuses(self, rows: Sequence[dict[str, Any]]) -> list[ReportedSubject]:
        if not rows:
            return []
        ids = [row["subject_id"] for row in rows]
        statuses = {
            (subject, status["subject_id"]): status[f"{subject}_status"]
            for status in self._connection.read(STATUSES, subject_ids=ids)
            for subject in ("post", "user")
        }
        return [
            ReportedSubject(**row, status=statuses[row["subject"], row["subject_id"]])
            for row in rows
        ]

    def _exists(self, reporter_id: int, subject: Subject, subject_id: int) -> bool:
        return bool(
            self._connection.read(
                BY_REPORTER, reporter_id=reporter_id, subject=subject, subject_id=subject_id
            )
        )
