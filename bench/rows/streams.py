"""F5 and R9: timelines and their pages against stream-framework."""

import random
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from bench.peers.processes import Peer, install, running_peer
from bench.rows.row import Check, Row, Sides
from bench.rows.timelines import push_stage
from bench.stage import lists
from bench.stage.caches import CAP, SLACK, Cache, running_cache
from bench.stage.cores import CLIENT, on_core, thread_seconds
from bench.stage.lists import Lists
from bench.stage.measurement import Measurement
from bench.stage.run_context import RunContext
from feed.graph_pages import GraphPages, graph_time
from feed.reading import read_page
from graph import Graph, GraphSettings
from stack.ports import HOST
from storage.bodies import body_key
from storage.body_format import encode

USERS, QUICK_USERS = 10_000, 500
POSTS = 2
"""Pushed by the peer in a turn, which takes some seconds."""
READERS, QUICK_READERS = 2_000, 200
LIMIT = 20
BODY_BYTES = 550
UNBOUNDED_SECONDS = 1e6
"""Of the graph, a user and minute."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerFeeds:
    """The peer's full feeds of staggered length: each holds the newest part of the rising `ids`."""

    peer: Peer
    cache: Cache
    users: Sequence[int]
    ids: list[int]

    def fan_out(self) -> Measurement:
        """Inserts a second of the peer's fan-out, over all posts of a turn."""
        redis_before = self.cache.cpu_seconds()
        answers = [self.peer.call("fanout", users=self.users, text="") for _ in range(POSTS)]
        self.ids.extend(int(answer["id"]) for answer in answers)
        inserts = POSTS * len(self.users)
        return Measurement(
            value=inserts / sum(answer["seconds"] for answer in answers),
            cpu_us={
                "peer": 1e6 * sum(answer["cpu"] for answer in answers) / inserts,
                "redis": 1e6 * (self.cache.cpu_seconds() - redis_before) / inserts,
            },
        )

    def are_right(self) -> bool:
        """Whether every feed holds the newest posts in order, CAP of them at least."""
        all_ids = [str(i).encode() for i in self.ids]
        feeds = self.cache.replies(("ZRANGE", f"sf:{user}", 0, -1) for user in self.users)
        return all(len(feed) >= CAP and feed == all_ids[-len(feed) :] for feed in feeds)


@contextmanager
def _peer_feeds(run: RunContext, cache: Cache, count: int, *, text: str) -> Iterator[PeerFeeds]:
    """Feeds of `count` users: the peer fills SLACK of them, the server copies these to the rest."""
    environment = install("stream", run.report)
    with running_peer(environment, "stream") as peer:
        run.report("filling the peer's feeds")
        server = {"port": cache.port, "password": cache.password}
        answer = peer.call("fill", **server, feeds=SLACK, posts=CAP + SLACK, text=text)
        users = range(1, count + 1)
        cache.run(("COPY", f"sf:{1 + (u - 1) % SLACK}", f"sf:{u}") for u in users[SLACK:])
        order = random.Random(run.seed).sample(users, count)
        yield PeerFeeds(peer=peer, cache=cache, users=order, ids=[int(i) for i in answer["ids"]])
        cache.run(("UNLINK", f"sf:{user}") for user in users)


@contextmanager
def _fan_out(run: RunContext) -> Iterator[Sides]:
    stage = push_stage(run)
    count = QUICK_USERS if run.quick else USERS
    with on_core(CLIENT), _peer_feeds(run, stage.cache, count, text="") as feeds:
        yield Sides(
            ours=lambda: stage.push().mean_rate(),
            against=feeds.fan_out,
            check=lambda: stage.check(others_right=feeds.are_right()),
            sizes=stage.sizes | {"followers of stream-framework": count},
        )


class _NoRebuilder:
    """All timelines exist, so a request to rebuild one is a fault."""

    def schedule(self, user_id: int) -> None:
        raise RuntimeError(f"The timeline of {user_id} was not found complete.")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reading:
    """The product's page, read as its endpoint reads it, and the peer's slice of a feed."""

    cache: Cache
    graph: Graph
    lists: Lists
    feeds: PeerFeeds
    run: RunContext
    generator: random.Random

    def ours(self) -> Measurement:
        """Pages a second of random users."""
        user_ids = self.lists.user_ids
        count, redis_before, cpu_before = 0, self.cache.cpu_seconds(), thread_seconds()
        began = time.perf_counter()
        while time.perf_counter() - began < self.run.seconds:
            self._page(user_ids[self.generator.randrange(len(user_ids))])
            count += 1
        seconds = time.perf_counter() - began
        return Measurement(
            value=count / seconds,
            cpu_us={
                "python": 1e6 * (thread_seconds() - cpu_before) / count,
                "redis": 1e6 * (self.cache.cpu_seconds() - redis_before) / count,
            },
        )

    def against(self) -> Measurement:
        """Pages a second of the peer's `feed[:20]`."""
        redis_before, seed = self.cache.cpu_seconds(), self.generator.randrange(1 << 30)
        seconds = self.run.seconds
        answer = self.feeds.peer.call("pages", users=self.feeds.users, seconds=seconds, seed=seed)
        return Measurement(
            value=answer["pages"] / answer["seconds"],
            cpu_us={
                "peer": 1e6 * answer["cpu"] / answer["pages"],
                "redis": 1e6 * (self.cache.cpu_seconds() - redis_before) / answer["pages"],
            },
        )

    def check(self) -> Check:
        """Every user's page, on both sides: the newest posts with their bodies, newest first."""
        newest = self.lists.templates[0][: -LIMIT - 1 : -1]
        expected = [_body(post_id) for post_id in newest]
        passed = all(self._page(user_id) == expected for user_id in self.lists.user_ids)
        peer_pages = self.feeds.peer.call("all_pages", users=self.feeds.users)["pages"]
        peer_expected = [self.feeds.ids[: -LIMIT - 1 : -1], [BODY_BYTES] * LIMIT]
        passed = passed and all(peer_page == peer_expected for peer_page in peer_pages)
        return Check(what="pages", count=len(self.lists.user_ids), passed=passed)

    def _page(self, user_id: int) -> list[bytes]:
        feed_page = read_page(
            self.graph,
            self.cache.storage,
            _NoRebuilder(),
            GraphPages(self.cache.storage.limits, graph_time(UNBOUNDED_SECONDS)),
            viewer_id=user_id,
            cursor=None,
            limit=LIMIT,
        )
        return list(feed_page.bodies)


@contextmanager
def _reading(run: RunContext) -> Iterator[Sides]:
    count = QUICK_READERS if run.quick else READERS
    generator = random.Random(run.seed)
    unused = GraphSettings(
        uri=f"bolt://{HOST}:9",
        user="none",
        password="none",  # noqa: S106
        database="neo4j",
    )
    with (
        running_cache() as cache,
        on_core(CLIENT),
        Graph.open(unused) as graph,  # never used: the cache holds every page
        _peer_feeds(run, cache, count, text="x" * BODY_BYTES) as feeds,
    ):
        full = lists.create_lists(cache, count, generator)
        posts = {abs(post_id) for template in full.templates for post_id in template}
        cache.run(("SET", body_key(post_id), encode(_body(post_id))) for post_id in posts)
        reading = _Reading(
            cache=cache, graph=graph, lists=full, feeds=feeds, run=run, generator=generator
        )
        yield Sides(
            ours=reading.ours,
            against=reading.against,
            check=reading.check,
            sizes={"readers": count, "posts a page": LIMIT, "bytes a post": BODY_BYTES},
        )


def _body(post_id: int) -> bytes:
    """A body as large as that of a usual post; nothing here reads its caption."""
    return b'{"id":"%d","caption":"' % post_id + b"x" * (BODY_BYTES - 40) + b'"}'


ROWS = (
    Row(
        id="F5",
        title="push : stream-framework's Manager.fanout",
        unit="inserts/s",
        target=70,
        better="higher",
        open=_fan_out,
    ),
    Row(
        id="R9",
        title="page in the library : stream-framework's feed[:20]",
        unit="pages/s",
        target=5,
        better="higher",
        open=_reading,
    ),
)
