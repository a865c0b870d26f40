"""R7, R7a and R8: pages below a list's watermark, their statement, and a missing list rebuilt."""

import random
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from functools import partial

from bench.peers.bare_driver import BareDriver, RunStatement, statement
from bench.rows.crowds import Crowd, create_crowd
from bench.rows.page_client import PAGE, page_client
from bench.rows.row import Check, OpenSides, Row, Sides
from bench.stage.measurement import Measurement
from bench.stage.run_context import RunContext
from bench.stage.stage import Stage, stage_of
from feed.rebuilding import rebuild
from graph.ids import MAX_ID
from graph.posts import few_of

IN_FLIGHT = 3
"""Pages that a process reads from the graph at once (feed/reading.py), so as many on both sides."""

R7_CROWDS = {
    "R7": Crowd(followees=150, posts=200, viewers=200),
    "R7@20x2": Crowd(followees=20, posts=2, viewers=200),
    "R7@5000x50": Crowd(followees=5_000, posts=50, viewers=20),
}
"""Followees and posts of each, by row. The lists hold one page: the second is in the graph."""

QUICK_CROWD = Crowd(followees=40, posts=5, viewers=10)

REBUILDS = 60
"""Lists a turn."""

TASKS = 100_000
"""More than a turn can run."""

FEED_PAGE = "posts/feed_page"
SIMPLE_FEED_PAGE = """
MATCH (viewer:User)
WHERE viewer.id = $viewer_id
WITH viewer, EXISTS { (viewer)-[:LEFT]->() } AS unfollow_pending
CALL (viewer) {
  CALL (viewer) {
    MATCH (viewer)-[:FOLLOWS]->(author:User)
    WHERE author.state = 'active'
    RETURN author.id AS author_id
    UNION ALL
    RETURN viewer.id AS author_id
  }
  CALL (author_id) {
    MATCH (post:Post)
    USING INDEX post:Post(author_id, id)
    WHERE post.author_id = author_id AND post.id < $before
    RETURN post.id AS post_id
    ORDER BY post.author_id DESC, post.id DESC
    LIMIT $limit
  }
  WITH post_id
  ORDER BY post_id DESC
  LIMIT $limit
  RETURN collect(post_id) AS post_ids
}
RETURN unfollow_pending, post_ids
"""
"""The statement that reads `limit` posts of every followee: the product's until it read a few."""


def page_of_crowd(crowd: Crowd) -> OpenSides:
    """R7: the second page of a crowd's viewers, below their watermark."""

    @contextmanager
    def open_sides(run: RunContext) -> Iterator[Sides]:
        shape = QUICK_CROWD if run.quick else crowd
        with ExitStack() as closing:
            client = closing.enter_context(page_client(run, pinned=False))
            stage = client.stage
            driver = closing.enter_context(BareDriver(stage))
            readers = create_crowd(stage, driver, shape, bodies=True)
            stage.write_lists(readers, PAGE)
            second = [client.walk(viewer, PAGE) for viewer in readers]
            file = client.write_file("below", second)
            viewer_ids = [stage.town.user_id(viewer) for viewer in readers]
            before = stage.feed(readers[0])[PAGE - 1]

            def read_page(number: int, run_statement: RunStatement) -> None:
                run_statement(
                    statement(FEED_PAGE),
                    viewer_id=viewer_ids[number % len(readers)],
                    before=before,
                    limit=PAGE + 1,
                    few=few_of(PAGE + 1),
                )

            def against() -> Measurement:
                tasks = [partial(read_page, number) for number in range(TASKS)]
                return Measurement(value=driver.measure(run.seconds, IN_FLIGHT, tasks)[0])

            yield Sides(
                ours=lambda: client.measure(file, connections=IN_FLIGHT, core=None)[0],
                against=against,
                check=lambda: Check(
                    what="pages below the watermark equal to the view's bytes and the model's ids",
                    count=len(second),
                    passed=not client.wrong_pages(second),
                ),
                sizes={"users": stage.town.users, **asdict(shape)},
            )

    return open_sides


def _statements(followees: int, limit: int) -> OpenSides:
    """R7a: the product's statement against the simple one, both by the bare driver."""

    @contextmanager
    def open_sides(run: RunContext) -> Iterator[Sides]:
        full = Crowd(followees=followees, posts=200, viewers=10)
        crowd = QUICK_CROWD if run.quick else full
        stage = stage_of(run)
        with BareDriver(stage) as driver:
            readers = create_crowd(stage, driver, crowd, bodies=False)
            befores = stage.feed(readers[0])[: limit * len(readers) : limit]
            bounds = [(stage.town.user_id(v), b) for v in readers for b in (MAX_ID, *befores)]

            def read(text: str, bound: tuple[int, int], run_statement: RunStatement) -> list[int]:
                viewer_id, before = bound
                rows = run_statement(
                    text, viewer_id=viewer_id, before=before, limit=limit, few=few_of(limit)
                )
                return list(rows[0]["post_ids"])

            def task(number: int, text: str, run_statement: RunStatement) -> None:
                read(text, bounds[number % len(bounds)], run_statement)

            def measure(text: str) -> Measurement:
                tasks = [partial(task, number, text) for number in range(TASKS)]
                return Measurement(value=driver.measure(run.seconds, 1, tasks)[0])

            def check() -> Check:
                feed = stage.feed(readers[0])
                right = [
                    read(text, bound, driver.run) == [i for i in feed if i < bound[1]][:limit]
                    for text in (statement(FEED_PAGE), SIMPLE_FEED_PAGE)
                    for bound in bounds
                ]
                return Check(
                    what="pages of both equal to the model", count=len(right), passed=all(right)
                )

            yield Sides(
                ours=lambda: measure(statement(FEED_PAGE)),
                against=lambda: measure(SIMPLE_FEED_PAGE),
                check=check,
                sizes={"limit": limit, **asdict(crowd)},
            )

    return open_sides


@contextmanager
def _rebuild(run: RunContext) -> Iterator[Sides]:
    stage = stage_of(run)
    with BareDriver(stage) as driver:
        readers = _draw_readers(stage, REBUILDS)
        cap = stage.storage.timelines.cap

        def ours() -> Measurement:
            seconds = 0.0
            for viewer in readers:
                user_id = stage.town.user_id(viewer)
                stage.storage.timelines.drop(user_id)
                began = time.perf_counter()
                if not rebuild(stage.graph, stage.storage, user_id):
                    raise RuntimeError(f"the list of {user_id} was not built")
                seconds += time.perf_counter() - began
            return Measurement(value=1000 * seconds / len(readers))

        def against() -> Measurement:
            began = time.perf_counter()
            for viewer in readers:
                driver.run(
                    statement(FEED_PAGE),
                    viewer_id=stage.town.user_id(viewer),
                    before=MAX_ID,
                    limit=cap,
                    few=few_of(cap),
                )
            return Measurement(value=1000 * (time.perf_counter() - began) / len(readers))

        yield Sides(
            ours=ours,
            against=against,
            check=lambda: _check_lists(stage, readers),
            sizes={"users": stage.town.users, "lists": len(readers)},
        )


def _check_lists(stage: Stage, readers: Sequence[int]) -> Check:
    """Each list is a sentinel, then all posts of the feed up to the cap, oldest first."""
    cap = stage.storage.timelines.cap
    right = 0
    for viewer in readers:
        feed = stage.feed(viewer)
        mark = feed[cap - 1] if len(feed) >= cap else 0
        right += stage.storage.timelines.entries(stage.town.user_id(viewer)) == [
            -mark,
            *reversed(feed[:cap]),
        ]
    return Check(
        what="lists rebuilt equal to the model", count=len(readers), passed=right == len(readers)
    )


def _draw_readers(stage: Stage, count: int) -> list[int]:
    """Random ordinary readers."""
    readers = stage.town.ordinary_readers
    return random.Random(stage.town.seed + 1).sample(readers, min(count, len(readers) // 2))


def _page_row(row_id: str, crowd: Crowd) -> Row:
    shape = f"{crowd.followees:,} followees of {crowd.posts}"
    return Row(
        id=row_id,
        title=f"page from the graph over HTTP, {shape} : the bare driver with the same statement",
        unit="pages/s",
        target=0.7,
        better="higher",
        open=page_of_crowd(crowd),
        needs=("wrk",),
    )


def _statement_row(limit: int, followees: int, target: float) -> Row:
    return Row(
        id=f"R7a@{limit}of{followees}",
        title=f"statement that reads a few of each, {limit} of {followees:,} : `limit` of each",
        unit="pages/s",
        target=target,
        better="higher",
        open=_statements(followees, limit),
    )


ROWS = (
    *(_page_row(row_id, crowd) for row_id, crowd in R7_CROWDS.items()),
    _statement_row(21, 150, 1.2),
    _statement_row(400, 2_000, 2),
    Row(
        id="R8",
        title="a missing list, until it is complete : one bare pull of the same ids",
        unit="ms",
        target=1.5,
        better="lower",
        open=_rebuild,
    ),
)
