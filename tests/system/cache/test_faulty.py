"""A cache that is down, slow, silent or cut off in the middle of an answer: cases 19 and 20."""

import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest

from api.services.follows import unfollow
from drill.support.proxy import Proxy
from graph.ids import new_id
from storage.errors import StorageUnavailableError
from storage.timeline_layout import DISORDER
from tests.support.eventually import eventually
from tests.support.private_server import PrivateServer
from tests.support.stage import LIMIT, Stage

READ_SECONDS = 4.0
"""The longest a page may take: three waits of half a second, and the graph on a busy machine."""
OUTAGE_SECONDS = 15 * 60


@pytest.fixture
def proxy(cache: PrivateServer) -> Iterator[Proxy]:
    with Proxy("127.0.0.1", cache.port) as proxy:
        yield proxy


@pytest.fixture
def away(open_stage: Callable[[str], Stage], cache: PrivateServer, proxy: Proxy) -> Stage:
    """A stage whose cache is behind the proxy."""
    assert urlsplit(cache.url).password
    return open_stage(f"redis://:{cache.password}@127.0.0.1:{proxy.port}/0")


def down(proxy: Proxy) -> None:
    proxy.down()


def slow(proxy: Proxy) -> None:
    proxy.slow(0.6)


def silent(proxy: Proxy) -> None:
    proxy.swallow()


def reader_of(stage: Stage) -> tuple[int, int]:
    viewer, author = stage.town.users(2)
    stage.town.add_followees(viewer, author)
    stage.town.old_posts(author, [new_id() - n * DISORDER for n in range(30)])
    stage.build(viewer)
    stage.check_feed(viewer)
    return viewer, author


@contextmanager
def healed(proxy: Proxy, fault: Callable[[Proxy], None]) -> Iterator[None]:
    fault(proxy)
    try:
        yield
    finally:
        proxy.resume()


# Case 19
@pytest.mark.parametrize("fault", [down, slow, silent])
def test_a_faulty_cache_holds_a_reader_for_little_time_and_shows_nothing_wrong(
    away: Stage, proxy: Proxy, fault: Callable[[Proxy], None]
) -> None:
    viewer, author = reader_of(away)
    truth = away.town.expected_feed(viewer)
    taken = []
    with healed(proxy, fault):
        for _ in range(8):
            begun = time.monotonic()
            assert away.page(viewer)[0] == truth[:LIMIT]
            taken.append(time.monotonic() - begun)
        assert max(taken) < READ_SECONDS
        assert min(taken) < 0.5, "left alone by then"
        begun = time.monotonic()
        with pytest.raises(StorageUnavailableError):  # 503: it cannot be promised yet
            unfollow(away.graph, away.storage, follower_id=viewer, followee_id=author)
        assert time.monotonic() - begun < READ_SECONDS

    def back() -> bool:
        unfollow(away.graph, away.storage, follower_id=viewer, followee_id=author)
        return True

    def reachable() -> bool:
        try:
            return back()
        except StorageUnavailableError:
            return False

    eventually(reachable)
    away.check_feed(viewer)
    assert away.read(viewer) == []


# Case 19
def test_connections_reset_in_mid_answer_give_nobody_anothers_page(
    away: Stage, proxy: Proxy
) -> None:
    readers = [reader_of(away)[0] for _ in range(4)]
    truths = {viewer: away.town.expected_feed(viewer) for viewer in readers}
    cuts = 0

    def read_on(viewer: int) -> int:
        for _ in range(40):
            assert away.page(viewer)[0] == truths[viewer][:LIMIT]
        return 1

    draw = random.Random(19)
    with ThreadPoolExecutor(4) as threads:
        reading = [threads.submit(read_on, viewer) for viewer in readers]
        while not all(one.done() for one in reading):
            hold = proxy.hold(b"SORT_RO", side=draw.choice(["request", "answer"]))
            eventually(lambda hold=hold: hold.taken or all(one.done() for one in reading))  # type: ignore[misc]
            proxy.cut()
            hold.release()
            cuts += hold.taken
        assert sum(one.result(30) for one in reading) == len(readers)
    assert cuts > 3


def calls(stats: dict[str, Any], command: str) -> int:
    """How often the server has done the command, in scripts too."""
    return int(stats.get(f"cmdstat_{command}", {"calls": 0})["calls"])


# Case 20
def test_posts_of_a_long_outage_of_the_cache_are_no_attempts_and_all_arrive_without_a_sort(
    away: Stage, proxy: Proxy, cache: PrivateServer
) -> None:
    author, *readers = away.town.users(41)
    away.town.add_followers(author, readers)
    for reader in readers:
        away.build(reader)
    begun = new_id() - (OUTAGE_SECONDS * 1_000 << 12)
    events = []
    with proxy.outage():
        for number in range(5):
            [post] = away.town.old_posts(author, [begun + number * DISORDER])
            events.append(away.town.event("post-published", post, author))
            for _ in range(10):  # more often than would put it into quarantine
                event = away.town.find_event(events[-1].id)
                assert event
                away.town.end_lease(event.id)
                assert away.do(event) != "done"
    owed = [away.town.find_event(event.id) for event in events]
    assert all(event and event.attempts <= 1 for event in owed), owed

    def reachable() -> bool:
        try:
            return bool(away.entries(readers[0]))
        except StorageUnavailableError:
            return False

    eventually(reachable)
    before = cache.client.info("commandstats")
    for event in owed:
        assert event
        away.town.end_lease(event.id)
        assert away.do(event) == "done"
    after = cache.client.info("commandstats")
    pushes = calls(after, "rpushx") - calls(before, "rpushx")
    assert pushes == len(events) * (len(readers) + 1), "to each reader and the author, once"
    for command in ("sort", "ltrim", "lrange"):
        assert calls(after, command) == calls(before, command), "to the tail, and no more"
    for reader in (readers[0], readers[-1]):
        away.check_feed(reader)
