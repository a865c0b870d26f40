"""A cache that is down, slow, silent, or cut off in the middle of a reply (cases 19 and 20)."""

import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from api.services.follows import unfollow
from drill.support.proxy import Proxy, proxied
from graph.ids import new_id
from storage.errors import StorageUnavailableError
from storage.timeline_layout import DISORDER
from tests.support.eventually import eventually
from tests.support.private_server import PrivateServer
from tests.support.stage import LIMIT, Stage

READ_SECONDS = 4.0
"""For a page: three waits of 0.5 s for the cache, and a graph on a busy machine."""
OUTAGE_SECONDS = 15 * 60


@pytest.fixture
def proxied_cache(cache: PrivateServer) -> Iterator[tuple[Proxy, str]]:
    """A proxy before the cache, and its URL."""
    proxy, url = proxied(cache.url)
    with proxy:
        yield proxy, url


@pytest.fixture
def proxy(proxied_cache: tuple[Proxy, str]) -> Proxy:
    return proxied_cache[0]


@pytest.fixture
def stage(open_stage: Callable[[str], Stage], proxied_cache: tuple[Proxy, str]) -> Stage:
    """The stage on the cache behind the proxy."""
    return open_stage(proxied_cache[1])


def down(proxy: Proxy) -> None:
    proxy.down()


def slow(proxy: Proxy) -> None:
    proxy.slow(0.6)


def silent(proxy: Proxy) -> None:
    proxy.swallow()


@contextmanager
def fault_of(proxy: Proxy, fault: Callable[[Proxy], None]) -> Iterator[None]:
    fault(proxy)
    try:
        yield
    finally:
        proxy.resume()


def create_reader(stage: Stage) -> tuple[int, int]:
    """A viewer with a list of thirty posts, and their author."""
    viewer, author = stage.town.users(2)
    stage.town.add_followees(viewer, author)
    stage.town.old_posts(author, [new_id() - n * DISORDER for n in range(30)])
    stage.build(viewer)
    stage.check_feed(viewer)
    return viewer, author


# Case 19
@pytest.mark.parametrize("fault", [down, slow, silent])
def test_a_faulty_cache_delays_pages_briefly_and_they_stay_right(
    stage: Stage, proxy: Proxy, fault: Callable[[Proxy], None]
) -> None:
    viewer, author = create_reader(stage)
    expected = stage.town.expected_feed(viewer)
    durations = []
    with fault_of(proxy, fault):
        for _ in range(8):
            began = time.monotonic()
            assert stage.page(viewer)[0] == expected[:LIMIT]
            durations.append(time.monotonic() - began)
        assert max(durations) < READ_SECONDS
        assert min(durations) < 0.5, "the circuit opens"
        began = time.monotonic()
        with pytest.raises(StorageUnavailableError):
            unfollow(stage.graph, stage.storage, follower_id=viewer, followee_id=author)
        assert time.monotonic() - began < READ_SECONDS

    def is_unfollowed() -> bool:
        try:
            unfollow(stage.graph, stage.storage, follower_id=viewer, followee_id=author)
        except StorageUnavailableError:
            return False
        return True

    eventually(is_unfollowed)
    stage.check_feed(viewer)
    assert stage.read(viewer) == []


# Case 19
def test_after_resets_within_replies_no_page_shows_anothers_feed(
    stage: Stage, proxy: Proxy
) -> None:
    readers = [create_reader(stage)[0] for _ in range(4)]
    expected = {viewer: stage.town.expected_feed(viewer)[:LIMIT] for viewer in readers}
    cuts = 0

    def read_pages(viewer: int) -> None:
        for _ in range(40):
            assert stage.page(viewer)[0] == expected[viewer]

    rng = random.Random(19)
    with ThreadPoolExecutor(4) as threads:
        reading = [threads.submit(read_pages, viewer) for viewer in readers]

        def all_done() -> bool:
            return all(reader.done() for reader in reading)

        while not all_done():
            hold = proxy.hold(b"LRANGE", side=rng.choice(["request", "answer"]))
            eventually(lambda hold=hold: hold.taken or all_done())  # type: ignore[misc]
            proxy.cut()
            hold.release()
            cuts += hold.taken
        for reader in reading:
            reader.result(30)
    assert cuts > 3


# Case 20
def test_posts_during_a_long_outage_of_the_cache_use_no_attempts_and_arrive_without_a_sort(
    stage: Stage, proxy: Proxy, cache: PrivateServer
) -> None:
    author, *readers = stage.town.users(41)
    stage.town.add_followers(author, readers)
    for reader in readers:
        stage.build(reader)
    outage_began = new_id() - (OUTAGE_SECONDS * 1_000 << 12)
    event_ids = []
    with proxy.outage():
        for number in range(5):
            [post] = stage.town.old_posts(author, [outage_began + number * DISORDER])
            event_ids.append(stage.town.event("post-published", post, author).id)
            for _ in range(10):  # more tries than an event without progress may have
                event = stage.town.find_event(event_ids[-1])
                assert event
                stage.town.end_lease(event.id)
                assert stage.do(event) != "done"
    pending = [stage.town.find_event(event_id) for event_id in event_ids]
    assert all(event and event.attempts <= 1 for event in pending), pending

    def is_reachable() -> bool:
        try:
            return bool(stage.entries(readers[0]))
        except StorageUnavailableError:
            return False

    eventually(is_reachable)
    commands = ("rpushx", "sort", "ltrim", "lrange")
    before = {name: cache.calls_of(name) for name in commands}
    for event in pending:
        assert event
        stage.town.end_lease(event.id)
        assert stage.do(event) == "done"
    calls = {name: cache.calls_of(name) - before[name] for name in commands}
    pushes = len(event_ids) * (len(readers) + 1)  # one for each reader and for the author
    assert calls == {"rpushx": pushes, "sort": 0, "ltrim": 0, "lrange": 0}
    for reader in (readers[0], readers[-1]):
        stage.check_feed(reader)
