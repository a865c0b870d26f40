"""R7 and R8: what the graph answers: pages below a list's watermark, and a missing list rebuilt."""

import random
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from bench.peers.bare_driver import Ask, Bare, statement
from bench.rows.page_client import PAGE, pages_of
from bench.rows.row import Check, Measured, Row, Sides, Sizes
from bench.stage import fill
from bench.stage.stage import Stage, stage_of
from feed.rebuilding import rebuild
from graph.ids import MAX_ID

IN_FLIGHT = 3
"""Pages that a process asks of the graph at once (feed/reading.py): as many on both sides."""

SHORT_LISTS = 200
"""Viewers whose lists hold one page: the second lies below the watermark, so in the graph."""

REBUILDS = 60
"""Lists a turn."""

WARM_TASKS = 100_000
"""More than a turn ever asks."""

FEED_PAGE = "posts/feed_page"


@contextmanager
def _below_the_watermark(sizes: Sizes) -> Iterator[Sides]:
    with ExitStack() as closing:
        found = closing.enter_context(pages_of(sizes, pinned=False))
        bare = closing.enter_context(Bare(found.stage))
        stage = found.stage
        who = _ordinary(stage, SHORT_LISTS)
        _shorten(stage, who)
        closing.callback(_restore, stage, who, sizes)
        second = [found.walked(viewer, PAGE) for viewer in who]
        file = found.file("below", second)
        befores = [stage.feed(viewer)[PAGE - 1] for viewer in who]

        def asked(ask: Ask, number: int) -> None:
            ask(
                statement(FEED_PAGE),
                viewer_id=stage.town.user_id(who[number % len(who)]),
                before=befores[number % len(who)],
                limit=PAGE + 1,
            )

        def against() -> Measured:
            tasks = [lambda ask, n=n: asked(ask, n) for n in range(WARM_TASKS)]
            return Measured(value=bare.rate(sizes.seconds, IN_FLIGHT, tasks)[0])

        yield Sides(
            ours=lambda: found.measured(file, connections=IN_FLIGHT, core=None)[0],
            against=against,
            check=lambda: Check(
                what="pages below the watermark equal to the view's bytes and the model's ids",
                count=len(second),
                passed=not found.wrong(second),
            ),
            sizes={"users": stage.town.users, "viewers": len(who), "followees": 20},
        )


@contextmanager
def _rebuilt(sizes: Sizes) -> Iterator[Sides]:
    stage = stage_of(sizes)
    with Bare(stage) as bare:
        who = _ordinary(stage, REBUILDS)
        cap = stage.storage.timelines.cap

        def ours() -> Measured:
            seconds = 0.0
            for viewer in who:
                user_id = stage.town.user_id(viewer)
                stage.storage.timelines.drop(user_id)
                began = time.perf_counter()
                if not rebuild(stage.graph, stage.storage, user_id):
                    raise RuntimeError(f"the list of {user_id} was not built")
                seconds += time.perf_counter() - began
            return Measured(value=1000 * seconds / len(who))

        def against() -> Measured:
            began = time.perf_counter()
            for viewer in who:
                bare.ask(
                    statement(FEED_PAGE),
                    viewer_id=stage.town.user_id(viewer),
                    before=MAX_ID,
                    limit=cap,
                )
            return Measured(value=1000 * (time.perf_counter() - began) / len(who))

        yield Sides(
            ours=ours,
            against=against,
            check=lambda: _lists_check(stage, who),
            sizes={"users": stage.town.users, "lists": len(who)},
        )


def _lists_check(stage: Stage, who: Sequence[int]) -> Check:
    """Every list is a sentinel and all that the feed has, up to the cap, oldest first."""
    cap = stage.storage.timelines.cap
    right = 0
    for viewer in who:
        feed = stage.feed(viewer)
        mark = feed[cap - 1] if len(feed) >= cap else 0
        right += stage.storage.timelines.whole(stage.town.user_id(viewer)) == [
            -mark,
            *reversed(feed[:cap]),
        ]
    return Check(what="lists rebuilt equal to the model", count=len(who), passed=right == len(who))


def _ordinary(stage: Stage, count: int) -> list[int]:
    """Readers who follow as many as most do, at random."""
    town = stage.town
    others = [index for index in town.readers if index not in town.deep_readers]
    return random.Random(town.seed + 1).sample(others, min(count, len(others) // 2))


def _shorten(stage: Stage, who: Sequence[int]) -> None:
    with stage.storage.cache.wire() as wire:
        for viewer in who:
            feed = stage.feed(viewer)
            wire.ask(fill.list_commands(stage.town.user_id(viewer), feed, PAGE))


def _restore(stage: Stage, who: Sequence[int], sizes: Sizes) -> None:
    cap = stage.storage.timelines.cap
    with stage.storage.cache.wire() as wire:
        for viewer in who:
            wire.ask(fill.list_commands(stage.town.user_id(viewer), stage.feed(viewer), cap))
    sizes.say("lists are whole again")


ROWS = (
    Row(
        id="R7",
        title="page from the graph over HTTP : the bare driver with the same statement",
        unit="pages/s",
        target=0.9,
        better="higher",
        ready=_below_the_watermark,
        needs=("wrk",),
    ),
    Row(
        id="R8",
        title="a missing list, until it is complete : one bare pull of the same ids",
        unit="ms",
        target=1.5,
        better="lower",
        ready=_rebuilt,
    ),
)
