"""Faults of the push service."""

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from drill.faults.fault import Apply, Facts
from drill.stage.stage import DrillStage
from drill.support.push_service import Behaviour


def answer(behaviours: Sequence[Behaviour]) -> Apply:
    """Answer every message in one of these ways."""

    @contextmanager
    def apply(stage: DrillStage, rng: random.Random) -> Iterator[Facts]:
        behaviour = rng.choice(behaviours)
        facts: Facts = {"answer": behaviour.status}
        before = len(stage.push.received)
        stage.push.misbehave(behaviour)
        try:
            yield facts
        finally:
            stage.push.recover()
        facts["messages"] = len(stage.push.received) - before

    return apply
