"""Timelines and their pages against stream-framework: F5 and R9."""

import random
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from bench.peers import processes as peers
from bench.peers.processes import Peer
from bench.rows.row import Check, Measured, Row, Sides, Sizes
from bench.rows.timelines import push_stage
from bench.stage import lists
from bench.stage.caches import CAP, SLACK, Cache, running_cache
from bench.stage.cores import CLIENT, on_core, own_seconds
from bench.stage.lists import Lists
from feed.reading import page
from graph import Graph, GraphSettings
from stack.ports import HOST
from storage.bodies import body_key

USERS, QUICK_USERS = 10_000, 500
POSTS = 2
"""Of the peer's in a turn: some seconds."""
READERS, QUICK_READERS = 2_000, 200
LIMIT = 20
BODY_BYTES = 550


@dataclass(frozen=True, slots=True, kw_only=True)
class Feeds:
    """The peer's feeds, full and of staggered length. `ids` rise; feed n lacks the oldest."""

    peer: Peer
    cache: Cache
    users: Sequence[int]
    ids: list[int]

    def fan_out(self) -> Measured:
        """Inserts a second of its manager's fan-out, of all posts of a turn together."""
        redis_before = self.cache.seconds()
        done = [self.peer.ask("fanout", users=self.users, text="") for _ in range(POSTS)]
        self.ids.extend(int(one["id"]) for one in done)
        inserts = POSTS * len(self.users)
        return Measured(
            value=inserts / sum(one["seconds"] for one in done),
            cpu_us={
                "peer": 1e6 * sum(one["cpu"] for one in done) / inserts,
                "redis": 1e6 * (self.cache.seconds() - redis_before) / inserts,
            },
        )

    def right(self) -> bool:
        """Whether every feed is the newest part of all posts, CAP at least, in their order."""
        whole = [str(i).encode() for i in self.ids]
        feeds = self.cache.ask(("ZRANGE", f"sf:{user}", 0, -1) for user in self.users)
        return all(len(feed) >= CAP and feed == whole[-len(feed) :] for feed in feeds)


@contextmanager
def _feeds(sizes: Sizes, cache: Cache, count: int, *, text: str) -> Iterator[Feeds]:
    """So many feeds: a hundred lengths made by the peer, the others copied within the server."""
    installed = peers.environment("stream", say=sizes.say)
    with peers.running(installed, "stream") as peer:
        sizes.say("fills the peer's feeds")
        server = {"port": cache.port, "password": cache.password}
        told = peer.ask("fill", **server, feeds=SLACK, posts=CAP + SLACK, text=text)
        users = range(1, count + 1)
        copies = (("COPY", f"sf:{1 + (u - 1) % SLACK}", f"sf:{u}") for u in users[SLACK:])
        for _ in cache.ask(copies):
            pass
        order = random.Random(sizes.seed).sample(users, count)
        yield Feeds(peer=peer, cache=cache, users=order, ids=[int(i) for i in told["ids"]])
        for _ in cache.ask(("UNLINK", f"sf:{user}") for user in users):
            pass


@contextmanager
def _fan_out(sizes: Sizes) -> Iterator[Sides]:
    stage = push_stage(sizes)
    count = QUICK_USERS if sizes.quick else USERS
    with on_core(CLIENT), _feeds(sizes, stage.cache, count, text="") as feeds:
        yield Sides(
            ours=lambda: stage.push().mean(),
            against=feeds.fan_out,
            check=lambda: stage.check(others_right=feeds.right()),
            sizes=stage.sizes | {"followers of stream-framework": count},
        )


class _NoRebuilder:
    """Timelines stand: whoever asks for one to be built has found a fault."""

    def ask(self, user_id: int) -> None:
        raise RuntimeError(f"The timeline of {user_id} was not found complete.")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reading:
    """The product's page, read as its endpoint reads it, and the peer's slice of a feed."""

    cache: Cache
    graph: Graph
    lists: Lists
    feeds: Feeds
    sizes: Sizes
    draw: random.Random

    def ours(self) -> Measured:
        """Pages a second of users drawn at random."""
        users = self.lists.user_ids
        count, redis_before, cpu_before = 0, self.cache.seconds(), own_seconds()
        began = time.perf_counter()
        while time.perf_counter() - began < self.sizes.seconds:
            self._page(users[self.draw.randrange(len(users))])
            count += 1
        seconds = time.perf_counter() - began
        return Measured(
            value=count / seconds,
            cpu_us={
                "python": 1e6 * (own_seconds() - cpu_before) / count,
                "redis": 1e6 * (self.cache.seconds() - redis_before) / count,
            },
        )

    def against(self) -> Measured:
        """The same of `feed[:20]`."""
        redis_before, seed = self.cache.seconds(), self.draw.randrange(1 << 30)
        seconds = self.sizes.seconds
        done = self.feeds.peer.ask("pages", users=self.feeds.users, seconds=seconds, seed=seed)
        return Measured(
            value=done["pages"] / done["seconds"],
            cpu_us={
                "peer": 1e6 * done["cpu"] / done["pages"],
                "redis": 1e6 * (self.cache.seconds() - redis_before) / done["pages"],
            },
        )

    def check(self) -> Check:
        """Every user's page, of both: the newest posts, newest first, with all they say."""
        newest = self.lists.templates[0][: -LIMIT - 1 : -1]
        expected = [_body(post_id) for post_id in newest]
        passed = all(self._page(user) == expected for user in self.lists.user_ids)
        told = self.feeds.peer.ask("all_pages", users=self.feeds.users)["pages"]
        theirs = [self.feeds.ids[: -LIMIT - 1 : -1], [BODY_BYTES] * LIMIT]
        passed = passed and all(one == theirs for one in told)
        return Check(what="pages", count=len(self.lists.user_ids), passed=passed)

    def _page(self, user_id: int) -> list[bytes]:
        found = page(
            self.graph,
            self.cache.storage,
            _NoRebuilder(),
            viewer_id=user_id,
            cursor=None,
            limit=LIMIT,
        )
        return list(found.bodies)


@contextmanager
def _reading(sizes: Sizes) -> Iterator[Sides]:
    count = QUICK_READERS if sizes.quick else READERS
    draw = random.Random(sizes.seed)
    unasked = GraphSettings(
        uri=f"bolt://{HOST}:9",
        user="none",
        password="none",  # noqa: S106
        database="neo4j",
    )
    with (
        running_cache() as cache,
        on_core(CLIENT),
        Graph.open(unasked) as graph,  # never asked: every page stands in the cache
        _feeds(sizes, cache, count, text="x" * BODY_BYTES) as feeds,
    ):
        full = lists.filled(cache, count, draw)
        posts = {abs(post_id) for template in full.templates for post_id in template}
        for _ in cache.ask(("SET", body_key(post_id), _body(post_id)) for post_id in posts):
            pass
        reading = _Reading(
            cache=cache, graph=graph, lists=full, feeds=feeds, sizes=sizes, draw=draw
        )
        yield Sides(
            ours=reading.ours,
            against=reading.against,
            check=reading.check,
            sizes={"readers": count, "posts a page": LIMIT, "bytes a post": BODY_BYTES},
        )


def _body(post_id: int) -> bytes:
    """As large as a post of the product's is; nothing here reads what it says."""
    return b'{"id":"%d","caption":"' % post_id + b"x" * (BODY_BYTES - 40) + b'"}'


ROWS = (
    Row(
        id="F5",
        title="push : stream-framework's Manager.fanout",
        unit="inserts/s",
        target=70,
        better="higher",
        ready=_fan_out,
    ),
    Row(
        id="R9",
        title="page in the library : stream-framework's feed[:20]",
        unit="pages/s",
        target=5,
        better="higher",
        ready=_reading,
    ),
)
