"""Runs one drill, from the start of the stage to the report."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from drill.calm_minutes import calm_minutes
from drill.checking.check import check
from drill.checking.evidence import Evidence
from drill.checking.page_shares import measure_shares
from drill.counters import read_counters
from drill.faults.injector import Injector
from drill.faults.schedule import PlannedFault, plan
from drill.final_notices import record_notifications, record_push_refusals
from drill.final_state import record_feeds, record_logs
from drill.history import History
from drill.load.browsers import record_messages
from drill.load.client import Client, rehearse
from drill.load.greedy import GreedyLane, record_answers
from drill.load.page_counter import PageCounter
from drill.load.population import populate
from drill.load.shared_state import SharedState
from drill.load.stream_client import StreamClient
from drill.load.watcher import Watcher
from drill.notice_times import NOTICE_ENV
from drill.report import Report, build_report
from drill.settling import DRAIN_SECONDS, drain, find_leftover_processes, heal, warm_up_graph
from drill.stage.stage import DrillStage
from stack.roles import ROLE_VARIABLES

WATCHERS = 3
TIMELINE_CAP, TIMELINE_SLACK = 60, 20
"""Short timelines, so that a few posts are enough to make a feed continue in the graph."""
LARGE_AUDIENCE = 7
"""Followers above which a post goes through the queue for large audiences: some posts do."""
PHOTOS_A_SECOND, SPARE_PHOTOS = 0.7, 20
"""Photos per user: more than a client posts."""
CONTROL_DRAIN_SECONDS = 20.0
"""For a control run. Without the sweeper, lost work is never done, so a longer wait is useless."""
LONGEST_REQUEST_SECONDS = 30.0
PLANTED_ERRORS = {
    "drop": Path(__file__).parent / "stage" / "no_timeline_drop",
    "announce": Path(__file__).parent / "stage" / "no_announcement",
}
"""By control, the folder that plants an error in each of our processes: it is their PYTHONPATH,
from which Python imports one `sitecustomize`. So a run can have one of them."""
CONTROLS = ("", "sweeper", *PLANTED_ERRORS, *(f"sweeper,{name}" for name in PLANTED_ERRORS))
SECRETS = (
    *("NEO4J_PASSWORD", "CURSOR_SECRET", "ADMIN_PASSWORD", "AWS_SECRET_ACCESS_KEY"),
    *("VAPID_PRIVATE_KEY", "TOKEN_KEYS"),
    *(name for name in ROLE_VARIABLES if name.endswith("SECRET_ACCESS_KEY")),
)
URLS_WITH_PASSWORDS = (
    *("QUEUE_REDIS_URL", "CACHE_REDIS_URL"),
    *(name for name in ROLE_VARIABLES if name.endswith("REDIS_URL")),
)

OnProgress = Callable[[str, float], None]
"""Called with the phase of the drill and, in the phase `drill`, its share of time from 0 to 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DrillOptions:
    """What a drill is run with."""

    seed: int
    seconds: float
    """How long the clients run."""
    control: str = ""
    """One of CONTROLS. `sweeper`: without the sweeper. `drop`: timelines are not dropped after an
    unfollow. `announce`: no change is announced to other processes. A control run must show
    violations, or the check proves nothing."""
    clients: int = 12
    greedy: bool = False
    """With greedy accounts beside the clients, under the quotas of production."""


def run_drill(
    folder: Path,
    options: DrillOptions,
    *,
    faults: Sequence[PlannedFault] | None = None,
    on_progress: OnProgress = lambda _phase, _share: None,
) -> Report:
    """Run a drill and write history.jsonl and report.json into the folder.

    Without `faults` they are planned by the seed. Raises StackError if the stage cannot start.
    """
    on_progress("stage", 0.0)
    history = History()
    stage = DrillStage(
        folder,
        sweeper="sweeper" not in options.control,
        extra_env=extra_env(options.control, greedy=options.greedy),
    )
    if faults is None:
        faults = plan(options.seed, options.seconds)
    try:
        with stage:
            counters = _run_on_stage(stage, history, options, faults, on_progress)
        find_leftover_processes(folder, history)
    finally:
        history.save(folder / "history.jsonl")
    on_progress("check", 0.0)
    lines = history.lines()
    report = build_report(
        lines,
        check(lines),
        measure_shares(Evidence(lines)),
        seed=options.seed,
        seconds=options.seconds,
        control=options.control,
        counters=counters,
    )
    report.save(folder / "report.json")
    return report


def extra_env(control: str, *, greedy: bool) -> dict[str, str]:
    """The settings of the drill's processes that differ from the stack's."""
    env = {
        "TIMELINE_CAP": str(TIMELINE_CAP),
        "TIMELINE_SLACK": str(TIMELINE_SLACK),
        "LARGE_AUDIENCE": str(LARGE_AUDIENCE),
        **NOTICE_ENV,
    }
    if greedy:
        env["LIMITS_SCALE"] = "1"
    for name in control.split(","):
        if folder := PLANTED_ERRORS.get(name):
            env["PYTHONPATH"] = str(folder)
    return env


def _run_on_stage(
    stage: DrillStage,
    history: History,
    options: DrillOptions,
    faults: Sequence[PlannedFault],
    on_progress: OnProgress,
) -> dict[str, float]:
    """Run every phase that needs the stage; returns the product's counters."""
    state = SharedState(history, stage.api_urls, stage.push, options.seed)
    record_messages(history, stage.push)
    on_progress("people", 0.0)
    photos = int(options.seconds * PHOTOS_A_SECOND) + SPARE_PHOTOS
    populate(state, stage.graph, options.clients, photos=photos)
    on_progress("rehearsal", 0.0)
    rehearse(state)
    lane = GreedyLane(state, stage.graph)
    if options.greedy:
        lane.prepare()
        lane.begin()
    pages = PageCounter(history, stage.env["PROMETHEUS_MULTIPROC_DIR"], state.stop)
    pages.sample()
    pages.start()
    streams = [StreamClient(state, user, lasting=user.calm) for user in state.users]
    for stream in streams:
        stream.start()
    _run_clients_and_faults(stage, state, faults, options.seconds, on_progress)
    pages.join()
    lane.close()
    record_answers(history, lane)
    on_progress("quiet", 0.0)
    heal(stage, history)
    state.stop = threading.Event()
    warm_up_graph(stage)
    drain(stage, history, seconds=CONTROL_DRAIN_SECONDS if options.control else DRAIN_SECONDS)
    pages.sample()
    _stop_streams(streams)
    on_progress("reading everything", 0.0)
    record_feeds(stage, state, cap=TIMELINE_CAP, slack=TIMELINE_SLACK)
    record_notifications(state)
    record_push_refusals(stage, history)
    record_logs(stage, history, _secrets(stage.env))
    return read_counters(stage.env["PROMETHEUS_MULTIPROC_DIR"])


def _run_clients_and_faults(
    stage: DrillStage,
    state: SharedState,
    faults: Sequence[PlannedFault],
    seconds: float,
    on_progress: OnProgress,
) -> None:
    """Run clients, watchers and faults together; returns when no request is in flight."""
    start = state.history.now()
    state.calm_minutes = [(start + begin, start + end) for begin, end in calm_minutes(seconds)]
    injector = Injector(stage, faults, state.history)
    clients = [Client(state, user) for user in state.users]
    watchers = [Watcher(state, number) for number in range(WATCHERS)]
    for thread in (injector, *clients, *watchers):
        thread.start()
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        on_progress("drill", 1 - left / seconds)
        time.sleep(min(1.0, left))
    injector.stop()
    state.stop.set()
    for thread in (injector, *clients, *watchers):
        thread.join(LONGEST_REQUEST_SECONDS)


def _stop_streams(streams: Sequence[StreamClient]) -> None:
    for stream in streams:
        stream.stop()
    for stream in streams:
        stream.join(LONGEST_REQUEST_SECONDS)


def _secrets(env: Mapping[str, str]) -> list[str]:
    """The passwords and keys that no log may hold."""
    logins = [env[name].rpartition("@")[0] for name in URLS_WITH_PASSWORDS]
    return [env[name] for name in SECRETS] + [login.rpartition(":")[2] for login in logins]
