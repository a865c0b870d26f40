"""A worker paused with a page of followers, some of whom leave meanwhile (case 21)."""

import time

import pytest

from graph.events import Event
from storage import Storage
from storage.pushing import MAX_AGE_SECONDS
from tests.support.eventually import B_SECONDS, eventually
from tests.support.leaving import (
    Leave,
    by_being_blocked,
    by_unfollowing,
    following,
    leave_and_rebuild,
)
from tests.support.stage import Stage
from tests.system.kills.processes import Processes, ProcessTree


def paused_worker(
    stage: Stage, processes: Processes, worker_storage: Storage, author: int
) -> tuple[ProcessTree, Event]:
    """A worker that is paused when it has read the followers for a new post, and the event."""
    worker = processes.start_worker("fanout")
    _post, event = stage.town.post(author)
    hold = worker.to.hold_query("follows/followers_page", side="answer")
    worker_storage.queues.wake(event)
    hold.wait(B_SECONDS)
    worker.pause()
    hold.release()
    return worker, event


def resume_and_wait(worker: ProcessTree, event: Event) -> None:
    worker.resume()
    eventually(lambda: worker.outcomes(event.id)[-1:] == ["done"])


# Case 21: the worker resumes at once
@pytest.mark.parametrize(
    ("leave", "flushed"),
    [
        (by_unfollowing, False),
        (by_being_blocked, False),
        pytest.param(by_unfollowing, True, id="cache flushed"),
    ],
)
def test_viewers_who_left_during_a_pause_see_none_of_its_pushes(
    stage: Stage, processes: Processes, worker_storage: Storage, leave: Leave, flushed: bool
) -> None:
    viewer, author, _friend = following(stage)
    worker, event = paused_worker(stage, processes, worker_storage, author)
    leave(stage, viewer, author)
    stage.check_feed(viewer, rebuilds=True)
    if flushed:
        stage.storage.cache.client.flushall()
        stage.check_feed(viewer, rebuilds=True)
    resume_and_wait(worker, event)
    stage.check_feed(viewer, rebuilds=True)
    stage.do_all(viewer, author)
    stage.check_feed(viewer, rebuilds=True)
    assert stage.entries(viewer)
    stage.check_feed(viewer)


# Case 21: the worker resumes when the leaving has ended and the list has been rebuilt
def test_a_worker_paused_for_long_reads_its_page_again(
    stage: Stage, processes: Processes, worker_storage: Storage
) -> None:
    viewer, author, _friend = following(stage)
    worker, event = paused_worker(stage, processes, worker_storage, author)
    paused_at = time.monotonic()
    leave_and_rebuild(stage, viewer, author)
    eventually(lambda: time.monotonic() - paused_at > MAX_AGE_SECONDS)
    resume_and_wait(worker, event)
    assert event.subject_id not in stage.entries(viewer)
    stage.check_feed(viewer)
