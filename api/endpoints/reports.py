"""Reports of posts and users."""

from http import HTTPStatus
from typing import Any

from flask import Response

from api.http import limits
from api.http.auth import login_required
from api.http.context import graph, viewer_id
from api.http.openapi import raises
from api.http.parsing import Blueprint
from api.schemas.reports import NewReport
from api.services import reports
from api.services.errors import CannotReportYourselfError
from graph.errors import NotFoundError

blueprint = Blueprint(
    "reports", __name__, description="Reports of posts and users, which operators read."
)


@blueprint.post("/v1/reports")
@login_required
@limits.limit(limits.REPORTS)
@blueprint.arguments(NewReport, as_kwargs=True)
@blueprint.response(202)
@raises(NotFoundError, CannotReportYourselfError)
def create_report(**report: Any) -> Response:
    """Reports a post or a user to the operators.

    The reported user is not told. 404 for what you cannot see: report before you block. Quota:
    `reports`.

    **Retries**: can be repeated; a second report of the same post or user changes nothing.
    """
    reports.report(graph(), reporter_id=viewer_id(), **report)
    return Response(status=HTTPStatus.ACCEPTED)
