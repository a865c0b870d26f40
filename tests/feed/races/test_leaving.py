"""A viewer who has left an author sees no more of their posts (cases 21 and 23)."""

import time
from concurrent.futures import Future

import pytest

from api.services.follows import follow
from storage.errors import StorageUnavailableError
from storage.timeline_layout import lock_key, timeline_key
from tests.support.eventually import eventually
from tests.support.leaving import (
    WAYS,
    Leave,
    Stores,
    by_being_blocked,
    by_blocking,
    by_unfollowing,
    following,
    leave_and_rebuild,
)
from tests.support.outbox import run
from tests.support.stage import Stage, Step, after_the_reading, before_the_writing


# Case 21
@pytest.mark.parametrize(
    ("leave", "flushed"),
    [*((way, False) for way in WAYS), pytest.param(by_unfollowing, True, id="cache flushed")],
)
def test_a_page_of_followers_read_before_the_leaving_shows_nothing(
    stage: Stage, leave: Leave, flushed: bool
) -> None:
    viewer, author, _friend = following(stage)
    _post, event = stage.town.post(author)
    hold, job = stage.hold_job(event, "follows/followers_page", side="answer")
    leave(stage, viewer, author)
    stage.check_feed(viewer, rebuilds=True)
    if flushed:
        stage.evict(timeline_key(viewer), lock_key(viewer))
    stage.check_feed(viewer, rebuilds=True)
    hold.release()
    assert job.result(10) == "done"
    stage.check_feed(viewer, rebuilds=True)
    stage.do_all(viewer, author)
    stage.check_feed(viewer, rebuilds=True)
    assert stage.entries(viewer), "the list is rebuilt after the leaving has ended"
    stage.check_feed(viewer)


# Case 21, held for longer than a page may be pushed; the leaving has ended by then
def test_a_page_of_followers_that_grew_old_is_read_again(stage: Stage) -> None:
    viewer, author, _friend = following(stage)
    _post, event = stage.town.post(author)
    hold, job = stage.hold_job(event, "follows/followers_page", side="answer")
    held_at = time.monotonic()
    leave_and_rebuild(stage, viewer, author)
    assert not job.done()
    with pytest.raises(TimeoutError):  # too old after 5 s; the driver times out after 6 s
        job.result(max(0.01, 5.2 - (time.monotonic() - held_at)))
    hold.release()
    assert job.result(10) == "done"
    stage.check_feed(viewer)


# Case 21; the bytes of a push are held until the cache has closed their connection
def test_a_push_held_in_the_network_for_long_does_not_arrive(stage: Stage) -> None:
    viewer, author, _friend = following(stage)
    proxied = stage.behind_proxies()
    _post, event = stage.town.post(author)
    hold = proxied.to.cache.hold(timeline_key(viewer))
    job = stage.begin(run, proxied.graph, proxied.storage, event.id, event.epoch)
    hold.wait()
    assert job.result(10) == "done", "the worker pushed over a new connection"
    by_unfollowing(stage, viewer, author)
    stage.town.end_hold(viewer)
    for pending in stage.town.events_of(viewer):
        stage.do(pending)
    stage.check_feed(viewer, rebuilds=True)
    before = stage.entries(viewer)
    eventually(lambda: hold.closed_by_server, seconds=25)
    hold.release()
    assert stage.entries(viewer) == before
    stage.check_feed(viewer)


# Case 21
def test_a_second_leaving_after_a_new_follow_postpones_the_rebuild(stage: Stage) -> None:
    viewer, author, _friend = following(stage)
    by_unfollowing(stage, viewer, author)
    stage.town.end_hold(viewer)
    stage.town.add_followees(viewer, author)
    by_unfollowing(stage, viewer, author)  # starts the 30 s of its own leaving
    first, second = stage.town.events_of(viewer)
    assert stage.do(first) == "done"
    assert not stage.rebuild(viewer), "the leaving is too young for the first event to end it"
    stage.town.end_hold(viewer)
    assert stage.do(second) == "done"
    assert stage.rebuild(viewer)
    stage.check_feed(viewer)


def by_blocking_and_unblocking(stores: Stores, viewer: int, author: int) -> None:
    """The author ends every block at once, so that each one is new."""
    by_being_blocked(stores, viewer, author)
    stores.graph.blocks.delete(blocker_id=author, blocked_id=viewer)


# Case 53
@pytest.mark.parametrize("leave", [*WAYS, by_blocking_and_unblocking])
def test_a_leaving_that_is_repeated_for_ever_costs_the_viewer_one_rebuild(
    stage: Stage, leave: Leave
) -> None:
    viewer, author, _friend = following(stage)
    leave(stage, viewer, author)
    [event] = stage.town.events_of(viewer)
    assert not stage.rebuild(viewer)
    stage.town.end_hold(viewer)
    leave(stage, viewer, author)  # 30 s after the first: the leaving ends all the same
    assert stage.town.events_of(viewer) == [event]
    assert stage.do(event) == "done"
    stage.build(viewer)
    before = stage.entries(viewer)
    for _ in range(3):
        leave(stage, viewer, author)
        stage.do_all(viewer, author)
        assert stage.entries(viewer) == before
    stage.check_feed(viewer)


# Case 53
def test_a_block_drops_only_the_list_of_who_followed_the_other(stage: Stage) -> None:
    blocker, author, _friend = following(stage)
    stage.build(author)
    by_blocking(stage, blocker, author)
    stage.do_all(blocker, author)
    assert stage.entries(blocker) == []
    assert stage.entries(author), "the author did not follow the blocker"
    stage.check_feed(blocker)
    stage.check_feed(author)


# Cases 21 and 31
def test_a_leaving_that_died_before_its_drop_is_finished_by_its_event(stage: Stage) -> None:
    viewer, author, _friend = following(stage)
    event = stage.town.unfollow(viewer, author)
    stage.town.end_hold(viewer)
    assert stage.do(event) == "done"
    stage.check_feed(viewer)
    stage.check_feed(viewer, rebuilds=True)
    assert stage.entries(viewer)


# Case 31
@pytest.mark.parametrize("leave", WAYS)
def test_a_leaving_refused_without_the_cache_is_finished_by_a_repeat(
    stage: Stage, leave: Leave
) -> None:
    viewer, author, _friend = following(stage)
    cut_off = stage.behind_proxies()
    with cut_off.to.cache.outage(), pytest.raises(StorageUnavailableError):
        leave(cut_off, viewer, author)
    leave(stage, viewer, author)
    stage.check_feed(viewer)
    stage.check_feed(author)


# Case 23
@pytest.mark.parametrize("change", ["follow", "unfollow", "block"])
@pytest.mark.parametrize("step", [after_the_reading, before_the_writing])
def test_a_rebuild_overtaken_by_a_change_and_another_rebuild_writes_nothing(
    stage: Stage, change: str, step: Step
) -> None:
    viewer, author, _friend = following(stage)
    stranger = stage.town.user()
    stage.do(stage.town.post(stranger)[1])
    stage.evict_list(viewer)
    hold, old = stage.hold_rebuild(viewer, step)  # it has read the state before the change
    if change == "follow":
        follow(stage.graph, stage.storage, follower_id=viewer, followee_id=stranger)
    elif change == "unfollow":
        by_unfollowing(stage, viewer, author)
    else:
        by_being_blocked(stage, viewer, author)
    stage.check_feed(viewer)
    stage.do_all(viewer, author)
    stage.build(viewer)
    before = stage.entries(viewer)
    hold.release()
    assert not has_built(old)
    assert stage.entries(viewer) == before
    stage.check_feed(viewer)


# Case 23
@pytest.mark.parametrize("step", [after_the_reading, before_the_writing])
def test_a_rebuild_overtaken_by_a_leaving_leaves_no_list(stage: Stage, step: Step) -> None:
    viewer, author, _friend = following(stage)
    stage.evict_list(viewer)
    hold, old = stage.hold_rebuild(viewer, step)
    by_unfollowing(stage, viewer, author)
    hold.release()
    assert not has_built(old)
    stage.check_feed(viewer)
    assert stage.entries(viewer) == []


def has_built(rebuilding: Future[bool]) -> bool:
    """Whether a held rebuild has built. A rebuild whose write was held has timed out."""
    try:
        return rebuilding.result(10)
    except StorageUnavailableError:
        return False
