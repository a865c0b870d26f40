"""A town's graph, imported once and stored. Each run works on a copy, so all start alike."""

import json
import os
import shutil
import subprocess
import time
from pathlib import Path
from threading import Event

from bench.stage import town_files
from bench.stage.folders import FOLDER
from bench.stage.town import LARGE_TOWN, Town, validate_size
from graph import Graph, GraphSettings, schema
from stack import LocalStack, StackError, StackSettings, secrets
from stack.parts.neo4j import SERVER_OPTIONS, LocalNeo4j, admin_command, java_environment
from stack.parts.stores import SHARED_LIBRARY
from stack.terminal import Report

GRAPHS = FOLDER / "graphs"
VERSION = 2
"""To be raised when towns come out differently, so that stored graphs are imported again."""

IMPORT_HEAP = "1g"
IMPORT_SECONDS = 3_600
MARKER = "made.json"
"""Written last. A folder without it is the rest of a killed import."""

MAX_FOLLOWERS = 25_000
"""Followers that the proof of a graph compares."""


def town_graph(town: Town, report: Report) -> Path:
    """The folder of the town's graph, indexed and not running; imported if it is missing."""
    validate_size(town.users)
    folder = GRAPHS / f"{town.users}-{town.seed}"
    if _version(folder) != VERSION:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        _create(town, folder, report)
    return folder


def stack_settings(folder: Path, users: int, **more: str | int) -> StackSettings:
    """A stack's settings, with enough memory for the graph of a town of this size."""
    return StackSettings(
        folder=folder,
        neo4j_heap="1g",
        neo4j_pagecache="4g" if users > LARGE_TOWN // 4 else "1g",
        **more,  # type: ignore[arg-type]
    )


def graph_settings(env: dict[str, str]) -> GraphSettings:
    """The settings of the graph of a stack with this environment."""
    return GraphSettings(
        uri=env["NEO4J_URI"],
        user=env["NEO4J_USER"],
        password=env["NEO4J_PASSWORD"],
        database=env["NEO4J_DATABASE"],
        max_connections=64,
    )


def _version(folder: Path) -> int | None:
    try:
        return int(json.loads((folder / MARKER).read_text())["version"])
    except (OSError, ValueError, KeyError):
        return None


def _create(town: Town, folder: Path, report: Report) -> None:
    seconds = {}
    for name, step in (("write", _write), ("import", _import), ("index", _index)):
        began = time.monotonic()
        step(town, folder, report)
        seconds[name] = round(time.monotonic() - began, 1)
    size = sum(file.stat().st_size for file in (folder / "neo4j" / "data").rglob("*.db*"))
    summary = {"version": VERSION, "seconds": seconds, "store_bytes": size}
    (folder / MARKER).write_text(json.dumps(summary))
    report(f"imported a graph of {town.users:,} users: {summary}")


def _write(town: Town, folder: Path, report: Report) -> None:
    (folder / "csv").mkdir()
    town_files.write(town, folder / "csv", report)


def _import(town: Town, folder: Path, report: Report) -> None:
    """Import the files into the store of a Neo4j that does not run."""
    report(f"importing {town.users:,} users")
    home = folder / "neo4j"
    _prepare_neo4j(home, secrets.load(folder / "secrets.env")["NEO4J_PASSWORD"])
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


def _prepare_neo4j(home: Path, password: str) -> None:
    LocalNeo4j(
        home,
        bolt=1,  # never started, so no port is used
        http=2,
        password=password,
        heap="512m",
        pagecache="256m",
        java_options=(),
        other_libraries=[SHARED_LIBRARY],
        stopping=Event(),
    ).prepare()


def _index(town: Town, folder: Path, report: Report) -> None:
    report("creating constraints and indexes")
    stack = LocalStack(stack_settings(folder, town.users), report=report, stores=("neo4j",))
    with stack, Graph.open(graph_settings(stack.env)) as graph:
        schema.apply(graph.connection)
        _verify(town, graph)


def _verify(town: Town, graph: Graph) -> None:
    """Raises StackError if the graph is not that of the town."""
    users = graph.users.count_after(0)
    followers = graph.follows.followers_page(town.user_id(0), after=0, limit=MAX_FOLLOWERS)
    expected = [town.user_id(index) for index in town.followers(0)[:MAX_FOLLOWERS]]
    if users != town.users or followers != expected:
        raise StackError(f"The graph has {users} users, or other followers than the town.")
