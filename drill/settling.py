"""After the last fault: ends all faults and waits until the system has done all its work."""

import time
from contextlib import suppress
from pathlib import Path

import psutil

from drill.history import History
from drill.stage.errors import UnhealthyError
from drill.stage.stage import DrillStage
from graph import schema
from graph.errors import GraphError
from storage.errors import StorageError

QUIET_SECONDS = 10.0
"""How long nothing must be left to do until the system counts as drained."""
DRAIN_SECONDS = 240.0
"""An unfollow holds its event back for half a minute; a lease and a sweep follow. What is left
after this time is lost."""
DRAIN_CHECK_SECONDS = 0.25
SESSION = "ending"
"""The session of the operations after the last fault."""


def heal(stage: DrillStage, history: History) -> None:
    """End all faults; records `healed`, failed if a process or store does not come back."""
    number = history.invoke(SESSION, "healed")
    try:
        stage.heal()
    except UnhealthyError as error:
        history.end(number, "fail", why=str(error))
    else:
        history.end(number, "ok")


def warm_up_graph(stage: DrillStage) -> None:
    """Run the most frequent queries on a restarted graph: planning them takes seconds."""
    with suppress(GraphError):
        schema.warm(stage.graph.connection)


def drain(stage: DrillStage, history: History, *, seconds: float = DRAIN_SECONDS) -> None:
    """Wait until no event and no job has been left for a while; records `drained`.

    It is recorded as failed after `seconds`, with what is left.
    """
    number = history.invoke(SESSION, "drained")
    began = time.monotonic()
    quiet_since: float | None = None
    while True:
        left = _left(stage)
        now = time.monotonic()
        quiet_since = None if left else quiet_since or now
        if quiet_since and now - quiet_since >= QUIET_SECONDS:
            break
        if now - began > seconds:
            break
        time.sleep(DRAIN_CHECK_SECONDS)
    history.end(
        number,
        "ok" if quiet_since else "fail",
        seconds=round((quiet_since or now) - began, 1),
        why=left,
        quarantined=stage.quarantined_events(),
    )


def find_leftover_processes(folder: Path, history: History) -> None:
    """Look for processes of the stage that still run after its stop; records `struck`."""
    number = history.invoke(SESSION, "struck")
    leftovers = []
    me = psutil.Process()
    callers = {me.pid, *(parent.pid for parent in me.parents())}
    for process in psutil.process_iter():
        if process.pid in callers:
            continue  # their command lines may name the folder too
        with suppress(psutil.Error):
            command = " ".join(process.cmdline())
            if str(folder) in command + process.environ().get("DRILL_CLOCK", ""):
                leftovers.append(f"{process.pid} {command}"[:200])
    history.end(number, "fail" if leftovers else "ok", processes=leftovers)


def _left(stage: DrillStage) -> str:
    """What is still to be done; empty if nothing is."""
    try:
        events, jobs = stage.pending_events(), stage.queued_jobs()
    except (GraphError, StorageError) as error:  # a store has just restarted
        return f"a store does not answer: {error}"
    return f"{events} events, {jobs} jobs" if events or jobs else ""
