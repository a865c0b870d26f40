"""The page of open reports."""

import html
from http import HTTPStatus

import pytest
from flask.testing import FlaskClient

from graph import Graph
from graph.ids import MAX_ID, new_id
from operators.admin import report_page
from tests.support.eventually import eventually
from tests.support.town import Town


def report(graph: Graph, reporter: int, user: int, text: str | None = None) -> int:
    report_id = new_id()
    graph.reports.create(
        report_id=report_id,
        reporter_id=reporter,
        subject="user",
        subject_id=user,
        author_id=user,
        reason="other",
        text=text,
    )
    return report_id


def wait_for_warm_graph(operator: FlaskClient) -> None:
    """A graph that has just been started plans its first queries slowly."""
    eventually(lambda: operator.get("/reports").status_code == HTTPStatus.OK)


# Security 22
def test_open_reports_are_listed_with_their_texts_escaped(
    operator: FlaskClient,
    stranger: FlaskClient,
    graph: Graph,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(report_page, "LIMIT", 1_000)  # other tests leave older ones
    reporter, user = Town(graph).users(2)
    report_id = report(graph, reporter, user, "<script>alert(1)</script>\u202e")
    assert stranger.get("/reports").status_code == HTTPStatus.UNAUTHORIZED
    wait_for_warm_graph(operator)
    page = operator.get("/reports")
    assert page.status_code == HTTPStatus.OK
    assert "script-src" not in page.headers["Content-Security-Policy"]
    text = html.escape('"<script>alert(1)</script>\\u202e"').replace("&#x27;", "&#39;")
    assert text.replace("&quot;", "&#34;") in page.text
    assert "<script>" not in page.text
    assert f"user {user}, active" in page.text
    graph.moderation.suspend(user, operator="ola", reason="spam")
    assert f"user {user}, suspended" in operator.get("/reports").text
    graph.reports.close(report_id, operator="ola", reason=None)
    assert f"user {user}" not in operator.get("/reports").text
    assert graph.moderation.log(before=MAX_ID, limit=1)[0].subject_id == report_id


def test_a_page_has_an_end_and_says_if_there_are_more(
    operator: FlaskClient, graph: Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    wait_for_warm_graph(operator)
    reporter, *users = Town(graph).users(3)
    for user in users:
        report(graph, reporter, user)
    count = len(graph.reports.page("open", limit=1_000))
    for limit, more in ((count, False), (count - 1, True)):
        monkeypatch.setattr(report_page, "LIMIT", limit)
        text = operator.get("/reports").text
        assert text.count("<tr>") == 1 + limit
        assert (f"There are more than these {limit}." in text) is more
