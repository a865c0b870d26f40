"""W1 and W2: posts over HTTP, 32 in flight, against the same statement through the bare driver.

No worker runs: these rows measure the answer, and F8 measures the delivery that follows it.
"""

import itertools
import secrets
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

from bench.peers.bare_driver import (
    BareDriver,
    RunStatement,
    create_photos,
    delete_events,
    statement,
)
from bench.peers.wrk import Request, load, write_requests
from bench.rows.row import Check, Row, Sides
from bench.stage.cores import process_seconds
from bench.stage.measurement import Measurement
from bench.stage.processes import Processes
from bench.stage.run_context import RunContext
from bench.stage.stage import Stage, stage_of
from graph.idempotency_keys import KEY_LIFE_MS
from graph.ids import CLOCK_TOLERANCE_MS, ms_of, new_id
from graph.settings import LARGE_AUDIENCE

IN_FLIGHT = 32
API_WORKERS = 2
"""The number that `make up` starts. Both sides share the machine with Neo4j."""

WRITES_PER_SECOND = 1_500
"""Writes prepared for a turn, a second of it: more than any turn does."""
WARM_CONNECTIONS, WARM_WRITES, WARM_SECONDS = 4, 40, 10.0
"""The warm-up. Neo4j plans a statement at its first use, which takes a second or two."""
SETTLE_SECONDS = 1.0
"""Wait for requests in flight at the end of a turn; each waits half of it at most."""
CAPTION = "Measured"
BARE_CAPTION = "Bare"

COUNTS = """
MATCH (author:User)-[:POSTED]->(post:Post)
WHERE author.id IN $ids AND post.id > $since AND post.caption = $caption
RETURN count(DISTINCT post) AS posts,
  count(COLLECT { MATCH (post)-[:SHOWS]->(photo) RETURN photo }[0]) AS photos
"""
KEYS = "MATCH (key:IdempotencyKey) WHERE key.user_id IN $ids RETURN count(key) AS count"
EVENTS = "MATCH (event:Event) WHERE event.author_id IN $ids RETURN count(event) AS count"
CREATE_BARE = """
MATCH (author:User) WHERE author.id = $author_id
CREATE (author)-[:POSTED]->(:Post {
  id: $post_id, author_id: $author_id, caption: $caption, created_at: timestamp()
})
"""
DELETE_POSTS = """
MATCH (post:Post) WHERE post.author_id IN $ids AND post.id > $since DETACH DELETE post
"""
DELETE_KEYS = "MATCH (key:IdempotencyKey) WHERE key.user_id IN $ids DELETE key"


@dataclass(slots=True, kw_only=True)
class Writes:
    """The users who write in a row, and the counts of their writes, for the check."""

    stage: Stage
    driver: BareDriver
    user_ids: list[int]
    since: int
    """An id from before the first write."""
    overloaded: int = 0
    """503 answers. The client then waits as Retry-After demands."""
    answered: int = 0
    """Writes over HTTP. Those in flight at the end of a turn may be written and are not counted."""
    turns: int = 0
    driver_writes: int = 0
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def next_users(self, count: int) -> list[int]:
        """The ids of the next users, in turn."""
        return [self.user_ids[next(self._numbers) % len(self.user_ids)] for _ in range(count)]

    def tokens(self, user_ids: Sequence[int]) -> list[str]:
        """A session token of each user."""
        return self.stage.tokens([self.stage.town.index_of(user_id) for user_id in user_ids])

    def send(
        self,
        processes: Processes,
        requests: list[Request],
        seconds: float,
        connections: int = IN_FLIGHT,
    ) -> Measurement:
        """Send the requests of a turn over HTTP; returns writes a second."""
        pids = processes.pids("api")
        before = process_seconds(pids)
        file = write_requests(self.stage.stack.folder / "writes.tsv", requests)
        result = load(
            processes.url, file, seconds=seconds, connections=connections, once=True, core=None
        ).require_success()
        time.sleep(SETTLE_SECONDS)
        self.answered += result.requests
        self.overloaded += result.overloaded
        self.turns += 1
        cpu = 1e6 * (process_seconds(pids) - before) / result.requests
        return Measurement(value=result.rate, cpu_us={"api": cpu})

    def matches(self, written: int) -> bool:
        """Whether this number in the graph is that of all writes, plus at most those in flight."""
        counted = self.answered + self.driver_writes
        return counted <= written <= counted + self.turns * IN_FLIGHT


@contextmanager
def open_writes(run: RunContext) -> Iterator[Writes]:
    """Writes of users without followers, so that no other feed changes; deleted afterwards."""
    stage = stage_of(run)
    user_ids = [stage.town.user_id(index) for index in stage.town.quiet]
    with BareDriver(stage) as driver:
        writes = Writes(stage=stage, driver=driver, user_ids=user_ids, since=new_id())
        try:
            yield writes
        finally:
            driver.run(DELETE_POSTS, ids=user_ids, since=writes.since)
            driver.run(DELETE_KEYS, ids=user_ids)
            delete_events(stage, driver, user_ids)
            stage.storage.timelines.drop(*user_ids)


def writes_a_turn(run: RunContext) -> int:
    """The number of writes to prepare for a turn."""
    return int(WRITES_PER_SECOND * max(1.0, run.seconds))


def post_requests(stage: Stage, driver: BareDriver, authors: Sequence[int]) -> list[Request]:
    """A request for each author (by index): a post of a new photo, under a new key."""
    photo_ids = create_photos(driver, [stage.town.user_id(author) for author in authors])
    return [
        Request(
            method="POST",
            path="/v1/me/feed",
            token=token,
            key=secrets.token_hex(12),
            body=f'{{"photo_ids":["{photo_id}"],"caption":"{CAPTION}"}}',
        )
        for token, photo_id in zip(stage.tokens(authors), photo_ids, strict=True)
    ]


def _next_post_requests(writes: Writes, count: int) -> list[Request]:
    town = writes.stage.town
    authors = [town.index_of(user_id) for user_id in writes.next_users(count)]
    return post_requests(writes.stage, writes.driver, authors)


def _publish(author_id: int, photo_id: int, run_statement: RunStatement) -> None:
    post_id = new_id()
    rows = run_statement(
        statement("posts/create"),
        post_id=post_id,
        author_id=author_id,
        photo_ids=[photo_id],
        caption=CAPTION,
        location_name=None,
        latitude=None,
        longitude=None,
        key=secrets.token_hex(12),
        fingerprint=secrets.token_hex(32),
        key_life_ms=KEY_LIFE_MS,
        event_id=new_id(),
        request_id=None,
        drawn_at=ms_of(post_id),
        tolerance_ms=CLOCK_TOLERANCE_MS,
        large_audience=LARGE_AUDIENCE,
    )
    if not rows:
        raise RuntimeError("no post was created")


def _measure_statement(writes: Writes, run: RunContext) -> Measurement:
    """Posts a second of the product's statement through the bare driver."""
    author_ids = writes.next_users(writes_a_turn(run))
    photo_ids = create_photos(writes.driver, author_ids)
    tasks = [partial(_publish, *ids) for ids in zip(author_ids, photo_ids, strict=True)]
    rate, done = writes.driver.measure(run.seconds, IN_FLIGHT, tasks)
    writes.driver_writes += done
    return Measurement(value=rate)


def _check_posts(writes: Writes) -> Check:
    """Each post has a key, an event and a photo, and there is a post for each write."""
    ids = writes.user_ids
    [counts] = writes.driver.run(COUNTS, ids=ids, since=writes.since, caption=CAPTION)
    keys = writes.driver.run(KEYS, ids=ids)[0]["count"]
    events = writes.driver.run(EVENTS, ids=ids)[0]["count"]
    posts = counts["posts"]
    return Check(
        what="posts, each with one key, one event and its photo",
        count=posts,
        passed=posts == counts["photos"] == keys == events and writes.matches(posts),
    )


@contextmanager
def _posts_over_http(run: RunContext) -> Iterator[Sides]:
    with open_writes(run) as writes:
        processes = writes.stage.processes("api", api_workers=API_WORKERS)
        warm_up = _next_post_requests(writes, WARM_WRITES)
        writes.send(processes, warm_up, WARM_SECONDS, WARM_CONNECTIONS)

        def ours() -> Measurement:
            requests = _next_post_requests(writes, writes_a_turn(run))
            return writes.send(processes, requests, run.seconds)

        yield Sides(
            ours=ours,
            against=lambda: _measure_statement(writes, run),
            check=lambda: _check_posts(writes),
            context=lambda: {"503": writes.overloaded},
            sizes={"users": writes.stage.town.users, "in flight": IN_FLIGHT},
        )


@contextmanager
def _statement(run: RunContext) -> Iterator[Sides]:
    """W2: the cost of key, photo and event beside that of the post."""
    with open_writes(run) as writes:

        def create(author_id: int, run_statement: RunStatement) -> None:
            run_statement(CREATE_BARE, author_id=author_id, post_id=new_id(), caption=BARE_CAPTION)

        def against() -> Measurement:
            tasks = [partial(create, user_id) for user_id in writes.next_users(writes_a_turn(run))]
            return Measurement(value=writes.driver.measure(run.seconds, IN_FLIGHT, tasks)[0])

        yield Sides(
            ours=lambda: _measure_statement(writes, run),
            against=against,
            check=lambda: _check_posts(writes),
            sizes={"users": writes.stage.town.users, "in flight": IN_FLIGHT},
        )


ROWS = (
    Row(
        id="W1",
        title="POST /v1/me/feed, 32 in flight : the bare statement, as many threads",
        unit="posts/s",
        target=0.75,
        better="higher",
        open=_posts_over_http,
        needs=("wrk",),
    ),
    Row(
        id="W2",
        title="the bare statement of key, post and event : a bare CREATE of a post",
        unit="posts/s",
        target=0.8,
        better="higher",
        open=_statement,
    ),
)
