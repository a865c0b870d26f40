"""Small fan-outs beside a very large one (case 15)."""

from graph.ids import new_id
from storage import Storage
from tests.support.eventually import B_SECONDS, eventually
from tests.support.stage import Stage
from tests.system.kills.processes import Processes, page_size

LARGE = 2_000
"""Followers, in pages of ten: 200 pages take longer than the small fan-outs together."""
LARGE_KIND = "post-published-widely"
AUTHORS = 100
SMALL = 30
TURNS = 3
"""The large fan-out may be in a turn when the small ones arrive, gets one turn among them, and one
after them."""


# Case 15
def test_small_fan_outs_do_not_wait_for_a_large_one_at_all(
    stage: Stage, processes: Processes, worker_storage: Storage
) -> None:
    """The large one is held at its first page. It is released when it has waited too long."""
    star, fans = stage.audience(3)
    viewer, *authors = stage.town.users(SMALL + 1)
    stage.town.add_followees(viewer, *authors)
    stage.build(viewer)
    large = stage.town.event(LARGE_KIND, stage.town.old_posts(star, [new_id()])[0], star)
    held = processes.start_worker("fanout-large")
    hold = held.to.hold_query("follows/followers_page", side="answer")
    processes.start_worker("fanout")
    worker_storage.queues.wake(large)
    hold.wait(B_SECONDS)
    processes.start_worker("sweeper")  # on a busy machine a wake-up may get lost
    for author in authors:
        worker_storage.queues.wake(stage.town.post(author)[1])
    eventually(lambda: not stage.town.events_of(*authors))
    stage.check_feed(viewer)
    assert stage.town.find_event(large.id), "the large fan-out is still at its first page"
    hold.release()
    eventually(lambda: stage.town.find_event(large.id) is None)
    for fan in fans:
        stage.check_feed(fan)


# Case 15
def test_a_hundred_small_fan_outs_wait_for_one_turn_of_a_large_one(
    stage: Stage, processes: Processes, worker_storage: Storage
) -> None:
    star, fans = stage.audience(3)
    stage.town.add_followers(star, stage.town.users(LARGE))
    viewer, *authors = stage.town.users(AUTHORS + 1)
    stage.town.add_followees(viewer, *authors)
    stage.build(viewer)
    post, large = stage.town.post(star)
    small = [stage.town.post(author)[1] for author in authors]
    for event in (large, *small):
        worker_storage.queues.wake(event)
    worker = processes.start_worker("fanout", constants=page_size(10))
    eventually(lambda: not stage.town.events_of(*authors))
    turns = worker.outcomes(large.id)
    assert len(turns) <= TURNS
    assert set(turns) <= {"continued", "done"}
    stage.check_feed(viewer)
    processes.start_worker("fanout")  # with large pages: it finishes the rest soon
    eventually(lambda: stage.town.find_event(large.id) is None)
    for fan in fans:
        assert stage.entries(fan).count(post) == 1
        stage.check_feed(fan)
