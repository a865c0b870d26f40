"""A queue that is away or full costs nobody a post, and no author their time: case 17."""

import os
import secrets
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest

from api.services.posts import Draft, publish
from observing.metrics import FAIL_OPEN_TOTAL
from storage import Storage
from tests.feed.races.test_fencing import audience
from tests.support.eventually import eventually
from tests.support.stage import Stage
from tests.system.journeys.people import B_SECONDS
from tests.system.kills.site import Site
from tests.system.kills.test_damaged_queue import Kept, answers

POSTS = 12
POST_SECONDS = 3.0
"""A post takes some 30 ms; its bell may cost two waits of half a second, on a busy machine."""

Fault = Callable[[Site, Storage], AbstractContextManager[None]]


@contextmanager
def silent(site: Site, _bell: Storage) -> Iterator[None]:
    """It takes connections and answers nothing."""
    pid = site.stack.process("queue").pid
    assert pid
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@contextmanager
def full(_site: Site, bell: Storage) -> Iterator[None]:
    """Whatever would enlarge it is refused."""
    before = bell.queue.client.config_get("maxmemory")["maxmemory"]
    bell.queue.client.config_set("maxmemory", 1)
    try:
        yield
    finally:
        bell.queue.client.config_set("maxmemory", str(before))


@contextmanager
def down(site: Site, _bell: Storage) -> Iterator[None]:
    """Nobody listens, until another run of it has taken its place."""
    pid = site.stack.process("queue").pid
    assert pid
    os.kill(pid, signal.SIGKILL)
    yield
    site.returned("queue", pid)


# Case 17
@pytest.mark.parametrize("fault", [silent, full, down])
def test_posts_are_made_in_normal_time_while_the_queue_is_away_and_all_arrive(
    stage: Stage, site: Site, bell: Storage, fault: Fault
) -> None:
    author, followers = audience(stage, 2)
    photos = [stage.town.photo(author) for _ in range(POSTS)]
    worker, sweeper = Kept(site, "fanout"), Kept(site, "sweeper")
    unrung = FAIL_OPEN_TOTAL.labels(what="ring")._value.get()
    taken = []
    with fault(site, bell):
        for photo in photos:
            draft = Draft(photo_ids=(photo,), caption="", location=None)
            begun = time.monotonic()
            publish(stage.graph, bell, draft, author_id=author, key=secrets.token_hex(8))
            taken.append(time.monotonic() - begun)
        assert stage.page(author, limit=POSTS)[0] == stage.town.expected_feed(author), "seen by the author"
    assert max(taken) < POST_SECONDS, taken
    assert FAIL_OPEN_TOTAL.labels(what="ring")._value.get() > unrung

    eventually(lambda: answers(bell))
    eventually(
        lambda: worker.kept() and sweeper.kept() and not stage.town.events_of(author),
        seconds=B_SECONDS,
    )
    assert len(stage.town.expected_feed(author)) == POSTS
    for follower in followers:
        stage.check_feed(follower)
    assert bell.queue.client.info("stats")["evicted_keys"] == 0
