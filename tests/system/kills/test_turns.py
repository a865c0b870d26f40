"""Nobody waits behind somebody whom very many follow (case 15)."""

from graph.ids import new_id
from storage import Storage
from tests.feed.races.test_fencing import audience
from tests.support.eventually import eventually
from tests.support.stage import Stage
from tests.system.journeys.people import B_SECONDS
from tests.system.kills.site import Site, page

LARGE = 2_000
"""Followers, ten a page: 200 pages take longer than everything else here."""
LARGE_KIND = "post-published-widely"
AUTHORS = 100
SMALL = 30
TURNS = 3
"""The large fan-out may be in one when the others come, gets one among them, and the next."""


# Case 15
def test_small_fan_outs_do_not_wait_for_a_large_one_at_all(
    stage: Stage, site: Site, bell: Storage
) -> None:
    """The large one is held at its first page, and put off when that takes too long."""
    star, fans = audience(stage, 3)
    viewer, *authors = stage.town.users(SMALL + 1)
    stage.town.add_followees(viewer, *authors)
    stage.build(viewer)
    large = stage.town.event(LARGE_KIND, stage.town.old_posts(star, [new_id()])[0], star)
    slow = site.worker("fanout-large")
    hold = slow.to.hold_query("follows/followers_page", side="answer")
    site.worker("fanout")
    bell.queues.wake(large)
    hold.wait(B_SECONDS)
    site.worker("sweeper")  # a busy machine loses a bell now and then
    for author in authors:
        bell.queues.wake(stage.town.post(author)[1])
    eventually(lambda: not stage.town.events_of(*authors), seconds=B_SECONDS)
    stage.check_feed(viewer)
    assert stage.town.find_event(large.id), "it is still at its first page"
    hold.release()
    eventually(lambda: stage.town.find_event(large.id) is None, seconds=B_SECONDS)
    for fan in fans:
        stage.check_feed(fan)


# Case 15
def test_a_hundred_small_fan_outs_wait_for_one_turn_of_a_large_one(
    stage: Stage, site: Site, bell: Storage
) -> None:
    star, fans = audience(stage, 3)
    stage.town.add_followers(star, stage.town.users(LARGE))
    viewer, *authors = stage.town.users(AUTHORS + 1)
    stage.town.add_followees(viewer, *authors)
    stage.build(viewer)
    post, large = stage.town.post(star)
    small = [stage.town.post(author)[1] for author in authors]
    for event in (large, *small):
        bell.queues.wake(event)
    worker = site.worker("fanout", constants=page(10))
    eventually(lambda: not stage.town.events_of(*authors), seconds=B_SECONDS)
    turns = worker.outcomes(large.id)
    assert len(turns) <= TURNS
    assert set(turns) == {"continued"}
    stage.check_feed(viewer)
    site.worker("fanout")  # with pages of thousands: what is left is soon done
    eventually(lambda: stage.town.find_event(large.id) is None, seconds=B_SECONDS)
    for fan in fans:
        assert stage.entries(fan).count(post) == 1
        stage.check_feed(fan)
