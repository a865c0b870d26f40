"""The catalogue of faults that the drill injects, each with its cases of promises.md and its name.

A fault is begun, lasts for its seconds, and ends itself. It says what it did, so that one that has
not bitten can be seen.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from signal import SIGCONT, SIGKILL, SIGSTOP, SIGTERM, Signals
from typing import Any

from drill.faults import damage
from drill.stage.stage import APIS, DrillStage
from drill.support.proxy import Proxy
from stack.supervision.records import start_of

Facts = dict[str, Any]
Apply = Callable[[DrillStage, random.Random], AbstractContextManager[Facts]]
"""Begins on entry and ends on leaving; what it did may be added to until then."""

FANOUTS = ("fanout", "fanout-2", "fanout-large")
USERS = {
    "neo4j": (*APIS, *FANOUTS, "timelines", "removal", "sweeper"),
    "queue": (*APIS, *FANOUTS, "timelines", "removal", "sweeper"),
    "cache": (*APIS, *APIS, *FANOUTS, "timelines", "removal"),
    "s3": (*APIS, "removal", "photos"),
}
"""Who has something to do with each store while people post and read; twice: twice as likely."""
BOUND_SECONDS = 4.0
"""A clock may be off by 5 s; part of that is for the way to the graph."""
WRONG_CLOCKS = (-300.0, -30.0, -8.0, 8.0, 30.0, 300.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One kind of fault."""

    name: str
    cases: tuple[int, ...]
    seconds: float
    """How long it lasts at most; the schedule draws from half of it on."""
    apply: Apply
    heavy: bool = False
    """It stops every write: one of these a minute is enough."""


class NoBiteError(AssertionError):
    """A fault that was injected and has changed nothing."""


def _signalled(number: Signals, names: Sequence[str], *, children: bool = True) -> Apply:
    """Kills one of the processes, or asks it to end; without `children` only the parent."""

    @contextmanager
    def apply(stage: DrillStage, rng: random.Random) -> Iterator[Facts]:
        if not (there := stage.present(names)):
            yield {"absent": names}
            return
        name = rng.choice(there)
        facts: Facts = {"process": name}
        facts["pids"] = stage.signal(name, number, children=children)
        yield facts
        facts["pid_after"] = stage.processes[name].pid
        left = [pid for pid in facts["pids"] if start_of(pid)]
        if number == SIGKILL and left:
            raise NoBiteError(f"{name} was killed and still runs as {left}")

    return apply


def _killed_child(names: Sequence[str]) -> Apply:
    """The process that does the work dies, its parent starts another."""

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


def _stopped(names: Sequence[str]) -> Apply:
    """One of the processes stands still, its connections open."""

    @contextmanager
    def apply(stage: DrillStage, rng: random.Random) -> Iterator[Facts]:
        if not (there := stage.present(names)):
            yield {"absent": names}
            return
        name = rng.choice(there)
        facts: Facts = {"process": name}
        facts["pids"] = stage.signal(name, SIGSTOP)
        try:
            yield facts
        finally:
            for pid in facts["pids"]:
                stage.signal_pid(pid, SIGCONT)

    return apply


def _at_once(act: Callable[[DrillStage, random.Random], Facts]) -> Apply:
    """Done in one stroke; or left out, where the store for it stays away under another fault."""

    @contextmanager
    def apply(stage: DrillStage, rng: random.Random) -> Iterator[Facts]:
        try:
            facts = act(stage, rng)
        except damage.AWAY as error:
            facts = {"left_out": str(error)[:200]}
        yield facts

    return apply


def _network(
    store: str, begin: Callable[[Proxy, random.Random], object], *, everybody: bool = False
) -> Apply:
    """One process's way to the store goes wrong, or everybody's."""

    @contextmanager
    def apply(stage: DrillStage, rng: random.Random) -> Iterator[Facts]:
        chosen = stage.names if everybody else [rng.choice(stage.present(USERS[store]))]
        proxies = [stage.proxies[name, store] for name in chosen]
        before = sum(proxy.refused for proxy in proxies)
        for proxy in proxies:
            begin(proxy, rng)
        facts: Facts = {"processes": chosen, "store": store}
        try:
            yield facts
        finally:
            for proxy in proxies:
                proxy.resume()
            facts["refused"] = sum(proxy.refused for proxy in proxies) - before

    return apply


@contextmanager
def _isolated(stage: DrillStage, rng: random.Random) -> Iterator[Facts]:
    """One process is alone: none of the stores answers it, none hangs up."""
    name = rng.choice(stage.names)
    proxies = [proxy for (process, _), proxy in stage.proxies.items() if process == name]
    for proxy in proxies:
        proxy.swallow()
    try:
        yield {"process": name}
    finally:
        for proxy in proxies:
            proxy.resume()


@contextmanager
def _queue_full(stage: DrillStage, _rng: random.Random) -> Iterator[Facts]:
    damage.fill_queue(stage)
    try:
        yield {}
    finally:
        damage.empty_queue(stage)


@contextmanager
def _old_snapshot(stage: DrillStage, _rng: random.Random) -> Iterator[Facts]:
    with damage.old_snapshot(stage) as facts:
        yield facts


def _clock(names: Sequence[str] | None, offsets: Sequence[float]) -> Apply:
    """The clock of one process steps, and steps back when it is over."""

    @contextmanager
    def apply(stage: DrillStage, rng: random.Random) -> Iterator[Facts]:
        name, seconds = rng.choice(names or stage.names), rng.choice(offsets)
        stage.move_clock(name, seconds)
        try:
            yield {"process": name, "seconds": seconds}
        finally:
            stage.move_clock(name, 0)

    return apply


def _begun_wrong(stage: DrillStage, rng: random.Random) -> AbstractContextManager[Facts]:
    """A process starts on a host whose clock is wrong."""

    @contextmanager
    def apply() -> Iterator[Facts]:
        name, seconds = rng.choice(APIS), rng.choice(WRONG_CLOCKS)
        stage.move_clock(name, seconds)
        try:
            stage.signal(name, SIGKILL)
            yield {"process": name, "seconds": seconds}
        finally:
            stage.move_clock(name, 0)

    return apply()


def _slow(proxy: Proxy, rng: random.Random) -> None:
    proxy.slow(rng.choice((0.05, 0.2, 0.5)))


def _narrow(proxy: Proxy, rng: random.Random) -> None:
    proxy.narrow(rng.choice((2_000, 20_000)))


def _cut_in_the_middle(proxy: Proxy, rng: random.Random) -> None:
    for _ in range(3):
        proxy.cut_after(rng.randint(1, 400), side=rng.choice(("request", "answer")))


def _killing() -> Iterator[Fault]:
    kill, end = SIGKILL, SIGTERM
    one = {"kill-timelines": "timelines", "kill-removal": "removal", "kill-photos": "photos"}
    yield Fault(name="kill-api", cases=(1, 2), seconds=3, apply=_signalled(kill, APIS))
    yield Fault(
        name="kill-api-parent",
        cases=(1, 2),
        seconds=3,
        apply=_signalled(kill, APIS, children=False),
    )
    yield Fault(name="kill-api-child", cases=(1, 2), seconds=2, apply=_killed_child(APIS))
    yield Fault(name="end-api", cases=(6,), seconds=4, apply=_signalled(end, APIS, children=False))
    yield Fault(name="kill-fanout", cases=(7,), seconds=2, apply=_signalled(kill, FANOUTS))
    yield Fault(
        name="end-worker",
        cases=(6,),
        seconds=3,
        apply=_signalled(end, (*FANOUTS, "timelines", "removal")),
    )
    for name, process in one.items():
        cases = (38,) if process == "photos" else (7,)
        yield Fault(name=name, cases=cases, seconds=2, apply=_signalled(kill, (process,)))
    yield Fault(name="kill-sweeper", cases=(7,), seconds=2, apply=_signalled(kill, ("sweeper",)))
    yield Fault(name="kill-queue", cases=(16,), seconds=3, apply=_signalled(kill, ("queue",)))
    yield Fault(name="kill-cache", cases=(18,), seconds=3, apply=_signalled(kill, ("cache",)))
    yield Fault(name="kill-s3", cases=(38,), seconds=4, apply=_signalled(kill, ("s3",)))
    yield Fault(
        name="kill-neo4j", cases=(32,), seconds=16, heavy=True, apply=_signalled(kill, ("neo4j",))
    )


def _stopping() -> Iterator[Fault]:
    yield Fault(name="stop-api", cases=(5, 22), seconds=5, apply=_stopped(APIS))
    yield Fault(name="stop-fanout", cases=(8,), seconds=5, apply=_stopped(FANOUTS))
    yield Fault(name="stop-past-the-lease", cases=(8, 21), seconds=50, apply=_stopped(FANOUTS))
    yield Fault(name="stop-timelines", cases=(8,), seconds=5, apply=_stopped(("timelines",)))
    yield Fault(name="stop-removal", cases=(8,), seconds=5, apply=_stopped(("removal",)))
    yield Fault(name="stop-sweeper", cases=(14,), seconds=8, apply=_stopped(("sweeper",)))
    yield Fault(name="stop-queue", cases=(17,), seconds=5, apply=_stopped(("queue",)))
    yield Fault(name="stop-cache", cases=(19,), seconds=5, apply=_stopped(("cache",)))
    yield Fault(name="stop-neo4j", cases=(32,), seconds=12, heavy=True, apply=_stopped(("neo4j",)))


def _damaging() -> Iterator[Fault]:
    for name, cases, act in (
        ("flush-queue", (16,), damage.flush_queue),
        ("tear-aof", (16,), damage.tear_aof),
        ("flush-cache", (18,), damage.flush_cache),
        ("evict-cache-keys", (24,), damage.evict_cache_keys),
        ("delete-job-hashes", (11,), damage.delete_job_hashes),
        ("delete-queue-entries", (11,), damage.delete_queue_entries),
        ("strand-jobs", (11,), damage.strand_jobs),
        ("triple-jobs", (10,), damage.triple_jobs),
        ("ring-stale-epochs", (10,), damage.ring_stale_epochs),
    ):
        yield Fault(name=name, cases=cases, seconds=2, apply=_at_once(act))
    yield Fault(name="queue-full", cases=(17,), seconds=5, apply=_queue_full)
    yield Fault(name="cache-from-old-snapshot", cases=(30,), seconds=4, apply=_old_snapshot)


def _cutting_off() -> Iterator[Fault]:
    cases = {"neo4j": (3, 32), "queue": (17,), "cache": (19,), "s3": (38,)}
    for store, of in cases.items():
        yield Fault(name=f"slow-{store}", cases=of, seconds=5, apply=_network(store, _slow))
        yield Fault(
            name=f"cut-{store}", cases=of, seconds=1, apply=_network(store, lambda p, _: p.cut())
        )
        yield Fault(
            name=f"cut-{store}-in-the-middle",
            cases=of,
            seconds=4,
            apply=_network(store, _cut_in_the_middle),
        )
        yield Fault(name=f"narrow-{store}", cases=of, seconds=5, apply=_network(store, _narrow))
        yield Fault(
            name=f"half-open-{store}",
            cases=of,
            seconds=5,
            apply=_network(store, lambda p, _: p.swallow()),
        )
        yield Fault(
            name=f"{store}-down",
            cases=of,
            seconds=6,
            heavy=store == "neo4j",
            apply=_network(store, lambda p, _: p.down(), everybody=True),
        )
    yield Fault(name="isolate-a-process", cases=(8, 14, 22), seconds=8, apply=_isolated)


def _clocks() -> Iterator[Fault]:
    yield Fault(name="step-a-clock", cases=(43,), seconds=5, apply=_clock(APIS, WRONG_CLOCKS))
    yield Fault(
        name="clock-within-its-bound",
        cases=(43,),
        seconds=8,
        apply=_clock(None, (-BOUND_SECONDS, BOUND_SECONDS)),
    )
    yield Fault(name="start-with-a-wrong-clock", cases=(43,), seconds=14, apply=_begun_wrong)


CATALOGUE: tuple[Fault, ...] = (
    *_killing(),
    *_stopping(),
    *_damaging(),
    *_cutting_off(),
    *_clocks(),
)
BY_NAME = {fault.name: fault for fault in CATALOGUE}
