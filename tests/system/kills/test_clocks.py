"""Hosts whose clocks are five minutes off: leases follow the graph's clock alone (case 43)."""

import pytest

from storage import Storage
from tests.feed.races.test_fencing import audience
from tests.support.eventually import eventually
from tests.support.stage import Stage
from tests.system.journeys.people import B_SECONDS
from tests.system.kills.site import Site

FIVE_MINUTES = 300.0


# Case 43
@pytest.mark.parametrize("off", [FIVE_MINUTES, -FIVE_MINUTES])
def test_workers_whose_clock_is_off_steal_nothing_hoard_nothing_and_deliver(
    stage: Stage, site: Site, bell: Storage, off: float
) -> None:
    author, followers = audience(stage, 2)
    _theirs, leased = stage.town.post(author)
    claimed = stage.graph.events.claim(leased.id, leased.epoch)  # for its twenty seconds
    assert claimed
    worker = site.worker("fanout", clock_seconds=off)
    site.worker("sweeper", clock_seconds=off)
    bell.queues.wake(claimed)
    posts = []
    for _ in range(3):
        post, event = stage.town.post(author)
        stage.town.end_lease(event.id)
        posts.append(post)
    eventually(lambda: len(stage.town.events_of(author)) == 1, seconds=B_SECONDS)
    assert worker.outcomes(leased.id) == []
    still = stage.town.find_event(leased.id)
    assert still
    assert still.epoch == claimed.epoch, "nobody took it over"
    assert stage.graph.events.finish(leased.id, claimed.epoch)
    for follower in followers:
        assert sorted(entry for entry in stage.entries(follower) if entry > 0) == posts
