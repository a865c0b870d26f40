"""The texts about reports and audit entries, the same in the terminal and in the admin app."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from graph.moderation import AuditEntry
from graph.reports import ReportedSubject
from observing.logs import to_json
from operators.event_text import duration_text

MOST_REPORTERS = 5
"""Ids of reporters in one row."""


def total_text(subjects: int) -> str:
    """How many posts and users have open reports."""
    if not subjects:
        return "No report is open."
    verb = "post or user has" if subjects == 1 else "posts and users have"
    return f"In all, {subjects:,} {verb} open reports."


def age_text(reported: ReportedSubject) -> str:
    """The time since the oldest report."""
    return duration_text((datetime.now(UTC) - reported.created_at).total_seconds())


def subject_text(reported: ReportedSubject) -> str:
    """`post 7 of user 8, shown`; `user 8, active`."""
    of_user = f" of user {reported.author_id}" if reported.subject == "post" else ""
    return f"{reported.subject} {reported.subject_id}{of_user}, {reported.status}"


def reporters_text(reporter_ids: Sequence[int]) -> str:
    """The first ids, and how many more there are."""
    more = len(reporter_ids) - MOST_REPORTERS
    first = " ".join(map(str, reporter_ids[:MOST_REPORTERS]))
    return f"{first} and {more} more" if more > 0 else first


def seen_text(text: str) -> str:
    """A text that somebody wrote, in quotes, in one line, with everything in it seen."""
    return to_json(text)


def report_lines(reported: Sequence[ReportedSubject]) -> Iterator[str]:
    """The table of reported posts and users, with texts below their rows."""
    header = ("report", "age", "subject", "reports", "reasons", "reporters")
    yield "{:<17} {:<8} {:<58} {:<8} {:<24} {}".format(*header)
    for one in reported:
        yield (
            f"{one.id:<17} {age_text(one):<8} {subject_text(one):<58} "
            f"{len(one.reporter_ids):<8} {' '.join(one.reasons):<24} "
            f"{reporters_text(one.reporter_ids)}"
        )
        yield from (f"{'':<17} {seen_text(text)}" for text in one.texts)


def audit_lines(entries: Sequence[AuditEntry]) -> Iterator[str]:
    """The table of audit entries."""
    yield f"{'entry':<17} {'at (UTC)':<19} {'action':<14} {'subject':<24} by, reason"
    for entry in entries:
        subject = f"{entry.subject} {entry.subject_id}"
        reason = "" if entry.reason is None else f", {seen_text(entry.reason)}"
        yield (
            f"{entry.id:<17} {entry.at:%Y-%m-%d %H:%M:%S} {entry.action:<14} {subject:<24} "
            f"{entry.operator}{reason}"
        )
