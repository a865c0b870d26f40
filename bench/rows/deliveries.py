"""F8: posts published over HTTP and delivered by our workers, against publishing alone."""

import os
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from bench.peers.bare_driver import BareDriver
from bench.peers.wrk import load, write_requests
from bench.rows.row import Check, Row, Sides
from bench.rows.writes import (
    API_WORKERS,
    IN_FLIGHT,
    WARM_CONNECTIONS,
    WARM_SECONDS,
    WARM_WRITES,
    post_requests,
)
from bench.stage.measurement import Measurement
from bench.stage.processes import WORKERS, Processes
from bench.stage.proof import count_wrong_lists
from bench.stage.run_context import RunContext
from bench.stage.stage import Stage, stage_of
from graph.ids import new_id

DELIVERY_SECONDS = 120.0
"""Time limit for all events of a turn."""
POLL_SECONDS = 0.05
POSTS_PER_SECOND = 600
"""Posts prepared for a turn, a second of it."""

POSTS_SINCE = """
MATCH (post:Post) WHERE post.author_id = $author_id AND post.id > $since
RETURN collect(post.id) AS ids
"""
EVENTS = "MATCH (event:Event) RETURN count(event) AS count"


class Deliveries:
    """Posts of the small authors, published over HTTP."""

    def __init__(self, stage: Stage, driver: BareDriver, processes: Processes) -> None:
        self._stage = stage
        self._driver = driver
        self._processes = processes
        self._authors = list(stage.town.small_authors)
        self._since = new_id()
        self.followers = [
            index for author in self._authors for index in stage.town.followers(author)
        ]
        self.oldest_seconds: list[float] = []
        """Age of the oldest due event at the end of each turn's publishing."""
        self.posts = 0

    def warm_up(self) -> None:
        """Publish a few posts, so that new processes have connections, and Neo4j its plans."""
        self._publish(WARM_SECONDS, count=WARM_WRITES, connections=WARM_CONNECTIONS)
        self.wait()
        self.note_posts()

    def publish(self, seconds: float) -> float:
        """Publish for some seconds; returns posts answered a second."""
        count = int(POSTS_PER_SECOND * max(1.0, seconds))
        return self._publish(seconds, count=count, connections=IN_FLIGHT)

    def _publish(self, seconds: float, *, count: int, connections: int) -> float:
        authors = [self._authors[number % len(self._authors)] for number in range(count)]
        requests = post_requests(self._stage, self._driver, authors)
        file = write_requests(self._stage.stack.folder / "posts.tsv", requests)
        result = load(
            self._processes.url,
            file,
            seconds=seconds,
            connections=connections,
            once=True,
            core=None,
        )
        return result.require_success().rate

    def wait(self) -> None:
        """Return when no event is left. Raises RuntimeError."""
        until = time.monotonic() + DELIVERY_SECONDS
        self.oldest_seconds.append(self._stage.graph.events.oldest_due_seconds())
        while self._driver.run(EVENTS)[0]["count"]:
            if time.monotonic() > until:
                raise RuntimeError(f"events are left after {DELIVERY_SECONDS} s")
            time.sleep(POLL_SECONDS)

    def note_posts(self) -> int:
        """Add the new posts to the stage's model; returns their number."""
        count = 0
        for author in self._authors:
            noted = set(self._stage.published.get(author, []))
            author_id = self._stage.town.user_id(author)
            [row] = self._driver.run(POSTS_SINCE, author_id=author_id, since=self._since)
            new = [post_id for post_id in row["ids"] if post_id not in noted]
            self._stage.note_posts(author, new)
            count += len(new)
        self.posts += count
        return count


@contextmanager
def _deliveries(run: RunContext) -> Iterator[Sides]:
    stage = stage_of(run)
    with BareDriver(stage) as driver:
        processes = stage.processes("api", *WORKERS, api_workers=API_WORKERS)
        deliveries = Deliveries(stage, driver, processes)
        deliveries.warm_up()

        def ours() -> Measurement:
            began = time.perf_counter()
            deliveries.publish(run.seconds)
            deliveries.wait()
            seconds = time.perf_counter() - began
            return Measurement(value=deliveries.note_posts() / seconds)

        def against() -> Measurement:
            pids = [pid for name in ("fanout", "sweeper") for pid in processes.pids(name)]
            with _pause(pids):
                rate = deliveries.publish(run.seconds)
            deliveries.wait()
            deliveries.note_posts()
            return Measurement(value=rate)

        yield Sides(
            ours=ours,
            against=against,
            check=lambda: Check(
                what="posts in every follower's list once, no event left",
                count=deliveries.posts,
                passed=deliveries.posts > 0 and not count_wrong_lists(stage, deliveries.followers),
            ),
            context=lambda: {"oldest event, s": max(deliveries.oldest_seconds, default=0.0)},
            sizes={"users": stage.town.users, "followers a post": 150},
        )


@contextmanager
def _pause(pids: Sequence[int]) -> Iterator[None]:
    """Stop these processes (SIGSTOP), and continue them afterwards."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


ROWS = (
    Row(
        id="F8",
        title="posts published and delivered to 150 followers : published alone",
        unit="posts/s",
        target=0.5,
        better="higher",
        open=_deliveries,
        needs=("wrk",),
    ),
)
