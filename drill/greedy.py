"""`python -m drill.greedy`: what greedy accounts cost the other users of a drill, without faults.

Rounds without and with the greedy accounts, in turns, on one stage. It prints the p99 of the
others' requests in each, and its ratio. The exit status is 1 if the median of the ratios is above
2, or if the one whose follow was ended again and again has no timeline.
"""

import argparse
import random
import sys
import time
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from statistics import median

from drill.checking.operations import Operation, operations
from drill.history import History
from drill.http_status import is_server_error
from drill.load.client import Client, rehearse
from drill.load.greedy import GreedyLane
from drill.load.population import populate
from drill.load.shared_state import SharedState
from drill.run import LONGEST_REQUEST_SECONDS, PHOTOS_A_SECOND, SPARE_PHOTOS, extra_env
from drill.stage.stage import DrillStage
from stack.settings import ROOT

FOLDER = ROOT / ".local" / "test" / "drill"
MOST_RATIO = 2.0
WARM_UP_SECONDS = 10.0
"""Before the first half: the first requests of a new graph are slow."""
SETTLING_SECONDS = 3.0
"""After the lane begins or pauses. Requests that begin in this time are not measured."""
TIMELINE_SECONDS = 60.0
"""How long after the lane has ended its follower may be without a timeline: the 30 s of the leaving
that the lane itself has begun, and the event's lag."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Half:
    """The part of a round without or with the greedy accounts: the others' requests in it."""

    ops: list[Operation]

    def p99(self) -> float:
        """Of all requests, in milliseconds."""
        seconds = sorted(op.end - op.start for op in self.ops)
        return 1000 * seconds[int(len(seconds) * 0.99)] if seconds else 0.0

    def refused(self) -> int:
        """Requests that were answered 429 or 5xx, or not at all."""
        return sum(_is_refused(op.facts["status"]) for op in self.ops)


def _is_refused(status: int) -> bool:
    return status in {0, HTTPStatus.TOO_MANY_REQUESTS} or is_server_error(status)


def main() -> int:
    """Return 0 if the others keep their p99, else 1."""
    parser = argparse.ArgumentParser(prog="python -m drill.greedy", description=__doc__)
    parser.add_argument("--seconds", type=float, default=30.0, help="of each half of a round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--clients", type=int, default=12)
    parser.add_argument("--folder", type=Path, default=FOLDER)
    arguments = parser.parse_args()
    seed = random.SystemRandom().randrange(10**9) if arguments.seed is None else arguments.seed
    print(f"SEED={seed}", flush=True)
    history = History()
    stage = DrillStage(arguments.folder, extra_env=extra_env("", greedy=True))
    with stage:
        state = SharedState(history, stage.api_urls, stage.push, seed)
        seconds = 2 * arguments.rounds * arguments.seconds
        photos = int(seconds * PHOTOS_A_SECOND) + SPARE_PHOTOS
        populate(state, stage.graph, arguments.clients, photos=photos)
        rehearse(state)
        lane = GreedyLane(state, stage.graph)
        lane.prepare()
        spans = _run_rounds(state, lane, arguments.rounds, arguments.seconds)
        lost = _loses_timeline(stage, lane)
    return _report(_halves(history, spans), lane, lost=lost)


def _run_rounds(
    state: SharedState, lane: GreedyLane, rounds: int, seconds: float
) -> list[tuple[float, float]]:
    """The span of each half, without and with the lane in turns, in seconds of the history."""
    clients = [Client(state, user) for user in state.users]
    for client in clients:
        client.start()
    time.sleep(WARM_UP_SECONDS)
    spans = []
    for number in range(2 * rounds):
        (lane.begin if number % 2 else lane.pause)()
        time.sleep(SETTLING_SECONDS)
        start = state.history.now()
        time.sleep(seconds)
        spans.append((start, state.history.now()))
        print(f"round {number // 2 + 1} {'with' if number % 2 else 'without'}", flush=True)
    state.stop.set()
    lane.close()
    for client in clients:
        client.join(LONGEST_REQUEST_SECONDS)
    return spans


def _loses_timeline(stage: DrillStage, lane: GreedyLane) -> bool:
    """Whether the lane's follower has no timeline after all that has ended it is done."""
    end = time.monotonic() + TIMELINE_SECONDS
    while lane.has_lost_timeline(stage.storage) and time.monotonic() < end:
        lane.read_as_follower()
        time.sleep(0.5)
    return lane.has_lost_timeline(stage.storage)


def _halves(history: History, spans: list[tuple[float, float]]) -> list[Half]:
    ops = [op for op in operations(history.lines()) if "status" in op.facts]
    return [Half(ops=[op for op in ops if start <= op.start < end]) for start, end in spans]


def _report(halves: list[Half], lane: GreedyLane, *, lost: bool) -> int:
    ratios = []
    for number, (without, beside) in enumerate(zip(halves[::2], halves[1::2], strict=True), 1):
        ratios.append(beside.p99() / without.p99() if without.p99() else 0.0)
        print(
            f"round {number}: p99 {without.p99():.0f} ms of {len(without.ops)} requests"
            f" ({without.refused()} refused), with greedy accounts {beside.p99():.0f} ms of"
            f" {len(beside.ops)} ({beside.refused()} refused), ratio {ratios[-1]:.2f}"
        )
    print(f"median of the ratios: {median(ratios):.2f}, at most {MOST_RATIO:g}")
    for name, count in sorted(lane.answers.items()):
        print(f"  {name:<60} {count}")
    print(f"the follower {'has no timeline' if lost else 'keeps a timeline'}")
    return int(lost or median(ratios) > MOST_RATIO)


if __name__ == "__main__":
    sys.exit(main())
