"""A worker that stands still over a page of followers, some of whom leave meanwhile (case 21)."""

import time

import pytest

from storage import Storage
from storage.pushing import MAX_AGE_SECONDS
from tests.feed.races.test_leaving import Leave, by_being_blocked, by_unfollowing, following
from tests.support.eventually import eventually
from tests.support.stage import Stage
from tests.system.journeys.people import B_SECONDS
from tests.system.kills.site import Site


# Case 21: stopped as a process, not held by the network; let go at once
@pytest.mark.parametrize(
    ("leave", "flushed"),
    [
        (by_unfollowing, False),
        (by_being_blocked, False),
        pytest.param(by_unfollowing, True, id="cache flushed"),
    ],
)
def test_who_left_while_the_worker_stood_still_sees_nothing_of_what_it_pushes(
    stage: Stage, site: Site, bell: Storage, leave: Leave, flushed: bool
) -> None:
    viewer, author, _friend = following(stage)
    worker = site.worker("fanout")
    _post, event = stage.town.post(author)
    hold = worker.to.hold_query("follows/followers_page", side="answer")
    bell.queues.wake(event)
    hold.wait(B_SECONDS)
    worker.stop()
    hold.release()
    leave(stage, viewer, author)
    stage.check_feed(viewer, rebuilds=True)
    if flushed:
        stage.storage.cache.client.flushall()
        stage.check_feed(viewer, rebuilds=True)
    worker.go_on()
    eventually(lambda: worker.outcomes(event.id)[-1:] == ["done"], seconds=B_SECONDS)
    stage.check_feed(viewer, rebuilds=True)
    stage.do_all(viewer, author)
    stage.check_feed(viewer, rebuilds=True)
    assert stage.entries(viewer)
    stage.check_feed(viewer)


# Case 21: for so long that the leaving is over and the list stands again
def test_a_worker_that_stood_still_for_long_reads_its_page_again(
    stage: Stage, site: Site, bell: Storage
) -> None:
    viewer, author, _friend = following(stage)
    worker = site.worker("fanout")
    post, event = stage.town.post(author)
    hold = worker.to.hold_query("follows/followers_page", side="answer")
    bell.queues.wake(event)
    hold.wait(B_SECONDS)
    worker.stop()
    stopped_at = time.monotonic()
    hold.release()
    by_unfollowing(stage, viewer, author)
    stage.town.end_hold(viewer)
    for owed in stage.town.events_of(viewer):
        stage.do(owed)
    stage.check_feed(viewer, rebuilds=True)
    assert stage.entries(viewer)
    eventually(lambda: time.monotonic() - stopped_at > MAX_AGE_SECONDS, seconds=30)
    worker.go_on()
    eventually(lambda: worker.outcomes(event.id)[-1:] == ["done"], seconds=B_SECONDS)
    assert post not in stage.entries(viewer)
    stage.check_feed(viewer)
