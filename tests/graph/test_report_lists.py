"""The list of what is reported: in pages, and exact whatever happens at once."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from graph import Graph, reports
from graph.accounts import CLEAR
from graph.ids import MAX_ID, new_id
from tests.support.concurrency import run_together
from tests.support.eventually import eventually
from tests.support.reports import assert_exact, create, facts, listed, settle, walk
from tests.support.town import Town

[CLEAR_REPORTS] = [query for query in CLEAR if query.name == "accounts/clear_reports"]


def test_pages_have_each_subject_once_in_order(graph: Graph, town: Town) -> None:
    reporter, other, *users = town.users(9)
    for user in users:
        create(graph, reporter, user)
    for user in users[:3]:
        create(graph, other, user)
    before = graph.reports.open_subjects()
    assert [one.subject_id for one in walk(graph, limit=2) if one.subject_id in users] == users
    graph.reports.close(listed(graph, users[0])[0].id, operator="ola", reason=None)
    assert graph.reports.open_subjects() == before - 1
    assert [one.subject_id for one in walk(graph, limit=1) if one.subject_id in users] == users[1:]
    last = listed(graph, users[-1])[0]
    assert graph.reports.open_page(after=last.id, limit=10).subjects == []
    for user in users:
        assert_exact(town, user)


def test_a_report_is_listed_however_many_are_older(graph: Graph, town: Town) -> None:
    """6,000 reports of 60 subjects by others: a list of the 5,000 oldest would not have it."""
    reporter, user = town.users(2)
    flood = [new_id() for _ in range(60)]
    town.query(
        "UNWIND range(0, size($ids) - 1) AS n"
        " CREATE (:ReportedSubject {subject: 'user', subject_id: $ids[n], author_id: $ids[n],"
        " first_id: 1000000 + n * 100, report_count: 100})"
        " WITH n UNWIND range(0, 99) AS m"
        " CREATE (:Report {id: 1000000 + n * 100 + m, reporter_id: m, subject: 'user',"
        " subject_id: $ids[n], author_id: $ids[n], reason: 'spam', state: 'open',"
        " created_at: timestamp()})",
        ids=flood,
    )
    try:
        create(graph, reporter, user)
        found = [one.subject_id for one in walk(graph, limit=25)]
        assert [one for one in found if one in {*flood, user}] == [*flood, user]
        assert {one.subject_id for one in graph.reports.most_reported(60)} == set(flood)
        assert graph.reports.open_subjects() >= len(flood) + 1
    finally:
        town.query("MATCH (r:Report) WHERE r.subject_id IN $ids DELETE r", ids=flood)
        town.query("MATCH (s:ReportedSubject) WHERE s.subject_id IN $ids DELETE s", ids=flood)


def test_the_most_reported_come_first(graph: Graph, town: Town) -> None:
    few, many, *reporters = town.users(7)
    create(graph, reporters[0], few)
    for reporter in reporters:
        create(graph, reporter, many)
    first = graph.reports.most_reported(1_000)
    mine = [one for one in first if one.subject_id in {few, many}]
    assert [(one.subject_id, len(one.reporter_ids)) for one in mine] == [(many, 5), (few, 1)]
    counts = [len(one.reporter_ids) for one in first]
    assert counts == sorted(counts, reverse=True)


def test_closed_reports_are_walked_once_each(graph: Graph, town: Town) -> None:
    reporter, other, *users = town.users(5)
    for user in users:
        create(graph, reporter, user)
        create(graph, other, user)
        graph.reports.close(listed(graph, user)[0].id, operator="ola", reason=None)
    walked = [one for one in walk(graph, limit=1, closed=True) if one.subject_id in users]
    assert [one.subject_id for one in walked] == [user for user in users for _ in range(2)]
    assert [one.reporter_ids for one in walked] == [[reporter], [other]] * 3


def test_reports_of_a_subject_at_once_are_counted_exactly(
    graph: Graph, town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reports, "MOST_OPEN", 5)
    user, *reporters = town.users(13)
    stored = run_together(*[partial(create, graph, one, user) for one in reporters])
    assert sorted(map(bool, stored)) == [False] * 7 + [True] * 5
    assert_exact(town, user)
    [one] = listed(graph, user)
    assert len(one.reporter_ids) == 5


def test_the_list_is_exact_while_reports_are_created_and_closed_at_once(
    graph: Graph, town: Town
) -> None:
    user, *reporters = town.users(25)

    def close() -> None:
        for one in listed(graph, user):
            graph.reports.close(one.id, operator="ola", reason=None)

    for four in (reporters[n : n + 4] for n in range(0, 24, 4)):
        run_together(*[partial(create, graph, one, user) for one in four], close, close)
        assert_exact(town, user)


def test_a_subject_stays_listed_by_the_next_report_when_a_reporter_is_deleted(
    graph: Graph, town: Town
) -> None:
    first, second, user, other = town.users(4)
    for reporter in (first, second):
        create(graph, reporter, user)
    create(graph, first, other)
    [before] = listed(graph, user)
    clear = partial(graph.connection.write, CLEAR_REPORTS, limit=1_000)
    assert clear(user_id=first) == [{"cleared": 2}]
    [after] = listed(graph, user)
    assert after.id > before.id
    assert after.reporter_ids == [second]
    assert_exact(town, user)
    assert facts(town, other) == ([], [])
    assert clear(user_id=second) == [{"cleared": 1}]
    assert facts(town, user) == ([], [])
    assert clear(user_id=second) == [{"cleared": 0}]


def test_reporters_who_are_deleted_at_once_leave_an_exact_list(graph: Graph, town: Town) -> None:
    users, reporters = town.users(6), town.users(4)
    for reporter in reporters:
        for user in users:
            create(graph, reporter, user)
    clear = partial(graph.connection.write, CLEAR_REPORTS, limit=1_000)
    cleared = run_together(*[partial(clear, user_id=one) for one in reporters[:3]])
    assert cleared == [[{"cleared": 6}]] * 3
    for user in users:
        assert facts(town, user)[1][0][1] == 1
        assert_exact(town, user)


def test_reports_of_an_older_version_are_put_into_the_list(graph: Graph, town: Town) -> None:
    reporters, users = town.users(2), town.users(5)
    for user in users:
        for reporter in reporters:
            create(graph, reporter, user)
    first = listed(graph, users[0])[0].id
    town.query("MATCH (s:ReportedSubject) WHERE s.subject_id IN $ids DELETE s", ids=users)
    assert listed(graph, users[0]) == []
    page = graph.reports.settle(after=first - 1, limit=4)
    assert page.next_after is not None
    assert listed(graph, users[-1]) == [], "a page of four of ten reports"
    settle(graph, limit=4)
    for user in users:
        assert len(facts(town, user)[0]) == 2
        assert_exact(town, user)


def test_a_report_that_is_not_listed_can_be_closed(graph: Graph, town: Town) -> None:
    reporter, user = town.users(2)
    report_id = new_id()
    create(graph, reporter, user, report_id=report_id)
    town.query("MATCH (s:ReportedSubject {subject_id: $id}) DELETE s", id=user)
    assert graph.reports.close(report_id, operator="ola", reason=None) == 1
    assert facts(town, user) == ([], [])


def test_reports_of_what_is_deleted_are_closed_and_others_stay_open(
    graph: Graph, town: Town
) -> None:
    """Operators decide on all that exists, and on what may come back."""
    reporter, other, *users = town.users(7)
    for user in users:
        create(graph, reporter, user)
        create(graph, other, user)
    gone, *rest = users
    for user, state in zip(users, ("deleted", "deleting", "leaving", "suspended"), strict=False):
        town.query("MATCH (u:User {id: $id}) SET u.state = $state", id=user, state=state)
    before = len(graph.moderation.log(before=MAX_ID, limit=1_000))
    assert settle(graph, limit=1)["user", gone] == 2
    assert ("user", gone) not in settle(graph)
    assert listed(graph, gone, closed=True)[0].reporter_ids == [reporter, other]
    assert len(graph.moderation.log(before=MAX_ID, limit=1_000)) == before, "by no operator"
    for user in rest:
        assert len(facts(town, user)[0]) == 2
    for user in users:
        assert_exact(town, user)


def test_a_report_that_waits_while_the_subject_is_closed_is_listed_anew(
    graph: Graph, town: Town
) -> None:
    first, second, user = town.users(3)
    create(graph, first, user)
    with ThreadPoolExecutor(1) as pool:
        with town.uncommitted_close(user) as closing:
            created = pool.submit(create, graph, second, user)
            eventually(lambda: town.blocked_by_locks() >= 1)
            closing.commit()
        assert created.result(timeout=30)
    [one] = listed(graph, user)
    assert one.reporter_ids == [second]
    assert_exact(town, user)


def test_a_close_that_waits_while_the_subject_is_closed_and_reported_anew_is_exact(
    graph: Graph, town: Town
) -> None:
    first, second, user = town.users(3)
    report_id, next_id = new_id(), new_id()
    create(graph, first, user, report_id=report_id)
    with ThreadPoolExecutor(1) as pool:
        with town.uncommitted_close(user) as closing:
            close = partial(graph.reports.close, operator="ola", reason=None)
            closed = pool.submit(close, report_id)
            eventually(lambda: town.blocked_by_locks() >= 1)
            closing.run(
                "CREATE (:ReportedSubject {subject: 'user', subject_id: $user, author_id: $user,"
                " first_id: $id, report_count: 1})"
                " CREATE (:Report {id: $id, reporter_id: $reporter, subject: 'user',"
                " subject_id: $user, author_id: $user, reason: 'spam', state: 'open'})",
                user=user,
                id=next_id,
                reporter=second,
            ).consume()
            closing.commit()
        assert closed.result(timeout=30) == 1
    assert facts(town, user) == ([], [])
