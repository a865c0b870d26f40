"""A queue that has lost or garbled what it was told: the sweeper rings again (11 and 16)."""

import os
import secrets
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis
from rq import Queue

from api.services.posts import Draft, publish
from storage import Storage
from storage.errors import StorageUnavailableError
from tests.feed.races.test_fencing import audience
from tests.support.eventually import eventually
from tests.support.stage import Stage
from tests.system.journeys.people import B_SECONDS
from tests.system.kills.site import Ours, Site

QUEUE = "rq:queue:fanout"
POSTS = 40
TORN_BYTES = 9


def hash_without_entry(client: redis.Redis, job: str) -> None:
    client.lrem(QUEUE, 0, job)


def entry_without_hash(client: redis.Redis, job: str) -> None:
    client.delete(f"rq:job:{job}")


def stranded(client: redis.Redis, job: str) -> None:
    """As a worker leaves it that is killed right after taking it."""
    client.lrem(QUEUE, 0, job)
    client.lpush(f"{QUEUE}:intermediate", job)


def rubbish_in_the_hash(client: redis.Redis, job: str) -> None:
    client.hset(f"rq:job:{job}", "data", b"no job at all")


# Case 11
@pytest.mark.parametrize(
    "damage", [hash_without_entry, entry_without_hash, stranded, rubbish_in_the_hash]
)
def test_jobs_damaged_by_hand_are_made_up_for_by_the_sweeper(
    stage: Stage, site: Site, bell: Storage, damage: Callable[[redis.Redis, str], None]
) -> None:
    author, followers = audience(stage, 1)
    for _ in range(3):
        bell.queues.wake(stage.town.post(author)[1])
    jobs = Queue("fanout", connection=bell.queue.client).job_ids
    assert len(jobs) == 3
    for job in jobs[::2]:  # the one in the middle stays as it is
        damage(bell.queue.client, job)
    site.worker("fanout")
    site.worker("sweeper")
    eventually(lambda: not stage.town.events_of(author), seconds=B_SECONDS)
    stage.check_feed(followers[0])


def flushed(site: Site, bell: Storage) -> None:
    assert site.stack.process("queue").alive()
    bell.queue.client.flushall()


def killed(site: Site, _bell: Storage) -> None:
    pid = site.stack.process("queue").pid
    assert pid
    os.kill(pid, signal.SIGKILL)
    site.returned("queue", pid)


def torn(site: Site, _bell: Storage) -> None:
    """Killed, and the end of what it had written is gone: it starts all the same."""
    [journal] = site.folder.glob("queue-*/aof/*.incr.aof")
    pid = site.stack.process("queue").pid
    assert pid
    assert journal.stat().st_size > TORN_BYTES
    os.kill(pid, signal.SIGSTOP)  # so that it is torn before anybody starts it again
    os.truncate(journal, journal.stat().st_size - TORN_BYTES)
    os.kill(pid, signal.SIGKILL)
    site.returned("queue", pid)
    assert "truncat" in site.stack.process("queue").log.read_text().lower()


# Case 16
@pytest.mark.parametrize("fault", [flushed, killed, torn])
def test_a_queue_that_forgets_under_load_loses_nobody_a_post(
    stage: Stage, site: Site, bell: Storage, fault: Callable[[Site, Storage], None]
) -> None:
    author, followers = audience(stage, 2)
    photos = [stage.town.photo(author) for _ in range(POSTS)]
    worker = Kept(site, "fanout")
    site.worker("sweeper")
    some = threading.Event()

    def post_all() -> None:
        for number, photo in enumerate(photos):
            draft = Draft(photo_ids=(photo,), caption="", location=None)
            publish(stage.graph, bell, draft, author_id=author, key=secrets.token_hex(8))
            if number == POSTS // 4:
                some.set()

    with ThreadPoolExecutor(1) as pool:
        posting = pool.submit(post_all)
        assert some.wait(60)
        fault(site, bell)
        assert not posting.exception(60), "the author notices nothing"
    eventually(lambda: worker.kept() and not stage.town.events_of(author), seconds=B_SECONDS)
    eventually(lambda: answers(bell), seconds=10)
    assert len(stage.town.expected_feed(author)) == POSTS
    for follower in followers:
        stage.check_feed(follower)


class Kept:
    """A worker that is started again when it ends, as it does when its queue goes away."""

    def __init__(self, site: Site, name: str) -> None:
        self._site, self._name = site, name
        self._worker: Ours = site.worker(name)

    def kept(self) -> bool:
        if not self._worker.alive():
            self._worker = self._site.worker(self._name)
        return True


def answers(storage: Storage) -> bool:
    try:
        storage.ping_queue()
    except StorageUnavailableError:
        return False
    return True
