"""R7 and R8: pages below a list's watermark, and a missing list rebuilt, both from the graph."""

import random
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from bench.peers.bare_driver import BareDriver, RunStatement, statement
from bench.rows.page_client import PAGE, page_client
from bench.rows.row import Check, Row, Sides
from bench.stage.measurement import Measurement
from bench.stage.run_context import RunContext
from bench.stage.stage import Stage, stage_of
from feed.rebuilding import rebuild
from graph.ids import MAX_ID
from graph.posts import few_of

IN_FLIGHT = 3
"""Pages that a process reads from the graph at once (feed/reading.py), so as many on both sides."""

SHORT_LISTS = 200
"""Viewers whose lists hold one page: their second page is below the watermark, in the graph."""

REBUILDS = 60
"""Lists a turn."""

TASKS = 100_000
"""More than a turn can run."""

FEED_PAGE = "posts/feed_page"


@contextmanager
def _below_the_watermark(run: RunContext) -> Iterator[Sides]:
    with ExitStack() as closing:
        client = closing.enter_context(page_client(run, pinned=False))
        driver = closing.enter_context(BareDriver(client.stage))
        stage = client.stage
        readers = _draw_readers(stage, SHORT_LISTS)
        stage.write_lists(readers, PAGE)
        closing.callback(_restore_lists, stage, readers, run)
        second = [client.walk(viewer, PAGE) for viewer in readers]
        file = client.write_file("below", second)
        viewer_ids = [stage.town.user_id(viewer) for viewer in readers]
        befores = [stage.feed(viewer)[PAGE - 1] for viewer in readers]

        def read_page(run_statement: RunStatement, number: int) -> None:
            run_statement(
                statement(FEED_PAGE),
                viewer_id=viewer_ids[number % len(readers)],
                before=befores[number % len(readers)],
                limit=PAGE + 1,
                few=few_of(PAGE + 1),
            )

        def against() -> Measurement:
            tasks = [lambda run_statement, n=n: read_page(run_statement, n) for n in range(TASKS)]
            return Measurement(value=driver.measure(run.seconds, IN_FLIGHT, tasks)[0])

        yield Sides(
            ours=lambda: client.measure(file, connections=IN_FLIGHT, core=None)[0],
            against=against,
            check=lambda: Check(
                what="pages below the watermark equal to the view's bytes and the model's ids",
                count=len(second),
                passed=not client.wrong_pages(second),
            ),
            sizes={"users": stage.town.users, "viewers": len(readers), "followees": 20},
        )


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


def _restore_lists(stage: Stage, readers: Sequence[int], run: RunContext) -> None:
    stage.write_lists(readers, stage.storage.timelines.cap)
    run.report("lists are whole again")


ROWS = (
    Row(
        id="R7",
        title="page from the graph over HTTP : the bare driver with the same statement",
        unit="pages/s",
        target=0.9,
        better="higher",
        open=_below_the_watermark,
        needs=("wrk",),
    ),
    Row(
        id="R8",
        title="a missing list, until it is complete : one bare pull of the same ids",
        unit="ms",
        target=1.5,
        better="lower",
        open=_rebuild,
    ),
)
