"""Posts while the queue is down, paused or full (case 17)."""

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest

from api.services.posts import Draft, publish
from observing.metrics import FAIL_OPEN_TOTAL
from storage import Storage
from tests.support.eventually import eventually
from tests.support.stage import Stage
from tests.system.kills.processes import Processes, RestartedWorker, queue_answers

POSTS = 12
POST_SECONDS = 3.0
"""For each post. An idle machine needs 30 ms, and the wake-up waits at most twice 0.5 s."""

Fault = Callable[[Processes, Storage], AbstractContextManager[None]]


def paused(processes: Processes, _served: Storage) -> AbstractContextManager[None]:
    return processes.stack.paused("queue")


@contextmanager
def full(_processes: Processes, worker_storage: Storage) -> Iterator[None]:
    """The queue refuses every command that needs memory."""
    before = worker_storage.queue.client.config_get("maxmemory")["maxmemory"]
    worker_storage.queue.client.config_set("maxmemory", 1)
    try:
        yield
    finally:
        worker_storage.queue.client.config_set("maxmemory", str(before))


@contextmanager
def down(processes: Processes, _served: Storage) -> Iterator[None]:
    pid = processes.stack.kill("queue")
    yield
    processes.stack.wait_until_restarted("queue", old_pid=pid)


# Case 17
@pytest.mark.parametrize("fault", [paused, full, down])
def test_posts_take_normal_time_during_an_outage_of_the_queue_and_all_arrive(
    stage: Stage, processes: Processes, worker_storage: Storage, fault: Fault
) -> None:
    author, followers = stage.audience(2)
    photos = stage.town.photos(author, POSTS)
    worker, sweeper = RestartedWorker(processes, "fanout"), RestartedWorker(processes, "sweeper")
    lost_before = FAIL_OPEN_TOTAL.labels(what="ring")._value.get()
    durations = []
    with fault(processes, worker_storage):
        for photo in photos:
            draft = Draft(photo_ids=(photo,), caption="", location=None)
            began = time.monotonic()
            publish(stage.graph, worker_storage, draft, author_id=author, key=secrets.token_hex(8))
            durations.append(time.monotonic() - began)
        assert stage.page(author, limit=POSTS)[0] == stage.town.expected_feed(author)
    assert max(durations) < POST_SECONDS, durations
    assert FAIL_OPEN_TOTAL.labels(what="ring")._value.get() > lost_before

    eventually(lambda: queue_answers(worker_storage))
    eventually(
        lambda: (
            worker.ensure_alive() and sweeper.ensure_alive() and not stage.town.events_of(author)
        )
    )
    assert len(stage.town.expected_feed(author)) == POSTS
    for follower in followers:
        stage.check_feed(follower)
    assert worker_storage.queue.client.info("stats")["evicted_keys"] == 0
