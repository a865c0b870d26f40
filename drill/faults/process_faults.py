"""Faults of processes: they are killed, asked to end, or frozen."""

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from signal import SIGCONT, SIGKILL, SIGSTOP, Signals

from drill.faults.fault import Apply, Facts, NoEffectError
from drill.stage.stage import DrillStage
from stack.supervision.records import start_of


def signal_one(number: Signals, names: Sequence[str], *, children: bool = True) -> Apply:
    """Send SIGKILL or SIGTERM to one of the processes; without `children` to the parent alone."""

    @contextmanager
    def apply(stage: DrillStage, rng: random.Random) -> Iterator[Facts]:
        if not (existing := stage.existing(names)):
            yield {"absent": names}
            return
        name = rng.choice(existing)
        facts: Facts = {"process": name}
        facts["pids"] = stage.signal(name, number, children=children)
        yield facts
        facts["pid_after"] = stage.processes[name].pid
        alive = [pid for pid in facts["pids"] if start_of(pid)]
        if number == SIGKILL and alive:
            raise NoEffectError(f"{name} was killed and still runs as {alive}")

    return apply


def kill_children(names: Sequence[str]) -> Apply:
    """Kill the children of one of the processes, which do its work; it starts new ones."""

    @contextmanager
    def apply(stage: DrillStage, rng: random.Random) -> Iterator[Facts]:
        name = rng.choice(names)
        children = stage.pids(name)[1:]
        for pid in children:
            stage.signal_pid(pid, SIGKILL)
        facts: Facts = {"process": name, "pids": children}
        yield facts
        facts["pids_after"] = stage.pids(name)[1:]

    return apply


def freeze_one(names: Sequence[str]) -> Apply:
    """Stop one of the processes by SIGSTOP; its connections stay open."""

    @contextmanager
    def apply(stage: DrillStage, rng: random.Random) -> Iterator[Facts]:
        if not (existing := stage.existing(names)):
            yield {"absent": names}
            return
        name = rng.choice(existing)
        facts: Facts = {"process": name}
        facts["pids"] = stage.signal(name, SIGSTOP)
        try:
            yield facts
        finally:
            for pid in facts["pids"]:
                stage.signal_pid(pid, SIGCONT)

    return apply
