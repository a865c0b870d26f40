"""Reports in the graph: bounded, closed together, and cleared."""

import pytest

from graph import Graph, reports
from graph.errors import IdTakenError, NotFoundError
from graph.ids import MAX_ID, new_id
from graph.reports import CLOSED_LIFE_MS
from tests.support.concurrency import run_together
from tests.support.reports import create, listed, settle
from tests.support.town import Town


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
    assert reports.MOST_OPEN == 100
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
    assert graph.reports.open_page(limit=1).subjects[0].id <= one.id


def test_a_subject_is_listed_with_its_reasons_once_and_three_texts(
    graph: Graph, town: Town
) -> None:
    user, *reporters = town.users(6)
    report_ids = [new_id() for _ in reporters]
    for report_id, reporter in zip(report_ids, reporters, strict=True):
        text = None if reporter == reporters[0] else f"a text of {reporter}"
        assert create(graph, reporter, user, report_id=report_id, text=text)
    [one] = listed(graph, user)
    assert (one.id, one.reasons) == (report_ids[0], ["spam"])
    assert one.texts == [f"a text of {reporter}" for reporter in reporters[1:4]]


def test_a_user_who_is_suspended_before_the_account_is_deleted_is_listed_as_suspended(
    graph: Graph, town: Town
) -> None:
    user, reporter = town.users(2)
    assert create(graph, reporter, user)
    town.query("MATCH (user:User {id: $id}) SET user.state = 'leaving'", id=user)
    assert listed(graph, user)[0].status == "leaving"
    assert graph.moderation.suspend(user, operator="ola", reason="spam")
    assert listed(graph, user)[0].status == "suspended"


def test_a_post_and_a_user_with_one_id_are_two_subjects(
    graph: Graph, town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reports, "MOST_OPEN", 1)
    user, reporter = town.users(2)
    assert create(graph, reporter, user)
    assert create(graph, reporter, user, subject="post")
    of_user, of_post = listed(graph, user)
    assert graph.reports.close(of_user.id, operator="ola", reason=None) == 1
    assert listed(graph, user) == [of_post]


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
    closed = "MATCH (r:Report {reporter_id: $id}) WHERE abs(timestamp() - r.closed_at) < 60000"
    assert len(town.query(closed + " RETURN r", id=reporter)) == 2
    assert CLOSED_LIFE_MS == 90 * 86_400_000
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


def test_a_report_of_a_deleted_post_is_listed_until_it_is_settled(graph: Graph, town: Town) -> None:
    author, reporter = town.users(2)
    post = town.create_post(author).subject_id
    create(graph, reporter, post, subject="post", author=author, text="a text")
    [one] = listed(graph, post)
    assert (one.status, one.author_id, one.texts) == ("shown", author, ["a text"])
    graph.moderation.hide_post(post, author_id=author, operator="ola", reason=None)
    assert listed(graph, post)[0].status == "hidden"
    graph.posts.delete(post, author_id=author)
    assert listed(graph, post)[0].status == "deleted"
    assert settle(graph)["post", post] == 1
    assert listed(graph, post) == []
    assert listed(graph, post, closed=True)[0].status == "deleted"
