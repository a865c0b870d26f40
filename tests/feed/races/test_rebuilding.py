"""A list under construction lacks nothing that is published meanwhile (case 22)."""

import contextlib

import pytest

from graph.errors import GraphTimeoutError
from graph.ids import new_id
from graph.posts import FeedIds
from storage.timeline_layout import postponed_key
from tests.support.stage import (
    CAP,
    Stage,
    Step,
    after_the_reading,
    before_the_lock,
    before_the_reading,
    before_the_writing,
)

ABOVE_NOTHING = 2**53

STEPS = [before_the_lock, before_the_reading, after_the_reading, before_the_writing]


def followed_author(stage: Stage) -> tuple[int, int]:
    """A viewer without a list, and an author of some posts whom they follow."""
    viewer, author = stage.town.users(2)
    stage.town.add_followees(viewer, author)
    for _ in range(3):
        stage.do(stage.town.post(author)[1])
    return viewer, author


# Case 22
@pytest.mark.parametrize("step", STEPS)
def test_a_post_fanned_out_during_a_rebuild_is_in_the_feed_at_once_and_for_good(
    stage: Stage, step: Step
) -> None:
    viewer, author = followed_author(stage)
    hold, building = stage.hold_rebuild(viewer, step)
    stage.do(stage.town.post(author)[1])
    stage.check_feed(viewer)
    hold.release()
    building.exception(10)  # a held write times out, as if the process had been killed
    stage.check_feed(viewer)
    stage.evict_lock(viewer)
    stage.check_feed(viewer, rebuilds=True)
    stage.do(stage.town.post(author)[1])
    stage.check_feed(viewer)


# Case 22
def test_a_post_with_an_id_older_than_a_rebuild_and_a_commit_after_its_read_is_not_missed(
    stage: Stage,
) -> None:
    viewer, author = followed_author(stage)
    drawn = new_id()
    stage.do(stage.town.post(author)[1])  # a newer post, which the rebuild reads
    hold, building = stage.hold_rebuild(viewer, after_the_reading)
    _post, event = stage.town.post(author, post_id=drawn)
    stage.do(event)
    stage.check_feed(viewer)
    hold.release()
    assert building.result(10)
    stage.check_feed(viewer)
    assert drawn in stage.entries(viewer)


# Case 22
def test_a_post_committed_before_the_read_and_fanned_out_after_the_write_is_shown_once(
    stage: Stage,
) -> None:
    viewer, author = followed_author(stage)
    _post, event = stage.town.post(author)
    stage.build(viewer)
    stage.check_feed(viewer)
    stage.do(event)
    stage.check_feed(viewer)


# Case 22
@pytest.mark.parametrize("step", [before_the_reading, after_the_reading, before_the_writing])
def test_a_rebuild_whose_lock_has_expired_does_not_change_the_list_of_another(
    stage: Stage, step: Step
) -> None:
    viewer, author = followed_author(stage)
    hold, late = stage.hold_rebuild(viewer, step)
    stage.evict_lock(viewer)  # as after its 10 s
    stage.build(viewer)
    stage.do(stage.town.post(author)[1])
    before = stage.entries(viewer)
    hold.release()
    assert late.exception(10) or not late.result()
    assert stage.entries(viewer) == before
    stage.check_feed(viewer)


# Case 22
def test_a_rebuild_that_lost_its_lock_does_not_finish_the_list_of_another(
    stage: Stage,
) -> None:
    viewer, author = followed_author(stage)
    first, late = stage.hold_rebuild(viewer, after_the_reading)
    stage.do(stage.town.post(author)[1])  # pushed into the list of the first
    stage.evict_lock(viewer)
    # The second creates a new list, without the pushed post.
    second, building = stage.hold_rebuild(viewer, before_the_reading)
    first.release()
    assert not late.result(10)
    stage.check_feed(viewer)
    second.release()
    assert building.result(10)
    assert stage.entries(viewer)[0] == 0, "nothing of the first list is in it"
    stage.check_feed(viewer)


# Case 22
def test_the_list_of_a_killed_rebuild_is_never_shown_and_the_next_reader_rebuilds_it(
    stage: Stage,
) -> None:
    viewer, author = followed_author(stage)
    assert stage.storage.timelines.begin(viewer), "the rebuild dies here"
    for _ in range(CAP // 2):
        stage.do(stage.town.post(author)[1])
    assert stage.entries(viewer)[0] == -ABOVE_NOTHING
    stage.check_feed(viewer, rebuilds=True)
    assert stage.entries(viewer)[0] == -ABOVE_NOTHING, "its lock has not expired"
    stage.evict_lock(viewer)
    stage.check_feed(viewer, rebuilds=True)
    assert stage.entries(viewer)[0] == 0
    stage.check_feed(viewer)


# Case 22: without its sentinel, a killed rebuild's list looks like a finished one
def test_the_list_of_a_killed_rebuild_that_was_trimmed_shows_only_what_it_proves(
    stage: Stage,
) -> None:
    viewer, author = followed_author(stage)
    assert stage.storage.timelines.begin(viewer)
    newest = [new_id() for _ in range(CAP * 2)]
    stage.town.old_posts(author, newest)
    for post_id in newest:
        stage.storage.timelines.push([viewer], post_id, read_at=float("inf"))
    assert stage.entries(viewer)[0] > 0
    stage.check_feed(viewer)


# Case 46
def test_a_rebuild_that_ran_out_of_time_is_not_begun_again_at_once(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    viewer, _author = followed_author(stage)
    for delay_seconds in (30, 60):
        reads = time_out(stage, viewer, monkeypatch, tries=4)
        assert reads == 1
        assert not stage.rebuild(viewer)
        assert delay_seconds < time_to_live(stage, viewer) <= 2 * delay_seconds
        stage.storage.cache.client.expire(postponed_key(viewer), delay_seconds)
    stage.check_feed(viewer, rebuilds=True)
    assert stage.entries(viewer)


def test_a_rebuild_is_postponed_for_two_minutes_at_most(stage: Stage) -> None:
    viewer = stage.town.user()
    for _ in range(40):
        stage.storage.timelines.postpone(viewer)
    assert time_to_live(stage, viewer) <= 240
    assert stage.storage.timelines.is_postponed(viewer)


def time_out(stage: Stage, viewer: int, monkeypatch: pytest.MonkeyPatch, *, tries: int) -> int:
    """How often the graph is read in so many rebuilds; it ends each read for its time."""
    reads = 0

    def end_read(*_: object, **__: object) -> FeedIds:
        nonlocal reads
        reads += 1
        raise GraphTimeoutError("the read took too long", for_lock=False)

    with monkeypatch.context() as patch:
        patch.setattr(stage.graph.posts, "feed_page", end_read)
        for _ in range(tries):
            with contextlib.suppress(GraphTimeoutError):
                assert not stage.rebuild(viewer)
    return reads


def time_to_live(stage: Stage, viewer: int) -> float:
    """Seconds for which the cache knows of the rebuilds that ran out of time."""
    return stage.storage.cache.client.pttl(postponed_key(viewer)) / 1000
