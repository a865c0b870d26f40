"""A queue that has lost or damaged jobs: the sweeper wakes workers again (cases 11 and 16)."""

import os
import secrets
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis
from rq import Queue

from api.services.posts import Draft, publish
from storage import Storage
from tests.support.eventually import eventually
from tests.support.stage import Stage
from tests.system.kills.processes import Processes, RestartedWorker, queue_answers

QUEUE = "rq:queue:fanout"
POSTS = 40
TORN_BYTES = 9


def delete_entry(client: redis.Redis, job: str) -> None:
    client.lrem(QUEUE, 0, job)


def delete_hash(client: redis.Redis, job: str) -> None:
    client.delete(f"rq:job:{job}")


def strand(client: redis.Redis, job: str) -> None:
    """Leaves the job as a worker does that is killed right after it took the job."""
    client.lrem(QUEUE, 0, job)
    client.lpush(f"{QUEUE}:intermediate", job)


def damage_hash(client: redis.Redis, job: str) -> None:
    client.hset(f"rq:job:{job}", "data", b"no job at all")


# Case 11
@pytest.mark.parametrize("damage", [delete_entry, delete_hash, strand, damage_hash])
def test_the_sweeper_replaces_damaged_jobs(
    stage: Stage,
    processes: Processes,
    worker_storage: Storage,
    damage: Callable[[redis.Redis, str], None],
) -> None:
    author, followers = stage.audience(1)
    while worker_storage.queues.depth("fanout") < 3:  # shards are drawn at random
        worker_storage.queues.wake(stage.town.post(author)[1])
    jobs = Queue("fanout", connection=worker_storage.queue.client).job_ids
    assert len(jobs) == 3
    for job in (jobs[0], jobs[2]):
        damage(worker_storage.queue.client, job)
    processes.start_worker("fanout")
    processes.start_worker("sweeper")
    eventually(lambda: not stage.town.events_of(author))
    stage.check_feed(followers[0])


def flush(processes: Processes, worker_storage: Storage) -> None:
    assert processes.stack.process("queue").alive()
    worker_storage.queue.client.flushall()


def kill(processes: Processes, _served: Storage) -> None:
    processes.stack.kill_and_wait("queue")


def tear(processes: Processes, _served: Storage) -> None:
    """Kills the queue and cuts off the end of its append-only file; it starts from the rest."""
    [journal] = processes.folder.glob("queue-*/aof/*.incr.aof")
    assert journal.stat().st_size > TORN_BYTES
    with processes.stack.paused("queue"):  # the file is torn before the supervisor sees the end
        os.truncate(journal, journal.stat().st_size - TORN_BYTES)
        pid = processes.stack.kill("queue")
    processes.stack.wait_until_restarted("queue", old_pid=pid)
    assert "truncat" in processes.stack.log("queue").lower()


# Case 16
@pytest.mark.parametrize("fault", [flush, kill, tear])
def test_a_queue_that_loses_jobs_under_load_loses_no_post(
    stage: Stage,
    processes: Processes,
    worker_storage: Storage,
    fault: Callable[[Processes, Storage], None],
) -> None:
    author, followers = stage.audience(2)
    photos = stage.town.photos(author, POSTS)
    worker = RestartedWorker(processes, "fanout")
    processes.start_worker("sweeper")
    some_published = threading.Event()

    def publish_all() -> None:
        for number, photo in enumerate(photos):
            draft = Draft(photo_ids=(photo,), caption="", location=None)
            publish(stage.graph, worker_storage, draft, author_id=author, key=secrets.token_hex(8))
            if number == POSTS // 4:
                some_published.set()

    with ThreadPoolExecutor(1) as pool:
        publishing = pool.submit(publish_all)
        assert some_published.wait(60)
        fault(processes, worker_storage)
        assert publishing.exception(60) is None
    eventually(lambda: worker.ensure_alive() and not stage.town.events_of(author))
    eventually(lambda: queue_answers(worker_storage))
    assert len(stage.town.expected_feed(author)) == POSTS
    for follower in followers:
        stage.check_feed(follower)
