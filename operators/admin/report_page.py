"""The page of open reports: the same as `flask moderation reports`, in a browser."""

from http import HTTPStatus

from flask import Flask, abort, render_template, request

from graph import Graph
from graph.ids import MAX_ID
from graph.reports import ReportPage
from operators.report_text import (
    age_text,
    reporters_text,
    seen_text,
    subject_text,
    total_text,
)

LIMIT = 200
"""Reported posts and users on the page."""


def add_report_page(app: Flask, graph: Graph) -> None:
    """Add the list, which changes nothing."""

    @app.get("/reports")
    def list_reports() -> str:
        by_count = "most-reported" in request.args
        if by_count:
            page = ReportPage(subjects=graph.reports.most_reported(LIMIT), next_after=None)
        else:
            page = graph.reports.open_page(after=query_after(), limit=LIMIT)
        open_subjects = graph.reports.open_subjects()
        return render_template(
            "admin/reports.html",
            page=page,
            total=total_text(open_subjects),
            has_more=open_subjects > LIMIT,
            by_count=by_count,
            limit=LIMIT,
            age_text=age_text,
            subject_text=subject_text,
            reporters_text=reporters_text,
            seen_text=seen_text,
        )


def query_after() -> int:
    """The report after which the page begins; 0 if the query has none. 400 for no id."""
    text = request.args.get("after", "0")
    if not (text.isascii() and text.isdecimal() and len(text) <= len(str(MAX_ID))):
        abort(HTTPStatus.BAD_REQUEST, "after is no id of a report.")
    return int(text)
