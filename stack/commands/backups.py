"""`python -m stack backup | restore`: the graph as one file.

Neo4j Community can be copied only while it is stopped. Both commands stop it, copy, and start it
again. Meanwhile cached feeds are readable; every other request gets 503.
"""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import redis
from redis.exceptions import RedisError

from stack.errors import StackError
from stack.parts.neo4j import Login, admin_command, java_environment, login_problem
from stack.secrets import write_private
from stack.settings import StackSettings
from stack.supervision import records
from stack.supervision.holds import hold, stop_on_hold
from stack.supervision.launcher import lock_folder
from stack.terminal import Report

NAME = "neo4j"
"""The part's name, and the database's."""

HEAP = "256m"
COPY_SECONDS = 3_600
STOP_SECONDS = 60
START_SECONDS = 180
POLL_SECONDS = 0.2

MAGIC = (b"DZV1", b"DGV1")
"""The first bytes of a dump, compressed by zstd or gzip."""

EXTERNAL = """\
The Neo4j at {uri} is external: only its own machine can copy it.
  cluster or Enterprise: neo4j-admin database backup, while it runs
  Aura: its console
  Community: stop it there, then
    neo4j-admin database dump neo4j --to-path=FOLDER
    neo4j-admin database load neo4j --from-path=FOLDER --overwrite-destination=true
After a load, empty the cache's Redis (FLUSHDB) before you start Neo4j:
see docs/operating/backup.md."""


def backup(settings: StackSettings, path: Path, env: dict[str, str] | None, report: Report) -> Path:
    """Write the graph to `path`, or to a new file in that folder; returns the file's path.

    `env` is the environment of the running stack, None if it does not run. Never overwrites a
    file, and leaves no partial one. Raises StackError.
    """
    home = _home_of_local(settings, env)
    if path.is_dir():
        path /= f"photofeed-{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}.dump"
    if path.exists():
        raise StackError(f"{path} is there already: name another file.")
    if not path.parent.is_dir():
        raise StackError(f"There is no folder {path.parent}.")
    draft = path.with_name(f".{path.name}.part")
    write_private(draft, "")  # the graph holds password hashes
    try:
        with _neo4j_stopped(settings, env, report):
            began = time.monotonic()
            with draft.open("wb") as output:
                _neo4j_admin(home, "dump", NAME, "--to-stdout", stdout=output)
            seconds = time.monotonic() - began
            with draft.open("rb") as written:
                os.fsync(written.fileno())
        draft.rename(path)
    finally:
        draft.unlink(missing_ok=True)
    report(f"{path}: {path.stat().st_size / 1e6:.1f} MB, copied in {seconds:.1f} s.")
    return path


def restore(
    settings: StackSettings, path: Path, env: dict[str, str] | None, report: Report
) -> None:
    """Replace the graph by that of the dump, and empty the cache.

    `env` is as for backup(). If the load fails, the old graph is put back. Raises StackError.
    """
    home = _home_of_local(settings, env)
    if not path.is_file():
        raise StackError(f"There is no file {path}.")
    with path.open("rb") as dump:
        if dump.read(4) not in MAGIC:
            raise StackError(f"{path} is not a dump of Neo4j's.")
    with _neo4j_stopped(settings, env, report):
        began = time.monotonic()
        with _old_graph_aside(home), path.open("rb") as dump:
            _neo4j_admin(
                home, "load", NAME, "--from-stdin", "--overwrite-destination=true", stdin=dump
            )
        report(f"{path} has been loaded in {time.monotonic() - began:.1f} s.")
        _empty_cache(settings, env, report)
    if env:
        report("All writes after the dump are lost: posts, follows, sessions and deletions.")


def _home_of_local(settings: StackSettings, env: dict[str, str] | None) -> Path:
    """The folder of this stack's Neo4j. Raises StackError if Neo4j is external or has no graph.

    A command that runs in the stack's environment has NEO4J_URI set to the local one.
    """
    running_uri = (env or {}).get("NEO4J_URI")
    is_local = records.read(settings.folder / "run", NAME) is not None
    if settings.neo4j_uri and not (is_local and settings.neo4j_uri == running_uri):
        raise StackError(EXTERNAL.format(uri=settings.neo4j_uri))
    home = settings.folder / NAME
    if not (home / "data" / "databases" / NAME).is_dir():
        raise StackError(f"There is no graph in {home}: run `make up` once.")
    return home


@contextmanager
def _neo4j_stopped(
    settings: StackSettings, env: dict[str, str] | None, report: Report
) -> Iterator[None]:
    """Stop Neo4j and prevent its start; at the end start it and wait until it answers.

    If the stack does not run, the folder's lock prevents its start.
    """
    if env is None:
        with lock_folder(settings.folder):  # raises while the stack is starting
            yield
        return
    run_folder = settings.folder / "run"
    record = records.read(run_folder, NAME)
    if record is None:
        raise StackError("Neo4j is down and is being started again: try again in a minute.")
    with hold(run_folder, NAME):
        report("Neo4j stops. Cached feeds stay readable; every other request gets 503.")
        began = time.monotonic()
        stop_on_hold(run_folder, record, seconds=STOP_SECONDS)
        try:
            yield
        finally:
            report("Neo4j starts again …")
    _await_login(env)
    report(f"Neo4j answers again; it was down for {time.monotonic() - began:.1f} s.")


def _await_login(env: dict[str, str]) -> None:
    """Return when Neo4j answers a query. Raises StackError after START_SECONDS."""
    login = Login(
        uri=env["NEO4J_URI"],
        user=env["NEO4J_USER"],
        password=env["NEO4J_PASSWORD"],
        database=env["NEO4J_DATABASE"],
    )
    deadline = time.monotonic() + START_SECONDS
    while problem := login_problem(login, refused="Neo4j does not accept its own password."):
        if time.monotonic() > deadline:
            raise StackError(f"Neo4j does not start: {problem}. See `make logs PART=neo4j`.")
        time.sleep(POLL_SECONDS)


@contextmanager
def _old_graph_aside(home: Path) -> Iterator[None]:
    """Move the graph away, remove it at the end, and move it back after an error."""
    aside = home / "before-restore"
    if aside.exists():
        raise StackError(
            f"{aside} holds the graph from before a restore that was killed. Move its folders "
            f"back into {home / 'data'}, or remove it."
        )
    folders = [
        (home / "data" / kind / NAME, aside / kind) for kind in ("databases", "transactions")
    ]
    aside.mkdir()
    for original, saved in folders:
        if original.exists():
            original.rename(saved)
    try:
        yield
    except BaseException:
        for original, saved in folders:
            shutil.rmtree(original, ignore_errors=True)
            if saved.exists():
                saved.rename(original)
        aside.rmdir()
        raise
    shutil.rmtree(aside)


def _empty_cache(settings: StackSettings, env: dict[str, str] | None, report: Report) -> None:
    """Remove all that was cached from the old graph. Raises StackError."""
    url = env["CACHE_REDIS_URL"] if env else settings.cache_redis_url
    if url is None:
        report("The cache is empty: it stores nothing on disk.")
        return
    try:
        with redis.Redis.from_url(url, socket_timeout=10) as cache:
            cache.flushdb(asynchronous=True)
    except RedisError as error:
        raise StackError(
            f"The graph is restored, but the cache could not be emptied ({error}). Empty it "
            "yourself (FLUSHDB) before anybody reads: it holds posts that the graph lacks."
        ) from error
    report("The cache has been emptied.")


def _neo4j_admin(
    home: Path, *words: str, stdin: IO[bytes] | None = None, stdout: IO[bytes] | None = None
) -> None:
    """Run `neo4j-admin database …`. Raises StackError with the end of its output."""
    try:
        subprocess.run(
            [*admin_command(home, heap=HEAP), "database", *words],
            check=True,
            stdin=stdin or subprocess.DEVNULL,
            stdout=stdout or subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=COPY_SECONDS,
            env=os.environ | java_environment(home),
        )
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        end = (error.stderr or str(error).encode()).decode(errors="replace").strip()[-1000:]
        raise StackError(f"neo4j-admin database {words[0]} failed:\n{end}") from error
