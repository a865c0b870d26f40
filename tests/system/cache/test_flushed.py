"""A cache that is emptied, or evicts any one key at any moment (cases 18 and 24)."""

import random
import secrets
import threading
from concurrent.futures import ThreadPoolExecutor

from prometheus_client import REGISTRY

from api.services.follows import follow, unfollow
from api.services.posts import delete as delete_post
from feed import reading
from feed.background import BackgroundRebuilder
from feed.errors import FeedBusyError
from graph.ids import new_id
from storage.timeline_layout import DISORDER
from tests.support.eventually import eventually
from tests.support.private_server import PrivateServer
from tests.support.stage import LIMIT, Stage, page_ids

READERS = 12
THREADS = 6


def metric(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


def built_timelines() -> float:
    return metric("photofeed_timeline_rebuilds_total", outcome="built")


class ReadLoad:
    """Threads that read the first page of random readers, which must be as expected."""

    def __init__(self, stage: Stage, readers: list[int], expected: list[int]) -> None:
        self._stage = stage
        self._readers = readers
        self._expected = expected
        self._rebuilder = BackgroundRebuilder(stage.graph, stage.storage)
        self._reads = [0] * THREADS
        self._stop = threading.Event()
        self._pool = ThreadPoolExecutor(THREADS)
        self._threads = [self._pool.submit(self._read, number) for number in range(THREADS)]

    def _read(self, number: int) -> None:
        rng = random.Random(number)
        while not self._stop.is_set():
            try:
                page = reading.read_page(
                    self._stage.graph,
                    self._stage.storage,
                    self._rebuilder,
                    self._stage.graph_pages,
                    viewer_id=rng.choice(self._readers),
                    cursor=None,
                    limit=LIMIT,
                )
            except FeedBusyError:  # 503: too many pages at once come from the graph
                continue
            finally:
                self._reads[number] += 1
            assert page_ids(page) == self._expected

    def wait_for_reads(self) -> None:
        """Waits until every thread has read again."""
        before = list(self._reads)
        eventually(lambda: all(now > then for now, then in zip(self._reads, before, strict=True)))

    def stop(self) -> None:
        """Stops the threads. Raises the first error of a thread."""
        self._stop.set()
        for thread in self._threads:
            thread.result(30)
        self._pool.shutdown()
        self._rebuilder.close()


# Case 18
def test_an_emptied_cache_costs_a_rebuild_a_reader_and_no_wrong_page(
    stage: Stage, cache: PrivateServer
) -> None:
    author, *readers = stage.town.users(READERS + 1)
    stage.town.add_followers(author, readers)
    stage.town.old_posts(author, [new_id() - n * DISORDER for n in range(30)])

    def all_are_built() -> bool:
        timelines = stage.storage.timelines.read_raw(readers).values()
        return all(timeline.entries and timeline.entries[0] == 0 for timeline in timelines)

    load = ReadLoad(stage, readers, stage.town.expected_feed(readers[0])[:LIMIT])
    try:
        eventually(all_are_built)
        for _ in range(3):
            load.wait_for_reads()
            built, flushes = built_timelines(), cache.calls_of("flushdb")
            cache.client.flushall()
            eventually(all_are_built)
            load.wait_for_reads()
            # A new connection finds no generation in the emptied cache, and empties it again.
            again = cache.calls_of("flushdb") - flushes
            assert READERS <= built_timelines() - built <= READERS * (1 + again)
        from_graph = metric("photofeed_timeline_reads_total", source="graph")
        load.wait_for_reads()
        assert metric("photofeed_timeline_reads_total", source="graph") == from_graph
    finally:
        load.stop()


class FeedChanges:
    """Changes of a reader's feed. Each is a method without arguments."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self.viewer, self._author, self._friend = stage.town.users(3)
        stage.town.add_followees(self.viewer, self._author)
        stage.town.old_posts(self._friend, [new_id() for _ in range(3)])
        stage.build(self.viewer)
        self._pair = {"follower_id": self.viewer, "followee_id": self._friend}
        self._posts: list[int] = []

    def publish(self) -> None:
        post, event = self._stage.town.post(self._author)
        self._stage.do(event)
        self._posts.append(post)

    def delete(self) -> None:
        if self._posts:
            post = self._posts.pop(len(self._posts) // 2)
            delete_post(self._stage.graph, self._stage.storage, post, author_id=self._author)

    def follow(self) -> None:
        follow(self._stage.graph, self._stage.storage, **self._pair)

    def unfollow(self) -> None:
        unfollow(self._stage.graph, self._stage.storage, **self._pair)

    def do_jobs(self) -> None:
        self._stage.do_all(self.viewer)

    def reconnect(self) -> None:
        """New connections read the generation, which may have been evicted."""
        self._stage.storage.cache.client.connection_pool.disconnect()


# Case 24
def test_any_key_may_be_evicted_at_any_moment_and_every_page_is_right(
    stage: Stage, cache: PrivateServer
) -> None:
    seed = secrets.randbelow(1 << 32)
    print(f"seed {seed}")
    rng, changes = random.Random(seed), FeedChanges(stage)

    def evict() -> None:
        key = cache.client.randomkey()
        if isinstance(key, bytes):
            cache.client.delete(key)

    steps = [
        *(changes.publish, changes.publish, changes.delete, changes.follow, changes.unfollow),
        *(changes.do_jobs, changes.reconnect),
    ]
    for _ in range(60):
        rng.choice(steps)()
        for _ in range(rng.randrange(3)):
            evict()
        expected = stage.town.expected_feed(changes.viewer)
        ids, _next = stage.page(changes.viewer, rebuilds=True)
        assert ids == expected[: len(ids)], "it may lack a post whose tombstone was evicted"
        evict()
        assert stage.read(changes.viewer) == expected
