"""Workers killed while they finish a deletion, a new name, a suspension or a leaving (case 7)."""

import pytest

from api.services.photos import delete as delete_photo
from api.services.posts import delete as delete_post
from feed.bodies import bodies_of
from graph.ids import new_id
from storage import Storage
from tests.support.eventually import B_SECONDS, eventually
from tests.support.leaving import by_unfollowing, following
from tests.support.stage import Stage
from tests.support.uploads import object_names
from tests.system.kills.processes import Processes

SMALL_PAGES = {"workers.removal.RECENT": 1, "workers.removal.DISCARD_PAGE": 1}
"""With these constants a worker advances the event after each post."""


# Case 7
@pytest.mark.parametrize("query", ["posts/deleted_photos", "posts/delete_photos", "events/finish"])
def test_a_removal_killed_at_any_step_is_finished_by_another_worker(
    stage: Stage, processes: Processes, worker_storage: Storage, query: str
) -> None:
    author = stage.town.user()
    photo = stage.town.photo(author)
    post, event = stage.town.post(author, photo_ids=[photo])
    stage.do(event)
    path = f"test-{photo}"
    worker_storage.photos.put_rendition(path, 320, b"jpeg")
    worker = processes.start_worker("removal")
    hold = worker.to.hold_query(query)
    delete_post(stage.graph, worker_storage, post, author_id=author)
    hold.wait(B_SECONDS)
    worker.kill()
    processes.start_worker("removal")
    processes.start_worker("sweeper")
    eventually(lambda: not stage.town.events_of(author))
    assert object_names(worker_storage.photos, path) == set()
    assert stage.storage.bodies.read_many([post])[post] == b""


# Case 7
@pytest.mark.parametrize("query", ["photos/by_id", "events/finish"])
def test_the_deletion_of_a_photo_killed_at_any_step_is_finished_by_another_worker(
    stage: Stage, processes: Processes, worker_storage: Storage, query: str
) -> None:
    owner = stage.town.user()
    photo = stage.town.photo(owner)
    path = f"test-{photo}"
    worker_storage.photos.put_rendition(path, 320, b"jpeg")
    worker = processes.start_worker("removal")
    hold = worker.to.hold_query(query)
    delete_photo(stage.graph, worker_storage, photo, owner_id=owner)
    hold.wait(B_SECONDS)
    worker.kill()
    processes.start_worker("removal")
    processes.start_worker("sweeper")
    eventually(lambda: not stage.town.events_of(owner))
    assert object_names(worker_storage.photos, path) == set()


# Case 7
@pytest.mark.parametrize("query", ["events/advance", "events/finish"])
def test_a_new_name_whose_worker_was_killed_shows_on_every_post(
    stage: Stage, processes: Processes, worker_storage: Storage, query: str
) -> None:
    author = stage.town.user("Old Name")
    posts = stage.town.old_posts(author, [new_id() for _ in range(3)])
    bodies_of(stage.graph, stage.storage, posts)
    worker = processes.start_worker("removal", constants=SMALL_PAGES)
    hold = worker.to.hold_query(query)
    _user, event = stage.graph.users.update(author, changes={"name": "Ana"})
    assert event
    worker_storage.queues.wake(event)
    hold.wait(B_SECONDS)
    worker.kill()
    processes.start_worker("removal")
    processes.start_worker("sweeper")
    eventually(lambda: not stage.town.events_of(author))
    bodies = bodies_of(stage.graph, stage.storage, posts)
    assert [post for post in posts if b'"Ana"' not in bodies[post]] == []


# Case 7
@pytest.mark.parametrize("query", ["events/advance", "sessions/ended_page", "events/finish"])
def test_a_suspension_killed_at_any_step_is_finished_by_another_worker(
    stage: Stage, processes: Processes, worker_storage: Storage, query: str
) -> None:
    author = stage.town.user()
    posts = stage.town.old_posts(author, [new_id() for _ in range(3)])
    bodies_of(stage.graph, stage.storage, posts)
    worker = processes.start_worker("removal")
    hold = worker.to.hold_query(query)
    event = stage.graph.moderation.suspend(author, operator="ola", reason="spam")
    assert event
    worker_storage.queues.wake(event)  # as a command that dies before it drops a copy
    hold.wait(B_SECONDS)
    worker.kill()
    processes.start_worker("removal")
    processes.start_worker("sweeper")
    eventually(lambda: not stage.town.events_of(author))
    assert set(stage.storage.bodies.read_many(posts).values()) == {None}


# Case 7
@pytest.mark.parametrize("query", ["follows/delete_left", "events/finish"])
def test_a_leaving_whose_worker_and_sweeper_were_killed_ends(
    stage: Stage, processes: Processes, query: str
) -> None:
    viewer, author, _friend = following(stage)
    worker = processes.start_worker("timelines")
    hold = worker.to.hold_query(query)
    by_unfollowing(stage, viewer, author)
    stage.check_feed(viewer, rebuilds=True)
    stage.town.end_hold(viewer)
    sweeper = processes.start_worker("sweeper")
    hold.wait(B_SECONDS)
    worker.kill()
    sweeper.kill()
    processes.start_worker("timelines")
    processes.start_worker("sweeper")
    eventually(lambda: not stage.town.events_of(viewer))
    stage.check_feed(viewer, rebuilds=True)
    assert stage.entries(viewer)
    stage.check_feed(viewer)
