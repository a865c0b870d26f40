"""Reports: who may report what, and what is stored."""

from typing import Any

import pytest
from flask import Flask

from graph import Graph, ids
from graph.ids import new_id
from graph.reports import REASONS
from tests.support.people import Builders, Person, assert_problem
from tests.support.town import Town
from tests.support.transports import ApiResponse


def report(person: Person, **body: Any) -> ApiResponse:
    return person.post("/v1/reports", json={"reason": "spam", **body})


def stored(graph: Graph, reporter: Person) -> list[dict[str, Any]]:
    """The reports by a user, the oldest first."""
    rows = Town(graph).query(
        "MATCH (report:Report {reporter_id: $id}) RETURN properties(report) AS all"
        " ORDER BY report.id",
        id=reporter.id,
    )
    return [row["all"] for row in rows]


def test_a_post_and_a_user_can_be_reported(builders: Builders, graph: Graph) -> None:
    author, reporter = builders.new_user(), builders.new_user()
    post = int(builders.publish(author)["id"])
    answer = report(reporter, post_id=str(post), text="a\tline\r\nanother")
    assert (answer.status_code, answer.data) == (202, b"")
    assert report(reporter, user_id=str(author.id), reason="other").status_code == 202
    of_post, of_user = stored(graph, reporter)
    assert (of_post["subject"], of_post["subject_id"]) == ("post", post)
    assert (of_user["subject"], of_user["subject_id"]) == ("user", author.id)
    assert {of_post["author_id"], of_user["author_id"]} == {author.id}
    assert (of_post["reason"], of_post["text"], of_post["state"]) == (
        "spam",
        "a line\nanother",
        "open",
    )
    assert (of_user["reason"], "text" in of_user) == ("other", False)


@pytest.mark.parametrize("reason", REASONS)
def test_every_reason_is_accepted(builders: Builders, reason: str) -> None:
    author, reporter = builders.new_user(), builders.new_user()
    assert report(reporter, user_id=str(author.id), reason=reason).status_code == 202


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "post_id"),
        ({"post_id": "1", "user_id": "2"}, "post_id"),
        ({"post_id": "x"}, "post_id"),
        ({"user_id": 7}, "user_id"),
        ({"user_id": "2", "reason": "dislike"}, "reason"),
        ({"user_id": "2", "reason": None}, "reason"),
        ({"user_id": "2", "text": "x" * 1_001}, "text"),
        ({"user_id": "2", "text": "\x00"}, "text"),
        ({"user_id": "2", "state": "closed"}, "state"),
    ],
)
def test_a_report_that_is_not_one_is_422_and_names_the_field(
    builders: Builders, body: dict[str, Any], field: str
) -> None:
    problem = assert_problem(report(builders.new_user(), **body), 422, "invalid-fields")
    assert list(problem["errors"]) == [field]


def test_a_report_without_a_reason_is_422(builders: Builders) -> None:
    answer = builders.new_user().post("/v1/reports", json={"user_id": "2"})
    assert "reason" in assert_problem(answer, 422, "invalid-fields")["errors"]


def test_a_second_report_of_the_same_subject_changes_nothing(
    builders: Builders, graph: Graph
) -> None:
    author, reporter, other = (builders.new_user() for _ in range(3))
    post = builders.publish(author)["id"]
    for reason in ("spam", "nudity", "spam"):
        assert report(reporter, post_id=post, reason=reason).status_code == 202
    assert [one["reason"] for one in stored(graph, reporter)] == ["spam"]
    assert report(other, post_id=post).status_code == 202
    assert len(stored(graph, other)) == 1


def test_a_report_whose_id_is_taken_gets_another_one(
    builders: Builders, graph: Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    author, first, second = (builders.new_user() for _ in range(3))
    assert report(first, user_id=str(author.id)).status_code == 202
    [taken] = stored(graph, first)
    drawn = [new_id(), taken["id"], taken["id"]]
    monkeypatch.setattr(ids, "new_id", drawn.pop)
    assert report(second, user_id=str(author.id)).status_code == 202
    assert len(stored(graph, second)) == 1
    assert drawn == []


def test_nobody_reports_themselves(builders: Builders, graph: Graph) -> None:
    author = builders.new_user()
    post = builders.publish(author)["id"]
    for body in ({"post_id": post}, {"user_id": str(author.id)}):
        assert_problem(report(author, **body), 422, "cannot-report-yourself")
    assert stored(graph, author) == []


# Security 7
def test_what_is_hidden_or_absent_cannot_be_reported_and_is_the_same_404(
    builders: Builders, graph: Graph
) -> None:
    author, reporter, blocker = (builders.new_user() for _ in range(3))
    deleted, hidden, blocked, own = (
        builders.publish(one)["id"] for one in (author, author, blocker, reporter)
    )
    assert author.delete(f"/v1/posts/{deleted}").status_code == 204
    graph.moderation.hide_post(int(hidden), author_id=author.id, operator="ola", reason="spam")
    blocker.block(reporter)
    leaving = builders.new_user()
    left = builders.publish(leaving)["id"]
    graph.moderation.suspend(leaving.id, operator="ola", reason="spam")
    absent = str(new_id())
    bodies: list[dict[str, str]] = [
        *({"post_id": one} for one in (absent, deleted, hidden, blocked, left)),
        *({"user_id": str(one)} for one in (absent, blocker.id, leaving.id)),
    ]
    problems = [assert_problem(report(reporter, **body), 404, "not-found") for body in bodies]
    assert len({str({**one, "request_id": ""}) for one in problems}) == 1
    assert stored(graph, reporter) == []
    assert own


def test_reports_of_a_user_are_limited(strict_app: Flask, builders: Builders, graph: Graph) -> None:
    author, reporter = builders.new_user(), builders.new_user().on(strict_app)
    statuses = [report(reporter, user_id=str(author.id)).status_code for _ in range(101)]
    assert statuses == [202] * 100 + [429]
    assert_problem(report(reporter, user_id=str(author.id)), 429, "too-many-requests")
    assert len(stored(graph, reporter)) == 1
