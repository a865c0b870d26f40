"""Reports in the graph: bounded, closed together, and cleared."""

import pytest

from graph import Graph, reports
from graph.errors import IdTakenError, NotFoundError
from graph.ids import MAX_ID, new_id
from graph.reports import CLOSED_LIFE_MS, ReportedSubject
from tests.support.concurrency import run_together
from tests.support.town import Town


def create(graph: Graph, reporter: int, user: int, *, report_id: int = 0) -> bool:
    return graph.reports.create(
        report_id=report_id or new_id(),
        reporter_id=reporter,
        subject="user",
        subject_id=user,
        author_id=user,
        reason="spam",
        text=None,
    )


def listed(graph: Graph, user: int, *, closed: bool = False) -> list[ReportedSubject]:
    page = graph.reports.page("closed" if closed else "open", limit=1_000)
    return [one for one in page if one.subject_id == user]


def test_reports_at_once_by_one_user_are_one(graph: Graph, town: Town) -> None:
    reporter, user = town.users(2)
    stored = run_together(*[lambda: create(graph, reporter, user) for _ in range(8)])
    assert sorted(map(bool, stored)) == [False] * 7 + [True]
    [one] = listed(graph, user)
    assert one.reporter_ids == [reporter]


def test_a_taken_id_is_no_repeat(graph: Graph, town: Town) -> None:
    one, other, user = town.users(3)
    report_id = new_id()
    assert create(graph, one, user, report_id=report_id)
    with pytest.raises(IdTakenError):
        create(graph, other, user, report_id=report_id)


def test_open_reports_of_a_subject_are_bounded(
    graph: Graph, town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reports, "MOST_OPEN", 2)
    user, *reporters = town.users(5)
    assert [create(graph, one, user) for one in reporters] == [True, True, False, False]
    [one] = listed(graph, user)
    graph.reports.close(one.id, operator="ola", reason=None)
    assert create(graph, reporters[-1], user)


def test_the_longest_open_is_the_first(graph: Graph, town: Town) -> None:
    early, late, *reporters = town.users(4)
    for user, reporter in zip((early, late, early), (*reporters, late), strict=True):
        assert create(graph, reporter, user)
    [one], [other] = listed(graph, early), listed(graph, late)
    assert one.id < other.id
    assert one.reporter_ids == [reporters[0], late]
    assert one.status == "active"
    assert graph.reports.page("open", limit=1)[0].id <= one.id


def test_a_report_is_closed_with_all_of_its_subject(graph: Graph, town: Town) -> None:
    user, other, *reporters = town.users(4)
    for reporter in reporters:
        create(graph, reporter, user)
    create(graph, reporters[0], other)
    [one] = listed(graph, user)
    before = len(graph.moderation.log(before=MAX_ID, limit=1_000))
    closed = run_together(
        *[lambda: graph.reports.close(one.id, operator="ola", reason="no spam") for _ in range(4)]
    )
    assert sorted(closed, key=str) == [0, 0, 0, 2]
    assert listed(graph, user) == []
    assert listed(graph, user, closed=True)[0].reporter_ids == reporters
    assert len(listed(graph, other)) == 1
    log = graph.moderation.log(before=MAX_ID, limit=1_000)
    assert len(log) == before + 1
    assert (log[0].action, log[0].subject, log[0].subject_id) == ("close", "report", one.id)
    with pytest.raises(NotFoundError):
        graph.reports.close(new_id(), operator="ola", reason=None)


def test_a_report_that_is_closed_stays_so_when_it_is_repeated(graph: Graph, town: Town) -> None:
    reporter, user = town.users(2)
    create(graph, reporter, user)
    graph.reports.close(listed(graph, user)[0].id, operator="ola", reason=None)
    assert not create(graph, reporter, user)
    assert listed(graph, user) == []


def test_reports_that_were_closed_long_ago_are_deleted(graph: Graph, town: Town) -> None:
    reporter, *users = town.users(4)
    for user in users:
        create(graph, reporter, user)
    for user in users[:2]:
        graph.reports.close(listed(graph, user)[0].id, operator="ola", reason=None)
    for user, ago in zip(users, (CLOSED_LIFE_MS + 1_000, CLOSED_LIFE_MS - 60_000), strict=False):
        town.query(
            "MATCH (report:Report {subject_id: $user}) SET report.closed_at = timestamp() - $ago",
            user=user,
            ago=ago,
        )
    while graph.reports.delete_closed(1_000):
        pass
    left = town.query(
        "MATCH (report:Report {reporter_id: $id}) RETURN report.subject_id AS id", id=reporter
    )
    assert {row["id"] for row in left} == set(users[1:])


def test_a_report_of_a_deleted_post_stays_listed(graph: Graph, town: Town) -> None:
    author, reporter = town.users(2)
    post = town.create_post(author).subject_id
    graph.reports.create(
        report_id=new_id(),
        reporter_id=reporter,
        subject="post",
        subject_id=post,
        author_id=author,
        reason="spam",
        text="a text",
    )
    [one] = listed(graph, post)
    assert (one.status, one.author_id, one.texts) == ("shown", author, ["a text"])
    graph.moderation.hide_post(post, author_id=author, operator="ola", reason=None)
    assert listed(graph, post)[0].status == "hidden"
    graph.posts.delete(post, author_id=author)
    assert listed(graph, post)[0].status == "deleted"
