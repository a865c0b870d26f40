"""Reports of users, and the list of them."""

from graph import Graph
from graph.ids import new_id
from graph.reports import ReportedSubject, Subject
from tests.support.town import Town


def create(
    graph: Graph,
    reporter: int,
    subject_id: int,
    *,
    subject: Subject = "user",
    author: int = 0,
    report_id: int = 0,
    reason: str = "spam",
    text: str | None = None,
) -> bool:
    """A report of a user, or of a post of the author; whether it is stored."""
    return graph.reports.create(
        report_id=report_id or new_id(),
        reporter_id=reporter,
        subject=subject,
        subject_id=subject_id,
        author_id=author or subject_id,
        reason=reason,
        text=text,
    )


def walk(graph: Graph, *, limit: int = 500, closed: bool = False) -> list[ReportedSubject]:
    """All open, or closed, reports by subject, page by page."""
    pages = graph.reports.closed_page if closed else graph.reports.open_page
    found: list[ReportedSubject] = []
    after: int | None = 0
    while after is not None:
        page = pages(after=after, limit=limit)
        found += page.subjects
        after = page.next_after
    return found


def listed(graph: Graph, user: int, *, closed: bool = False) -> list[ReportedSubject]:
    return [one for one in walk(graph, closed=closed) if one.subject_id == user]


def settle(graph: Graph, *, limit: int = 500) -> dict[tuple[str, int], int]:
    """Look at all open reports, page by page; how many were closed of each subject."""
    closed: dict[tuple[str, int], int] = {}
    after: int | None = 0
    while after is not None:
        page = graph.reports.settle(after=after, limit=limit)
        closed |= page.closed
        after = page.next_after
    return closed


def facts(town: Town, subject_id: int) -> tuple[list[int], list[tuple[int, int]]]:
    """The ids of the open reports of a subject, and what the list has: the first and how many."""
    reports_ = town.query(
        "MATCH (r:Report {subject_id: $id, state: 'open'}) RETURN r.id AS id ORDER BY id",
        id=subject_id,
    )
    subjects = town.query(
        "MATCH (s:ReportedSubject {subject_id: $id})"
        " RETURN s.first_id AS first, s.report_count AS count",
        id=subject_id,
    )
    return [row["id"] for row in reports_], [(row["first"], row["count"]) for row in subjects]


def assert_exact(town: Town, subject_id: int) -> None:
    open_ids, in_list = facts(town, subject_id)
    assert in_list == ([(open_ids[0], len(open_ids))] if open_ids else [])
