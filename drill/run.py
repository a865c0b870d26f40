"""One drill from the stage's start to the report: people, faults, quiet, check."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from prometheus_client import CollectorRegistry
from prometheus_client.multiprocess import MultiProcessCollector

from drill.checking.rules import check
from drill.faults.schedule import Injector, Planned, plan
from drill.final_state import (
    DRAIN_SECONDS,
    drain,
    find_leftovers,
    heal,
    read_everything,
    read_logs,
    wake,
)
from drill.history import History
from drill.load.reader import Watcher
from drill.load.sessions import Session, rehearse
from drill.load.world import World, populate
from drill.report import Report, report
from drill.stage.stage import DrillStage

WATCHERS = 3
CAP, SLACK = 60, 20
"""Short timelines: feeds go on into the graph after few posts."""
LARGE_AUDIENCE = 7
"""Some posts take the way of those that very many follow."""
PHOTOS_A_SECOND = 0.7
"""More than one client posts."""
CONTROL_DRAIN_SECONDS = 20.0
"""Without the sweeper what is lost stays so: no use in waiting for it."""
LONGEST_REQUEST_SECONDS = 30.0
SABOTAGE = Path(__file__).parent / "stage" / "sabotage"

COUNTED = {
    "photofeed_timeline_pushes_total": "pushes",
    "photofeed_jobs_total": "jobs",
    "photofeed_sweeper_rings_total": "rings by the sweeper",
    "photofeed_timeline_rebuilds_total": "rebuilds",
    "photofeed_timeline_reads_total": "pages",
    "photofeed_author_pushes_missed_total": "author's pushes missed",
}
"""What is reported of the product's own counters: redundant work stands among the jobs."""

Heard = Callable[[str, float], None]
"""Told of each part of a drill and how far it is, from 0 to 1."""


def drill(
    folder: Path,
    *,
    seed: int,
    seconds: float,
    control: str = "",
    clients: int = 12,
    planned: Sequence[Planned] | None = None,
    heard: Heard = lambda _part, _share: None,
) -> Report:
    """Runs one drill in the folder; history.jsonl and report.json are left there.

    The faults come from the seed where none are `planned`.
    control: "sweeper" goes without it, "drop" has timelines stand when somebody leaves: both (or
    "sweeper,drop") must show violations, or the check cannot be believed.
    """
    extra = {
        "TIMELINE_CAP": str(CAP),
        "TIMELINE_SLACK": str(SLACK),
        "LARGE_AUDIENCE": str(LARGE_AUDIENCE),
    }
    if "drop" in control:
        extra["PYTHONPATH"] = str(SABOTAGE)
    heard("stage", 0.0)
    history = History()
    stage = DrillStage(folder, sweeper="sweeper" not in control, extra_env=extra)
    try:
        work = _on_stage(
            stage,
            history,
            seed=seed,
            seconds=seconds,
            control=control,
            clients=clients,
            planned=planned,
            heard=heard,
        )
        find_leftovers(folder, history)
    finally:
        history.save(folder / "history.jsonl")
    heard("check", 0.0)
    lines = history.lines()
    made = report(lines, check(lines), seed=seed, seconds=seconds, control=control, work=work)
    made.save(folder / "report.json")
    return made


def _on_stage(
    stage: DrillStage,
    history: History,
    *,
    seed: int,
    seconds: float,
    control: str,
    clients: int,
    planned: Sequence[Planned] | None,
    heard: Heard,
) -> dict[str, float]:
    """All that needs the stage; what the product counted meanwhile."""
    with stage:
        world = World(history, stage.api_urls, seed)
        heard("people", 0.0)
        populate(world, stage.graph, clients, photos=int(seconds * PHOTOS_A_SECOND) + 20)
        heard("rehearsal", 0.0)
        rehearse(world)
        _run(stage, world, plan(seed, seconds) if planned is None else planned, seconds, heard)
        heard("quiet", 0.0)
        heal(stage, history)
        world.stop = threading.Event()
        wake(stage)
        drain(stage, history, seconds=CONTROL_DRAIN_SECONDS if control else DRAIN_SECONDS)
        heard("reading everything", 0.0)
        read_everything(stage, world, cap=CAP, slack=SLACK)
        read_logs(stage, history, _secrets(stage.env))
        return _work(stage.env["PROMETHEUS_MULTIPROC_DIR"])


def _run(
    stage: DrillStage, world: World, faults: Sequence[Planned], seconds: float, heard: Heard
) -> None:
    """Clients and faults side by side for so long, then no request is under way any more."""
    injector = Injector(stage, faults, world.history)
    clients = [Session(world, citizen) for citizen in world.citizens]
    watchers = [Watcher(world, number) for number in range(WATCHERS)]
    for thread in (injector, *clients, *watchers):
        thread.start()
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        heard("drill", 1 - left / seconds)
        time.sleep(min(1.0, left))
    injector.stop()
    world.stop.set()
    for thread in (injector, *clients, *watchers):
        thread.join(LONGEST_REQUEST_SECONDS)


def _secrets(env: Mapping[str, str]) -> list[str]:
    wanted = ("NEO4J_PASSWORD", "CURSOR_SECRET", "ADMIN_PASSWORD", "AWS_SECRET_ACCESS_KEY")
    urls = [env[name] for name in ("QUEUE_REDIS_URL", "CACHE_REDIS_URL")]
    return [env[name] for name in wanted] + [
        url.rpartition("@")[0].rpartition(":")[2] for url in urls
    ]


def _work(folder: str) -> dict[str, float]:
    """The product's own counters, of all its processes, dead ones too."""
    registry = CollectorRegistry()
    MultiProcessCollector(registry, path=folder)  # type: ignore[no-untyped-call]
    found: dict[str, float] = {}
    for metric in registry.collect():
        for sample in metric.samples:
            if sample.name in COUNTED and sample.value:
                told = [sample.labels[name] for name in sorted(sample.labels) if name != "pid"]
                found[" ".join([COUNTED[sample.name], *told])] = sample.value
    return dict(sorted(found.items()))
