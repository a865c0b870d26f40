"""Timelines against what their server can do, against the textbook, and in bad times: F1 to M1."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from bench.peers.redis_benchmark import PROGRAM, RedisBenchmark
from bench.peers.textbook_zsets import filled_zsets
from bench.rows.memory import memory_row
from bench.rows.pushes import Turn, pushed
from bench.rows.row import Check, Measured, Row, Sides, Sizes
from bench.stage import lists
from bench.stage.caches import Cache, running_cache
from bench.stage.cores import CLIENT, on_core
from bench.stage.lists import Lists
from graph.ids import EPOCH_MS, RANDOM_BITS, ms_of, new_id

LISTS, QUICK_LISTS = 50_000, 2_000
POSTS = 5
"""Pushed to all lists in a turn."""
ZSETS, QUICK_ZSETS = 10_000, 500
"""Fewer than our lists, as each is twelve times as large: that flatters the textbook."""
BACKLOG_SECONDS = 3_600
"""How long ago a backlog's first post was published."""

RATE = "inserts/s"


@dataclass(slots=True, kw_only=True)
class Stage:
    """A cache full of lists, the pushes into it, and what became of the last turn."""

    cache: Cache
    lists: Lists
    last: Turn | None = None

    def push(self) -> Turn:
        """Pushes new posts to everybody."""
        self.last = pushed(self.cache, self.lists, [new_id() for _ in range(POSTS)])
        return self.last

    def check(self, *, others_right: bool = True) -> Check:
        """Over all lists; `others_right`: whether the counterpart's result was right too."""
        wrong = lists.wrong(self.cache, self.lists)
        created = self.last.created if self.last else 0
        passed = wrong == 0 and created == 0 and others_right
        return Check(what="lists", count=len(self.lists.user_ids), passed=passed)

    @property
    def sizes(self) -> dict[str, float | str]:
        """How much a turn pushes."""
        return {"lists": len(self.lists.user_ids), "posts": POSTS}


def push_stage(sizes: Sizes) -> Stage:
    """The stage that the rows of a run share."""
    return sizes.shared.once("push", lambda: _stage(sizes))


@contextmanager
def _stage(sizes: Sizes) -> Iterator[Stage]:
    with running_cache() as cache:
        sizes.say("fills lists")
        count = QUICK_LISTS if sizes.quick else LISTS
        yield Stage(cache=cache, lists=lists.filled(cache, count, random.Random(sizes.seed)))


@contextmanager
def _push(sizes: Sizes) -> Iterator[Sides]:
    stage = push_stage(sizes)
    other = RedisBenchmark(cache=stage.cache, lists=stage.lists)
    with on_core(CLIENT):
        yield Sides(
            ours=lambda: stage.push().best(),
            against=other.best,
            check=lambda: stage.check(others_right=other.right()),
            context=lambda: {f"{PROGRAM} {s}": rate for s, rate in other.shapes.items()},
            sizes=stage.sizes,
        )
        other.forget()


@contextmanager
def _busy(sizes: Sizes) -> Iterator[Sides]:
    stage = push_stage(sizes)
    with on_core(CLIENT):
        yield Sides(
            ours=lambda: stage.push().busy(),
            against=lambda: Measured(value=1.0),
            check=stage.check,
            sizes=stage.sizes,
        )


@contextmanager
def _textbook(sizes: Sizes) -> Iterator[Sides]:
    stage = push_stage(sizes)
    sizes.say("fills ZSETs")
    count = QUICK_ZSETS if sizes.quick else ZSETS
    zsets = filled_zsets(stage.cache, count, random.Random(sizes.seed + 1))
    with on_core(CLIENT):
        yield Sides(
            ours=lambda: stage.push().mean(),
            against=lambda: zsets.push([new_id() for _ in range(POSTS)]),
            check=lambda: stage.check(others_right=zsets.wrong() == 0),
            sizes=stage.sizes | {"ZSETs": count},
        )
        zsets.forget()


@contextmanager
def _half_missing(sizes: Sizes) -> Iterator[Sides]:
    stage = push_stage(sizes)
    generator = random.Random(sizes.seed + 2)
    absent = lists.user_ids(len(stage.lists.user_ids), generator)
    everybody = [*stage.lists.user_ids, *absent]
    generator.shuffle(everybody)
    half = replace(stage)

    def ours() -> Measured:
        posts = [new_id() for _ in range(POSTS)]
        half.last = pushed(stage.cache, stage.lists, posts, among=everybody)
        return half.last.mean()

    with on_core(CLIENT):
        yield Sides(
            ours=ours,
            against=lambda: stage.push().mean(),
            check=half.check,
            sizes=stage.sizes | {"followers": len(everybody)},
        )


@contextmanager
def _backlog(sizes: Sizes) -> Iterator[Sides]:
    stage = push_stage(sizes)
    sizes.say("fills other lists")
    count = len(stage.lists.user_ids)
    behind = lists.filled(stage.cache, count, random.Random(sizes.seed + 3))
    late = replace(stage, lists=behind)
    began_ms = ms_of(new_id()) - BACKLOG_SECONDS * 1_000 - EPOCH_MS

    def ours() -> Measured:
        first = began_ms + 1_000 * len(behind.pushed)
        posts = [first + 1_000 * number << RANDOM_BITS for number in range(POSTS)]
        late.last = pushed(stage.cache, behind, posts)
        return late.last.mean()

    with on_core(CLIENT):
        yield Sides(
            ours=ours,
            against=lambda: stage.push().mean(),
            check=lambda: late.check(others_right=lists.wrong(stage.cache, stage.lists) == 0),
            sizes=stage.sizes,
        )
        stage.cache.storage.timelines.drop(*behind.user_ids)


ROWS = (
    Row(
        id="F1",
        title=f"push : {PROGRAM} RPUSHX on equal lists",
        unit=RATE,
        target=0.95,
        better="higher",
        ready=_push,
        needs=(PROGRAM,),
    ),
    Row(
        id="F2",
        title="Redis core kept busy by the push : 1 core",
        unit="cores",
        target=0.95,
        better="higher",
        ready=_busy,
    ),
    Row(
        id="F4",
        title="push : pipeline of ZADD + ZREMRANGEBYRANK",
        unit=RATE,
        target=9,
        better="higher",
        ready=_textbook,
    ),
    Row(
        id="F6",
        title="push with half of the lists missing : push",
        unit="followers/s",
        target=1.5,
        better="higher",
        ready=_half_missing,
    ),
    Row(
        id="F7",
        title="push of a backlog older than T : push",
        unit=RATE,
        target=0.5,
        better="higher",
        ready=_backlog,
    ),
    Row(
        id="M1",
        title="bytes an entry, ZSET of the same ids : ours",
        unit="entries/MB",
        target=10,
        better="higher",
        ready=memory_row,
    ),
)
