"""A town's graph, imported once and kept: each run works on a copy, so it begins with the same."""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from threading import Event

from bench.stage import town_files
from bench.stage.town import Town, proper
from graph import Graph, GraphSettings, schema
from stack import LocalStack, StackError, StackSettings, secrets
from stack.parts.neo4j import SERVER_OPTIONS, LocalNeo4j, admin_command, java_environment
from stack.parts.stores import SHARED_LIBRARY
from stack.settings import ROOT

KEPT = ROOT / ".local" / "bench" / "graphs"
VERSION = 1
"""Raised when towns come out differently, so that older graphs are made anew."""

IMPORT_HEAP = "1g"
IMPORT_SECONDS = 3_600
MADE = "made.json"
"""Written last: without it the folder is what a killed import has left."""

Say = Callable[[str], None]


def kept(town: Town, say: Say) -> Path:
    """The folder of the town's graph, indexed and at rest; made where there is none."""
    proper(town.users)
    folder = KEPT / f"{town.users}-{town.seed}"
    if _version(folder) != VERSION:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        _make(town, folder, say)
    return folder


def settings(folder: Path, users: int, **more: str | int) -> StackSettings:
    """A stack's settings with the memory that a graph of so many users wants."""
    large = users > 200_000  # noqa: PLR2004 - what fits into less
    return StackSettings(
        folder=folder,
        neo4j_heap="1g",
        neo4j_pagecache="4g" if large else "1g",
        **more,  # type: ignore[arg-type]
    )


def graph_settings(env: dict[str, str]) -> GraphSettings:
    """Where the graph of a stack is."""
    return GraphSettings(
        uri=env["NEO4J_URI"],
        user=env["NEO4J_USER"],
        password=env["NEO4J_PASSWORD"],
        database=env["NEO4J_DATABASE"],
        max_connections=64,
    )


def _version(folder: Path) -> int | None:
    try:
        return int(json.loads((folder / MADE).read_text())["version"])
    except (OSError, ValueError, KeyError):
        return None


def _make(town: Town, folder: Path, say: Say) -> None:
    seconds = {}
    for name, step in (("write", _write), ("import", _import), ("index", _index)):
        began = time.monotonic()
        step(town, folder, say)
        seconds[name] = round(time.monotonic() - began, 1)
    size = sum(one.stat().st_size for one in (folder / "neo4j" / "data").rglob("*.db*"))
    made = {"version": VERSION, "seconds": seconds, "store_bytes": size}
    (folder / MADE).write_text(json.dumps(made))
    say(f"has a graph of {town.users:,} users: {made}")


def _write(town: Town, folder: Path, say: Say) -> None:
    (folder / "csv").mkdir()
    town_files.write(town, folder / "csv", say)


def _import(town: Town, folder: Path, say: Say) -> None:
    """The files into the store of a Neo4j that stands still."""
    say(f"imports {town.users:,} users")
    home = folder / "neo4j"
    _neo4j(home, secrets.load(folder / "secrets.env")["NEO4J_PASSWORD"]).prepare()
    with (home / "conf" / "neo4j.conf").open("a") as conf:  # of the Java that does the import
        conf.writelines(f"server.jvm.additional={option}\n" for option in SERVER_OPTIONS)
    command = [
        *admin_command(home, heap=IMPORT_HEAP),
        *("database", "import", "full", "neo4j", "--overwrite-destination", "--id-type=integer"),
        f"--report-file={folder / 'import.report'}",
        *town_files.arguments(folder / "csv"),
    ]
    with (folder / "import.log").open("w") as log:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            timeout=IMPORT_SECONDS,
            check=False,
            cwd=folder,
            env=os.environ | java_environment(home),
        )
    if done.returncode:
        raise StackError(f"The import failed:\n{(folder / 'import.log').read_text()[-2000:]}")
    shutil.rmtree(folder / "csv")


def _neo4j(home: Path, password: str) -> LocalNeo4j:
    """Only prepared, never started: so its ports say nothing."""
    return LocalNeo4j(
        home,
        bolt=1,
        http=2,
        password=password,
        heap="512m",
        pagecache="256m",
        java_options=(),
        other_libraries=[SHARED_LIBRARY],
        stopping=Event(),
    )


def _index(town: Town, folder: Path, say: Say) -> None:
    say("makes constraints and indexes, and waits for them")
    stack = LocalStack(settings(folder, town.users), report=say, stores=("neo4j",))
    with stack, Graph.open(graph_settings(stack.env)) as graph:
        schema.apply(graph.connection)
        _prove(town, graph)


def _prove(town: Town, graph: Graph) -> None:
    """Raises StackError where the graph is not the town's."""
    users = graph.users.count_after(0)
    followers = graph.follows.followers_page(town.user_id(0), after=0, limit=25_000)
    expected = [town.user_id(index) for index in town.followers(0)[:25_000]]
    if users != town.users or followers != expected:
        raise StackError(f"The graph has {users} users, or other followers than were written.")
