"""The events of moderation finish what a command that died did not; no post is lost meanwhile."""

from functools import partial

import pytest
from structlog.testing import capture_logs

from feed.verifying import Verifier
from graph.events import Event
from graph.ids import new_id
from tests.support.reports import assert_exact, create, listed, walk
from tests.support.stage import Stage
from workers import accounts
from workers.sweeper import Sweeper


def suspend(stage: Stage, user_id: int) -> Event:
    """A suspension whose command died after its commit: its event."""
    event = stage.graph.moderation.suspend(user_id, operator="ola", reason="spam")
    assert event
    assert (event.kind, event.queue) == ("account-suspended", "removal")
    return event


def unsuspend(stage: Stage, user_id: int) -> Event:
    event = stage.graph.moderation.unsuspend(user_id, operator="ola", reason=None)
    assert event
    return event


def hide(stage: Stage, post_id: int, author_id: int) -> Event:
    event = stage.graph.moderation.hide_post(
        post_id, author_id=author_id, operator="ola", reason="spam"
    )
    assert event
    assert (event.kind, event.queue) == ("post-moderated", "removal")
    return event


def show(stage: Stage, post_id: int, author_id: int) -> Event:
    event = stage.graph.moderation.show_post(
        post_id, author_id=author_id, operator="ola", reason=None
    )
    assert event
    return event


def audience(stage: Stage, posts: int) -> tuple[int, int, list[int]]:
    """An author, a follower who has read all posts, and the posts."""
    author, follower = stage.town.users(2)
    stage.town.follow(follower, author)
    published = [stage.town.create_post(author).subject_id for _ in range(posts)]
    stage.do_all(author, follower)
    assert set(stage.read(follower)) == set(published)
    return author, follower, published


def test_the_event_of_a_suspension_hides_what_its_command_did_not(stage: Stage) -> None:
    author, follower, posts = audience(stage, 3)
    assert stage.do(suspend(stage, author)) == "done"
    assert stage.read(follower) == []
    assert stage.do(unsuspend(stage, author)) == "done"
    assert set(stage.read(follower)) == set(posts)


def test_a_suspension_goes_on_where_a_killed_worker_stopped(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    author, follower, _posts = audience(stage, 5)
    event = suspend(stage, author)
    monkeypatch.setattr(accounts, "TURN_SECONDS", -1.0)  # each turn ends after one page
    monkeypatch.setattr(accounts, "DISCARD_PAGE", 2)
    outcomes = []
    for _ in range(10):
        found = stage.town.find_event(event.id)
        if found is None:
            break
        stage.town.end_lease(event.id)
        outcomes.append(stage.do(found))
    assert outcomes[-1] == "done"
    assert len(outcomes) >= 3
    assert stage.read(follower) == []


@pytest.mark.parametrize("count", [1, 3])
def test_a_post_that_is_fanned_out_while_its_author_is_suspended_is_there_afterwards(
    stage: Stage, count: int
) -> None:
    author, follower = stage.town.users(2)
    stage.town.follow(follower, author)
    stage.build(follower)
    published = [stage.town.create_post(author) for _ in range(count)]
    stage.town.query(
        "UNWIND $ids AS id MATCH (event:Event {id: id}) SET event.shard = 6",
        ids=[event.id for event in published],
    )
    stage.do(suspend(stage, author))
    moved = stage.town.find_event(published[0].id)
    assert moved
    outcomes = stage.drain(moved)
    assert [outcomes[event.id] for event in published] == ["done"] * count
    assert stage.read(follower) == []
    assert stage.do(unsuspend(stage, author)) == "done"
    assert set(stage.read(follower)) == {event.subject_id for event in published}
    assert {event.subject_id for event in published} <= set(stage.entries(follower))


def test_a_post_that_is_fanned_out_while_it_is_hidden_is_there_afterwards(stage: Stage) -> None:
    author, follower = stage.town.users(2)
    stage.town.follow(follower, author)
    stage.build(follower)
    event = stage.town.create_post(author)
    post = event.subject_id
    hidden = hide(stage, post, author)
    assert stage.do(hidden) == "done"
    assert stage.do(event) == "done"
    assert stage.read(follower) == []
    assert stage.do(show(stage, post, author)) == "done"
    assert stage.read(follower) == [post]
    assert post in stage.entries(follower)


def test_a_new_post_whose_body_is_written_late_is_not_cached_after_a_suspension(
    stage: Stage,
) -> None:
    author, post = stage.town.user(), new_id()
    reservation = stage.storage.bodies.reserve_new(post, author)
    assert reservation
    assert stage.do(suspend(stage, author)) == "done"
    assert not stage.storage.bodies.fill_new(reservation, b"{}")
    assert stage.storage.bodies.read_many([post]) == {post: None}


def test_the_event_of_a_hidden_post_discards_the_body_that_its_command_did_not(
    stage: Stage,
) -> None:
    author, follower, posts = audience(stage, 2)
    stage.do(hide(stage, posts[0], author))
    assert stage.read(follower) == [posts[1]]
    stage.do(show(stage, posts[0], author))
    assert set(stage.read(follower)) == set(posts)


def test_a_comparison_finds_nothing_wrong_with_what_is_hidden(stage: Stage) -> None:
    author, follower, posts = audience(stage, 3)
    stage.build(follower)
    assert set(stage.read(follower)) == set(posts)
    for change in (partial(hide, stage, posts[1], author), partial(suspend, stage, author)):
        stage.do(change())
        stage.read(follower)  # makes tombstones of the bodies
        report = Verifier(stage.graph, stage.storage).verify([follower])
        assert (report.timelines, report.differences) == (1, [])


def test_the_sweeper_deletes_reports_that_were_closed_long_ago(stage: Stage) -> None:
    reporter, user = stage.town.users(2)
    stage.town.query(
        "CREATE (:Report {id: $user, reporter_id: $reporter, subject: 'user', subject_id: $user,"
        " author_id: $user, reason: 'spam', state: 'closed', closed_at: 0})",
        user=user,
        reporter=reporter,
    )
    Sweeper(stage.graph, stage.storage).clear()
    assert stage.town.query("MATCH (one:Report {reporter_id: $id}) RETURN one", id=reporter) == []


def test_the_sweeper_corrects_a_list_that_an_older_version_left_wrong(stage: Stage) -> None:
    ended, changed, *reporters = stage.town.users(4)
    for user in (ended, changed):
        for reporter in reporters:
            create(stage.graph, reporter, user)
    stage.town.query(  # as a process closes and deletes them that does not know the list
        "MATCH (one:Report) WHERE one.subject_id = $ended OR one.reporter_id = $gone DELETE one",
        ended=ended,
        gone=reporters[0],
    )
    assert [one.reporter_ids for one in listed(stage.graph, ended)] == [[]]
    Sweeper(stage.graph, stage.storage).clear()
    for user in (ended, changed):
        assert_exact(stage.town, user)
    assert listed(stage.graph, ended) == []
    assert [one.reporter_ids for one in listed(stage.graph, changed)] == [reporters[1:]]


def test_the_sweeper_closes_reports_of_deleted_posts_and_lists_the_others(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.clearing.REPORTS_PAGE", 2)
    for one in walk(stage.graph):  # of other tests
        stage.graph.reports.close(one.id, operator="ola", reason=None)
    author, reporter = stage.town.users(2)
    posts = [stage.town.create_post(author).subject_id for _ in range(5)]
    for post in posts:
        create(stage.graph, reporter, post, subject="post", author=author)
    stage.town.query("MATCH (s:ReportedSubject) WHERE s.subject_id IN $ids DELETE s", ids=posts)
    for post in posts[3:]:
        stage.graph.posts.delete(post, author_id=author)
    with capture_logs() as lines:
        Sweeper(stage.graph, stage.storage).clear()
    closed = [line["subject_id"] for line in lines if line["event"] == "reports closed"]
    assert [post for post in closed if post in posts] == posts[3:]
    page = stage.graph.reports.open_page(limit=1_000)
    assert [one.subject_id for one in page.subjects if one.subject_id in posts] == posts[:3]
