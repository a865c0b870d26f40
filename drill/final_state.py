"""After the last fault: waiting until nothing is owed, then reading everything for the checker."""

import re
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from drill.history import History
from drill.load.api_client import Door
from drill.load.reader import LARGEST_LIMIT, Reader
from drill.load.world import Citizen, World
from graph import schema
from graph.errors import GraphError
from storage.errors import StorageError

if TYPE_CHECKING:
    from drill.stage.stage import DrillStage

QUIET_SECONDS = 10.0
DRAIN_SECONDS = 240.0
"""A leaving is owed for half a minute, a lease and a sweep come on top; after that it is lost."""
FOLLOWING_SECONDS = 60.0
LIST_SECONDS = 10.0
"""How long lists may take to be built once they are asked for."""
SESSION = "ending"
OURS = re.compile(r"pf_[A-Za-z0-9_-]{40,}")
"""An auth token."""
TRACEBACK = "Traceback (most recent call last)"
EXCERPT = 1_500


def heal(stage: "DrillStage", history: History) -> None:
    """Ends all faults; a process that does not come back by itself is written down."""
    number = history.invoke(SESSION, "healed")
    try:
        stage.heal()
    except AssertionError as error:
        history.end(number, "fail", why=str(error))
    else:
        history.end(number, "ok")


def find_leftovers(folder: Path, history: History) -> None:
    """Processes of the stage that still run after it was struck."""
    number = history.invoke(SESSION, "struck")
    found = []
    me = psutil.Process()
    callers = {me.pid, *(parent.pid for parent in me.parents())}
    for process in psutil.process_iter():
        if process.pid in callers:
            continue  # they may have been told the folder
        with suppress(psutil.Error):
            command = " ".join(process.cmdline())
            if str(folder) in command + process.environ().get("DRILL_CLOCK", ""):
                found.append(f"{process.pid} {command}"[:200])
    history.end(number, "fail" if found else "ok", processes=found)


def wake(stage: "DrillStage") -> None:
    """Has a graph that came back lately plan the most frequent queries, which takes it long."""
    with suppress(GraphError):
        schema.warm(stage.graph.connection)


def drain(stage: "DrillStage", history: History, *, seconds: float = DRAIN_SECONDS) -> float:
    """Waits until nothing has been owed and no job has waited for a while; how long that took.

    What cannot be drained in `seconds` is written down as such.
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
        time.sleep(0.25)
    took = round((quiet_since or now) - began, 1)
    history.end(
        number,
        "ok" if quiet_since else "fail",
        seconds=took,
        why=left,
        quarantined=stage.quarantined(),
    )
    return took


def _left(stage: "DrillStage") -> str:
    """What is still to be done; empty: nothing."""
    try:
        owed, jobs = stage.owed(), stage.jobs()
    except (GraphError, StorageError) as error:  # a store that has just come back
        return f"a store does not tell: {error}"
    return f"{owed} events, {jobs} jobs" if owed or jobs else ""


def read_everything(stage: "DrillStage", world: World, *, cap: int, slack: int) -> None:
    """Every feed by every API process, as the lists stand and after they were built anew."""
    doors = [Door(url) for url in world.api_urls]
    for citizen in world.citizens:
        _following(world.history, doors[0], citizen)
    reader = Reader(world.history, doors, world.rng("ending"), world.stop)
    for round_ in (1, 2):
        for citizen in world.citizens:
            for door in doors:
                reader.walk(
                    citizen.id,
                    citizen.watching_token,
                    SESSION,
                    limit=(37, LARGEST_LIMIT)[round_ - 1],
                    door=door,
                    final=round_,
                )
        if round_ == 1:
            _await_lists(stage, world.citizens)
    for citizen in world.citizens:
        _list(stage, world.history, citizen.id, longest=cap + slack)
    for door in doors:
        door.close()


def read_logs(stage: "DrillStage", history: History, secrets: Iterable[str]) -> None:
    """What must not stand in a log: a traceback, a token, a password."""
    wanted = {secret for secret in secrets if secret}
    for process, text in stage.logs().items():
        number = history.invoke(SESSION, "log", process=process)
        tracebacks = [
            text[max(0, match.start() - 400) : match.start() + EXCERPT]
            for match in re.finditer(re.escape(TRACEBACK), text)
        ]
        found = [secret[:8] for secret in wanted if secret in text]
        found += [token[:8] for token in OURS.findall(text)]
        history.end(number, "ok", traceback=tracebacks[:5], secret=found, count=len(tracebacks))


def _following(history: History, door: Door, citizen: Citizen) -> None:
    """Whom the citizen follows; the checker misses it where it is not told."""
    end = time.monotonic() + FOLLOWING_SECONDS
    while True:
        number = history.invoke(SESSION, "following", viewer=citizen.id)
        path = f"/v1/me/following?limit={LARGEST_LIMIT}"
        answer = door.ask("GET", path, token=citizen.watching_token)
        told = answer.status == 200
        ids = [int(user["id"]) for user in answer.body.get("users", [])]
        history.end(number, "ok" if told else "fail", **answer.facts, ids=ids)
        if told or time.monotonic() > end:
            return
        time.sleep(0.5)


def _await_lists(stage: "DrillStage", citizens: Iterable[Citizen]) -> None:
    """Reading has asked for them; a walk in their absence is no less right, only less told."""
    end = time.monotonic() + LIST_SECONDS
    for citizen in citizens:
        while not stage.storage.timelines.whole(citizen.id) and time.monotonic() < end:
            time.sleep(0.05)


def _list(stage: "DrillStage", history: History, viewer: int, *, longest: int) -> None:
    number = history.invoke(SESSION, "list", viewer=viewer)
    entries = stage.storage.timelines.whole(viewer)
    ttl = stage.storage.timelines._cache.client.ttl(f"tl:{viewer:014x}")
    history.end(number, "ok", entries=entries, ttl=ttl, longest=longest)
