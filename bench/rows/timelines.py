"""F1, F2, F4, F6, F7: pushes against the server's limit, the textbook, and in bad conditions."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from bench.peers.redis_benchmark import PROGRAM, RedisBenchmark
from bench.peers.textbook_zsets import create_zsets
from bench.rows.pushes import PushTurn, push_posts
from bench.rows.row import Check, Row, Sides
from bench.stage import lists
from bench.stage.caches import Cache, running_cache
from bench.stage.cores import CLIENT, on_core
from bench.stage.lists import Lists
from bench.stage.measurement import Measurement
from bench.stage.run_context import RunContext
from graph.ids import EPOCH_MS, RANDOM_BITS, ms_of, new_id

LISTS, QUICK_LISTS = 50_000, 2_000
POSTS = 5
"""Pushed to all lists in a turn."""
ZSETS, QUICK_ZSETS = 10_000, 500
"""Fewer than the lists, as each is twelve times as large. Fewer keys favour the textbook."""
BACKLOG_SECONDS = 3_600
"""Age of a backlog's first post."""

RATE = "inserts/s"


@dataclass(slots=True, kw_only=True)
class PushStage:
    """A cache full of lists, and the last turn of pushes to them."""

    cache: Cache
    lists: Lists
    last: PushTurn | None = None

    def push(self) -> PushTurn:
        """Push new posts to all users."""
        self.last = push_posts(self.cache, self.lists, [new_id() for _ in range(POSTS)])
        return self.last

    def check(self, *, others_right: bool = True) -> Check:
        """Over all lists; `others_right`: whether the counterpart's result is right too."""
        wrong = lists.count_wrong(self.cache, self.lists)
        created = self.last.keys_created if self.last else 0
        passed = wrong == 0 and created == 0 and others_right
        return Check(what="lists", count=len(self.lists.user_ids), passed=passed)

    @property
    def sizes(self) -> dict[str, float | str]:
        """The amounts of a turn."""
        return {"lists": len(self.lists.user_ids), "posts": POSTS}


def push_stage(run: RunContext) -> PushStage:
    """The stage that these rows and F5 share."""
    return run.resources.open_once("push", lambda: _push_stage(run))


@contextmanager
def _push_stage(run: RunContext) -> Iterator[PushStage]:
    with running_cache() as cache:
        run.report("filling lists")
        count = QUICK_LISTS if run.quick else LISTS
        filled = lists.create_lists(cache, count, random.Random(run.seed))
        yield PushStage(cache=cache, lists=filled)


@contextmanager
def _push(run: RunContext) -> Iterator[Sides]:
    stage = push_stage(run)
    peer = RedisBenchmark(cache=stage.cache, lists=stage.lists)
    with on_core(CLIENT):
        yield Sides(
            ours=lambda: stage.push().best_rate(),
            against=peer.measure,
            check=lambda: stage.check(others_right=peer.is_right()),
            context=lambda: {f"{PROGRAM} {s}": rate for s, rate in peer.rate_by_shape.items()},
            sizes=stage.sizes,
        )
        peer.remove()


@contextmanager
def _redis_load(run: RunContext) -> Iterator[Sides]:
    stage = push_stage(run)
    with on_core(CLIENT):
        yield Sides(
            ours=lambda: stage.push().redis_load(),
            against=lambda: Measurement(value=1.0),
            check=stage.check,
            sizes=stage.sizes,
        )


@contextmanager
def _textbook(run: RunContext) -> Iterator[Sides]:
    stage = push_stage(run)
    run.report("filling ZSETs")
    count = QUICK_ZSETS if run.quick else ZSETS
    zsets = create_zsets(stage.cache, count, random.Random(run.seed + 1))
    with on_core(CLIENT):
        yield Sides(
            ours=lambda: stage.push().mean_rate(),
            against=lambda: zsets.push([new_id() for _ in range(POSTS)]),
            check=lambda: stage.check(others_right=zsets.count_wrong() == 0),
            sizes=stage.sizes | {"ZSETs": count},
        )
        zsets.remove()


@contextmanager
def _half_missing(run: RunContext) -> Iterator[Sides]:
    stage = push_stage(run)
    generator = random.Random(run.seed + 2)
    absent = lists.draw_user_ids(len(stage.lists.user_ids), generator)
    followers = [*stage.lists.user_ids, *absent]
    generator.shuffle(followers)
    half = replace(stage)

    def ours() -> Measurement:
        posts = [new_id() for _ in range(POSTS)]
        half.last = push_posts(stage.cache, stage.lists, posts, followers=followers)
        return half.last.mean_rate()

    with on_core(CLIENT):
        yield Sides(
            ours=ours,
            against=lambda: stage.push().mean_rate(),
            check=half.check,
            sizes=stage.sizes | {"followers": len(followers)},
        )


@contextmanager
def _backlog(run: RunContext) -> Iterator[Sides]:
    stage = push_stage(run)
    run.report("filling the backlog's lists")
    count = len(stage.lists.user_ids)
    old = lists.create_lists(stage.cache, count, random.Random(run.seed + 3))
    backlog = replace(stage, lists=old)
    start_ms = ms_of(new_id()) - BACKLOG_SECONDS * 1_000 - EPOCH_MS

    def ours() -> Measurement:
        first = start_ms + 1_000 * len(old.pushed_ids)
        posts = [first + 1_000 * number << RANDOM_BITS for number in range(POSTS)]
        backlog.last = push_posts(stage.cache, old, posts)
        return backlog.last.mean_rate()

    def check() -> Check:
        return backlog.check(others_right=lists.count_wrong(stage.cache, stage.lists) == 0)

    with on_core(CLIENT):
        yield Sides(
            ours=ours,
            against=lambda: stage.push().mean_rate(),
            check=check,
            sizes=stage.sizes,
        )
        stage.cache.storage.timelines.drop(*old.user_ids)


ROWS = (
    Row(
        id="F1",
        title=f"push : {PROGRAM} RPUSHX on equal lists",
        unit=RATE,
        target=0.95,
        better="higher",
        open=_push,
        needs=(PROGRAM,),
    ),
    Row(
        id="F2",
        title="Redis core used by the push : 1 core",
        unit="cores",
        target=0.95,
        better="higher",
        open=_redis_load,
    ),
    Row(
        id="F4",
        title="push : pipeline of ZADD + ZREMRANGEBYRANK",
        unit=RATE,
        target=9,
        better="higher",
        open=_textbook,
    ),
    Row(
        id="F6",
        title="push with half of the lists missing : push",
        unit="followers/s",
        target=1.5,
        better="higher",
        open=_half_missing,
    ),
    Row(
        id="F7",
        title="push of a backlog older than T : push",
        unit=RATE,
        target=0.5,
        better="higher",
        open=_backlog,
    ),
)
