"""How the costs grow from ten thousand users to a million: `make bench` with GROWTH=1.

Sizes cannot take turns with one another, so each cost is divided by that of something beside it
which does not grow. The row's own counterpart is not always such: where that reads or writes the
same graph, a round trip or a commit that does nothing stands in for it.
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from urllib.parse import urlsplit

import redis

from bench.peers.bare_driver import Ask, Bare
from bench.peers.redis_benchmark import RedisBenchmark
from bench.report import picture, plans
from bench.report.fitting import fit
from bench.report.results import Growth, growth_result
from bench.rounds import measured
from bench.rows.fan_out import publish, push_alone, whole_job
from bench.rows.graph_pages import IN_FLIGHT as PAGES_IN_FLIGHT
from bench.rows.row import Check, Measured, Row, Sides, Sizes
from bench.rows.writes import IN_FLIGHT as WRITES_IN_FLIGHT
from bench.stage.caches import Cache
from bench.stage.lists import Lists
from bench.stage.proof import wrong_lists
from bench.stage.shared import Shared
from bench.stage.stage import Stage, stage_of
from bench.stage.town import Town
from stack.settings import ROOT

USERS = (10_000, 100_000, 1_000_000)
"""Of the towns."""
FEWEST = 2
"""Of sizes, for a growth to be seen."""

CACHE_TARGET, GRAPH_TARGET = 0.1, 0.15
"""Exponents: of a push, a first and a deep page; of what the graph does."""

TASKS = 200_000
"""More than a turn ever asks."""

ROUND_TRIP = "RETURN 1 AS one"
COMMIT = "CREATE (:Measured)"
FORGET = "MATCH (one:Measured) DELETE one"

Ready = Callable[[Sizes], AbstractContextManager[Sides]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Growing:
    """A row that is measured at each size, and the exponent that is allowed."""

    row: Row
    target: float


@contextmanager
def _pushed(sizes: Sizes) -> Iterator[Sides]:
    """F1: the store's push to ten thousand of the town, against redis-benchmark on their lists."""
    stage = stage_of(sizes)
    author = stage.town.author("10k")
    followers = stage.town.followers(author)
    user_ids = [stage.town.user_id(index) for index in (author, *followers)]
    with Bare(stage) as bare, _cache_of(stage) as cache:
        peer = RedisBenchmark(cache=cache, lists=Lists(user_ids=user_ids, templates=[[0]]))

        def ours() -> Measured:
            event = publish(stage, bare, author)
            stage.graph.events.claim(event.id, event.epoch)
            seconds = push_alone(stage, user_ids, event.subject_id)
            stage.graph.events.finish(event.id, event.epoch + 1)
            return Measured(value=len(user_ids) / seconds)

        try:
            yield Sides(
                ours=ours,
                against=peer.best,
                check=lambda: Check(
                    what="lists that hold every post once",
                    count=len(followers),
                    passed=not wrong_lists(stage, followers) and peer.right(),
                ),
            )
        finally:
            peer.forget()


@contextmanager
def _cache_of(stage: Stage) -> Iterator[Cache]:
    url = stage.env["CACHE_REDIS_URL"]
    bare = redis.Redis.from_url(url, socket_timeout=60)
    parts = urlsplit(url)
    try:
        yield Cache(
            port=parts.port or 0,
            password=parts.password or "",
            pid=stage.cache_pid(),
            storage=stage.storage,
            bare=bare,
        )
    finally:
        bare.close()


def _beside(row: Row, statement: str, threads: int) -> Row:
    """The same row, against a statement that does nothing."""

    @contextmanager
    def ready(sizes: Sizes) -> Iterator[Sides]:
        with row.ready(sizes) as sides, Bare(stage_of(sizes)) as bare:

            def ask(asked: Ask) -> None:
                asked(statement)

            def against() -> Measured:
                return Measured(value=bare.rate(sizes.seconds, threads, [ask] * TASKS)[0])

            yield replace(sides, against=against)
            bare.ask(FORGET)

    return replace(row, ready=ready)


def growing(rows: Sequence[Row]) -> list[Growing]:
    """What is measured at each size, of the bench's rows."""
    by_id = {row.id: row for row in rows}
    push = Row(
        id="F1",
        title="push, a follower : redis-benchmark",
        unit="followers/s",
        target=0,
        better="higher",
        ready=_pushed,
        needs=("redis-benchmark",),
    )
    job = replace(by_id["F3@25k"], id="F3", ready=whole_job("10k"))
    # Pages first: in a small town everybody follows whoever posts in the rows below, and more posts
    # of the last minute than a window holds are proved by the whole list alone.
    return [
        Growing(row=by_id["R1"], target=CACHE_TARGET),
        Growing(row=by_id["R6@200"], target=CACHE_TARGET),
        Growing(row=_beside(by_id["R7"], ROUND_TRIP, PAGES_IN_FLIGHT), target=GRAPH_TARGET),
        Growing(row=push, target=CACHE_TARGET),
        Growing(row=job, target=CACHE_TARGET),
        Growing(row=_beside(by_id["W1"], COMMIT, WRITES_IN_FLIGHT), target=GRAPH_TARGET),
    ]


def measure(rows: Sequence[Row], sizes: Sizes, users: Sequence[int] = USERS) -> list[Growth]:
    """The growth of each of these rows over towns of so many users, and of the plans.

    Raises RuntimeError where a row's result is wrong, ValueError where there are too few sizes.
    """
    if len(users) < FEWEST:
        raise ValueError("growth takes two sizes or more")
    wanted = growing(rows)
    points: dict[str, list[tuple[float, float]]] = {one.row.id: [] for one in wanted}
    shapes: list[dict[str, list[str]]] = []
    for count in users:
        with Shared() as shared:
            here = replace(sizes, shared=shared, quick=False)
            town = Town(count, sizes.seed)
            shared.once("town", partial(nullcontext, town))
            shapes.append(plans.shapes(stage_of(here).graph))
            for one in wanted:
                points[one.row.id] += [(count, cost) for cost in _costs(one.row, here)]
    found = [_growth(one, points[one.row.id]) for one in wanted]
    return [*found, _plans(users, shapes)]


def _costs(row: Row, sizes: Sizes) -> list[float]:
    """The row's cost as a multiple of its counterpart's, in each round."""
    outcome = measured(row, sizes, say=sizes.say)
    if not outcome.rounds:
        raise RuntimeError(f"{row.id}: {outcome.verdict} {outcome.reason} {outcome.check}")
    print(row.id, [round(one.ratio, 3) for one in outcome.rounds], file=sys.stderr, flush=True)
    higher = row.better == "higher"
    return [1 / one.ratio if higher else one.ratio for one in outcome.rounds]


def _growth(one: Growing, points: Sequence[tuple[float, float]]) -> Growth:
    fitted = fit(points)
    return Growth(
        row=one.row.id,
        points=points,
        exponent=fitted.exponent,
        interval=(fitted.low, fitted.high),
        target=one.target,
        verdict=fitted.verdict(one.target),
    )


def _plans(users: Sequence[int], shapes: Sequence[dict[str, list[str]]]) -> Growth:
    """A line that says whether every statement has the same plan at all sizes.

    Its points are 1 and the statements whose plan is another than in the smallest town.
    """
    others = [differing(shapes[0], shape) for shape in shapes]
    for count, names in zip(users, others, strict=True):
        if names:
            print(f"at {count:,} users other plans: {', '.join(names)}", file=sys.stderr)
    same = not any(others)
    return Growth(
        row=f"plans of {len(shapes[0])} statements",
        points=[(count, 1.0 + len(names)) for count, names in zip(users, others, strict=True)],
        exponent=0.0,
        interval=(0.0, 0.0),
        target=0.0,
        verdict="met" if same else "missed",
    )


def differing(one: dict[str, list[str]], other: dict[str, list[str]]) -> list[str]:
    """The statements whose plans are not the same."""
    return sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))


def main(arguments: list[str]) -> int:
    """Measures growth alone, at some sizes; prints it and writes its picture."""
    from bench.rows.table import ROWS  # noqa: PLC0415 - the table knows this module

    parser = argparse.ArgumentParser(prog="python -m bench.growth", description=__doc__)
    parser.add_argument("--sizes", default=",".join(map(str, USERS)), help="numbers of users")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=3.0, help="of a side of a round")
    asked = parser.parse_args(arguments)
    users = [int(word) for word in asked.sizes.split(",")]
    found = [
        growth_result(one)
        for one in measure(ROWS, Sizes(quick=False, seed=asked.seed, seconds=asked.seconds), users)
    ]
    path = ROOT / "bench" / "results" / "growth.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(found, indent=1) + "\n")
    path.with_suffix(".svg").write_text(picture.svg(found))
    for one in found:
        low, high = one["interval"]
        print(
            f"{one['row']:24} b = {one['exponent']:+.3f} ({low:+.3f}..{high:+.3f}) "
            f"target {one['target']} {one['verdict']}"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
