"""The page of open reports."""

import html
import re
from http import HTTPStatus

import pytest
from flask.testing import FlaskClient

from graph import Graph
from graph.ids import MAX_ID, new_id
from operators.admin import report_page
from tests.support.eventually import eventually
from tests.support.reports import create
from tests.support.town import Town


def report(graph: Graph, reporter: int, user: int, text: str | None = None) -> int:
    report_id = new_id()
    create(graph, reporter, user, report_id=report_id, reason="other", text=text)
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


def test_pages_are_linked_until_the_last_and_say_how_many_are_open(
    operator: FlaskClient, graph: Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("operators.admin.report_page.LIMIT", 2)
    reporter, *users = Town(graph).users(6)
    first, *_ = [report(graph, reporter, user) for user in users]
    total = graph.reports.open_subjects()
    url, shown = f"/reports?after={first - 1}", []
    for _ in range(total + 1):
        page = operator.get(url)
        assert f"In all, {total:,} posts and users have open reports." in page.text
        shown += [int(user) for user in re.findall(r"<td>user (\d+), active", page.text)]
        if not (link := re.search(r'href="([^"]+)" rel="next"', page.text)):
            break
        url = link[1]
    assert shown == users


def test_the_most_reported_can_be_first(operator: FlaskClient, graph: Graph) -> None:
    user, other, *reporters = Town(graph).users(6)
    report(graph, reporters[0], other)
    for reporter in reporters:
        report(graph, reporter, user)
    assert 'href="/reports?most-reported"' in operator.get("/reports").text
    page = operator.get("/reports?most-reported").text
    assert page.index(f"user {user},") < page.index(f"user {other},")


@pytest.mark.parametrize("after", ["x", "-1", "\u0663", "9" * 17, "1.5"])
def test_what_is_no_id_of_a_report_is_400(operator: FlaskClient, after: str) -> None:
    assert operator.get("/reports", query_string={"after": after}).status_code == 400
