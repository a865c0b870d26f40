"""Workers on hosts whose clocks are five minutes off: leases use the graph's clock (case 43)."""

import pytest

from storage import Storage
from tests.support.eventually import eventually
from tests.support.outbox import claim, finish
from tests.support.stage import Stage
from tests.system.kills.processes import Processes

FIVE_MINUTES = 300.0


# Case 43
@pytest.mark.parametrize("clock_seconds", [FIVE_MINUTES, -FIVE_MINUTES])
def test_workers_whose_clock_is_off_take_over_no_lease_and_deliver(
    stage: Stage, processes: Processes, worker_storage: Storage, clock_seconds: float
) -> None:
    author, followers = stage.audience(2)
    _post, event = stage.town.post(author)
    claimed = claim(stage.graph, event.id, event.epoch)  # for 20 s
    assert claimed
    worker = processes.start_worker("fanout", clock_seconds=clock_seconds)
    processes.start_worker("sweeper", clock_seconds=clock_seconds)
    worker_storage.queues.wake(claimed)
    posts = []
    for _ in range(3):
        post, due = stage.town.post(author)
        stage.town.end_lease(due.id)
        posts.append(post)
    eventually(lambda: len(stage.town.events_of(author)) == 1)
    assert worker.outcomes(event.id) == []
    latest = stage.town.find_event(event.id)
    assert latest
    assert latest.epoch == claimed.epoch
    assert finish(stage.graph, event.id, claimed.epoch)
    for follower in followers:
        assert sorted(entry for entry in stage.entries(follower) if entry > 0) == posts
