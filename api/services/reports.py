"""Reports of posts and users, for the operators."""

from typing import assert_never

import structlog

from api.services.errors import CannotReportYourselfError
from graph import Graph
from graph.ids import with_new_id
from graph.reports import Subject

log = structlog.get_logger()


def report(
    graph: Graph, *, reporter_id: int, subject: Subject, subject_id: int, reason: str, text: str
) -> None:
    """Store a report of a post or user that the reporter may see.

    A second one of the same subject changes nothing. Raises NotFoundError,
    CannotReportYourselfError.
    """
    author_id = _author_of(graph, subject, subject_id, viewer_id=reporter_id)
    if author_id == reporter_id:
        raise CannotReportYourselfError
    stored = with_new_id(
        lambda report_id: graph.reports.create(
            report_id=report_id,
            reporter_id=reporter_id,
            subject=subject,
            subject_id=subject_id,
            author_id=author_id,
            reason=reason,
            text=text or None,
        )
    )
    if not stored:
        log.info("report not stored", subject=subject, subject_id=subject_id)


def _author_of(graph: Graph, subject: Subject, subject_id: int, *, viewer_id: int) -> int:
    """The author of the post, or the user. Raises NotFoundError for what the viewer cannot see."""
    match subject:
        case "post":
            return graph.posts.by_id(subject_id, viewer_id=viewer_id).author_id
        case "user":
            graph.users.require_visible(subject_id, viewer_id=viewer_id)
            return subject_id
        case _:
            assert_never(subject)
