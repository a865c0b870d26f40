"""The page of open reports: the same as `flask moderation reports`, in a browser."""

from flask import Flask, render_template

from graph import Graph
from operators.report_text import age_text, reporters_text, seen_text, subject_text

LIMIT = 200
"""Reported posts and users on the page."""


def add_report_page(app: Flask, graph: Graph) -> None:
    """Add the list, which changes nothing."""

    @app.get("/reports")
    def list_reports() -> str:
        reported = graph.reports.page("open", limit=LIMIT + 1)
        return render_template(
            "admin/reports.html",
            reported=reported[:LIMIT],
            more=len(reported) > LIMIT,
            limit=LIMIT,
            age_text=age_text,
            subject_text=subject_text,
            reporters_text=reporters_text,
            seen_text=seen_text,
        )
