"""The rows of growth, measured in towns of different sizes, and their allowed exponents.

Rounds of different sizes cannot alternate. So each cost is divided by that of a counterpart on the
same machine that does not grow. A row's own counterpart may grow, if it reads or writes the
same graph. A round trip, or the commit of an empty node, then replaces it.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

import redis

from bench.peers.bare_driver import BareDriver, RunStatement
from bench.peers.redis_benchmark import RedisBenchmark
from bench.rows.crowds import Crowd
from bench.rows.fan_out import fan_out_row, publish_and_push
from bench.rows.graph_pages import IN_FLIGHT as PAGES_IN_FLIGHT
from bench.rows.graph_pages import page_of_crowd
from bench.rows.row import Check, Row, Sides
from bench.rows.writes import IN_FLIGHT as WRITES_IN_FLIGHT
from bench.stage.caches import Cache
from bench.stage.lists import Lists
from bench.stage.measurement import Measurement
from bench.stage.proof import count_wrong_lists
from bench.stage.run_context import RunContext
from bench.stage.stage import Stage, stage_of

CACHE_TARGET, GRAPH_TARGET = 0.1, 0.15
"""Exponents: of rows on the cache (pushes, first and deep pages), and of rows on the graph."""
FOLLOWEES_TARGET = 1
"""The exponent by followees: a page looks at each of them once."""

FOLLOWEES_AXIS = [Crowd(followees=n, posts=50, viewers=20) for n in (50, 500, 5_000)]
POSTS_AXIS = [Crowd(followees=150, posts=n, viewers=20) for n in (10, 100, 1_000)]
"""The crowds whose graph pages show the growth by followees, and by posts of each."""

TASKS = 200_000
"""More than a turn can run."""
REPLY_SECONDS = 60

ROUND_TRIP = "RETURN 1 AS one"
COMMIT = "CREATE (:Measured)"
DELETE_NODES = "MATCH (node:Measured) DELETE node"


@dataclass(frozen=True, slots=True, kw_only=True)
class GrowthRow:
    """A row, and the exponent that its cost may grow with."""

    row: Row
    target: float


def growth_rows(rows: Sequence[Row]) -> list[GrowthRow]:
    """The rows of growth, made from these rows of the table.

    Pages come first: in a small town everybody follows the authors of the rows after them. More
    posts of the last minute than a window holds would make first pages read the whole list.
    """
    by_id = {row.id: row for row in rows}
    push = Row(
        id="F1",
        title="push, a follower : redis-benchmark",
        unit="followers/s",
        target=0,
        better="higher",
        open=_push,
        needs=("redis-benchmark",),
    )
    fan_out = replace(by_id["F3@25k"], id="F3", open=fan_out_row("10k"))
    graph_page = _against_statement(by_id["R7"], ROUND_TRIP, PAGES_IN_FLIGHT)
    post = _against_statement(by_id["W1"], COMMIT, WRITES_IN_FLIGHT)
    return [
        GrowthRow(row=by_id["R1"], target=CACHE_TARGET),
        GrowthRow(row=by_id["R6@200"], target=CACHE_TARGET),
        GrowthRow(row=graph_page, target=GRAPH_TARGET),
        GrowthRow(row=push, target=CACHE_TARGET),
        GrowthRow(row=fan_out, target=CACHE_TARGET),
        GrowthRow(row=post, target=GRAPH_TARGET),
    ]


def crowd_rows(rows: Sequence[Row], crowds: Sequence[Crowd]) -> list[Row]:
    """The row of a graph page for each of these crowds, against a round trip."""
    [row] = [row for row in rows if row.id == "R7"]
    return [
        _against_statement(replace(row, open=page_of_crowd(crowd)), ROUND_TRIP, PAGES_IN_FLIGHT)
        for crowd in crowds
    ]


@contextmanager
def _push(run: RunContext) -> Iterator[Sides]:
    """F1: the store's push to ten thousand of the town, against redis-benchmark on their lists."""
    stage = stage_of(run)
    author = stage.town.author("10k")
    followers = stage.town.followers(author)
    user_ids = [stage.town.user_id(index) for index in (author, *followers)]
    with BareDriver(stage) as driver, _cache_of(stage) as cache:
        peer = RedisBenchmark(cache=cache, lists=Lists(user_ids=user_ids, templates=[[0]]))

        def ours() -> Measurement:
            return Measurement(
                value=len(user_ids) / publish_and_push(stage, driver, author, user_ids)
            )

        def check() -> Check:
            wrong = count_wrong_lists(stage, followers)
            return Check(
                what="lists that hold every post once",
                count=len(followers),
                passed=not wrong and peer.is_right(),
            )

        try:
            yield Sides(ours=ours, against=peer.measure, check=check)
        finally:
            peer.remove()


@contextmanager
def _cache_of(stage: Stage) -> Iterator[Cache]:
    """The cache of a stage."""
    url = stage.env["CACHE_REDIS_URL"]
    parts = urlsplit(url)
    with redis.Redis.from_url(url, socket_timeout=REPLY_SECONDS) as client:
        yield Cache(
            port=parts.port or 0,
            password=parts.password or "",
            pid=stage.cache_pid(),
            storage=stage.storage,
            client=client,
        )


def _against_statement(row: Row, statement: str, threads: int) -> Row:
    """The row, against a statement whose cost does not depend on the graph's size."""

    @contextmanager
    def open_sides(run: RunContext) -> Iterator[Sides]:
        with row.open(run) as sides, BareDriver(stage_of(run)) as driver:

            def task(run_statement: RunStatement) -> None:
                run_statement(statement)

            def against() -> Measurement:
                return Measurement(value=driver.measure(run.seconds, threads, [task] * TASKS)[0])

            yield replace(sides, against=against)
            driver.run(DELETE_NODES)

    return replace(row, open=open_sides)
