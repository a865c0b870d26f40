"""`python -m stack backup | restore`: the graph as one file, and its way back.

Neo4j Community can be copied only while it stands still. So it is stopped, copied and started
again; meanwhile cached feeds are read on, and everything else is answered 503.
"""

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import redis
from redis.exceptions import RedisError

from stack.errors import StackError
from stack.local import lock
from stack.parts.neo4j import Login, admin_command, java_environment, login_problem
from stack.secrets import write_private
from stack.settings import StackSettings
from stack.supervision import records
from stack.supervision.holds import ended, held

NAME = "neo4j"
"""The part, and the database in it."""

HEAP = "256m"
COPY_SECONDS = 3_600
STOP_SECONDS = 60
START_SECONDS = 180
LOOK_SECONDS = 0.2

EXTERNAL = """\
The Neo4j at {uri} is not one that `make up` has started, and only its own machine can copy it:
  cluster or Enterprise: neo4j-admin database backup, while it runs
  Aura: its console
  Community: stop it there, then
    neo4j-admin database dump neo4j --to-path=FOLDER
    neo4j-admin database load neo4j --from-path=FOLDER --overwrite-destination=true
After a load empty the cache's Redis (FLUSHDB) before Neo4j is started: see docs/operating.md."""

Say = Callable[[str], None]


def backup(settings: StackSettings, path: Path, env: dict[str, str] | None, say: Say) -> Path:
    """Writes the graph into `path`, or into a new file in that folder; the file.

    `env` is what the running stack was told, if it runs. Raises StackError; a file that is there
    already is never overwritten, and one that is there is whole.
    """
    home = _own(settings, env)
    if path.is_dir():
        path /= f"photofeed-{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}.dump"
    if path.exists():
        raise StackError(f"{path} is there already: name another file.")
    if not path.parent.is_dir():
        raise StackError(f"There is no folder {path.parent}.")
    draft = path.with_name(f".{path.name}.part")
    write_private(draft, "")  # it holds password hashes: for its owner only
    try:
        with _stopped(settings, env, say):
            began = time.monotonic()
            with draft.open("wb") as output:
                _neo4j_admin(home, "dump", NAME, "--to-stdout", stdout=output)
            seconds = time.monotonic() - began
            with draft.open("rb") as written:
                os.fsync(written.fileno())
        draft.rename(path)
    finally:
        draft.unlink(missing_ok=True)
    say(f"{path}: {path.stat().st_size / 1e6:.1f} MB, copied in {seconds:.1f} s.")
    return path


def restore(settings: StackSettings, path: Path, env: dict[str, str] | None, say: Say) -> None:
    """Puts the graph of a dump in place of the one that is there, and empties the cache.

    What was there is kept until the other has been loaded. Raises StackError.
    """
    home = _own(settings, env)
    if not path.is_file():
        raise StackError(f"There is no file {path}.")
    with path.open("rb") as dump:
        if dump.read(4) not in MAGIC:
            raise StackError(f"{path} is not a dump of Neo4j's.")
    with _stopped(settings, env, say):
        began = time.monotonic()
        with _put_aside(home), path.open("rb") as dump:
            _neo4j_admin(
                home, "load", NAME, "--from-stdin", "--overwrite-destination=true", stdin=dump
            )
        say(f"{path} has been loaded in {time.monotonic() - began:.1f} s.")
        _empty_cache(settings, env, say)
    if env:
        say("Every post, follow and sign-in after the dump is gone; every deletion too.")


MAGIC = (b"DZV1", b"DGV1")
"""How a dump begins: compressed by zstd, or by gzip."""


def _own(settings: StackSettings, env: dict[str, str] | None) -> Path:
    """The folder of the Neo4j that is ours. Raises StackError where it is somebody else's."""
    running = (env or {}).get("NEO4J_URI")
    ours = records.read(settings.folder / "run", NAME) is not None
    if settings.neo4j_uri and not (ours and settings.neo4j_uri == running):
        raise StackError(EXTERNAL.format(uri=settings.neo4j_uri))
    home = settings.folder / NAME
    if not (home / "data" / "databases" / NAME).is_dir():
        raise StackError(f"There is no graph in {home}: start it once with `make up`.")
    return home


@contextmanager
def _stopped(settings: StackSettings, env: dict[str, str] | None, say: Say) -> Iterator[None]:
    """While this lasts Neo4j stands still, and nothing of the stack starts it."""
    if env is None:
        with lock(settings.folder):  # or it runs, and is not ready yet: this says so
            yield
        return
    run_folder = settings.folder / "run"
    record = records.read(run_folder, NAME)
    if record is None:
        raise StackError("Neo4j is down and is being started again: try it in a minute.")
    with held(run_folder, NAME):
        say("Neo4j stops. Cached feeds are read on; all else is answered 503 meanwhile.")
        began = time.monotonic()
        ended(run_folder, record, seconds=STOP_SECONDS)
        try:
            yield
        finally:
            say("Neo4j starts again …")
    _answering(env)
    say(f"Neo4j answers again; it was away for {time.monotonic() - began:.1f} s.")


def _answering(env: dict[str, str]) -> None:
    """Returns when Neo4j lets us in. Raises StackError if it never does."""
    login = Login(
        uri=env["NEO4J_URI"],
        user=env["NEO4J_USER"],
        password=env["NEO4J_PASSWORD"],
        database=env["NEO4J_DATABASE"],
    )
    deadline = time.monotonic() + START_SECONDS
    while problem := login_problem(login, refused="Neo4j does not accept its own password."):
        if time.monotonic() > deadline:
            raise StackError(f"Neo4j does not come back: {problem}. See `make logs PART=neo4j`.")
        time.sleep(LOOK_SECONDS)


@contextmanager
def _put_aside(home: Path) -> Iterator[None]:
    """The graph that is there, out of the way; back in its place if this fails."""
    aside = home / "before-restore"
    if aside.exists():
        raise StackError(
            f"{aside} holds the graph that was there before a restore that was killed. Move its "
            f"folders back into {home / 'data'}, or remove it."
        )
    moved = [(home / "data" / kind / NAME, aside / kind) for kind in ("databases", "transactions")]
    aside.mkdir()
    for place, kept in moved:
        if place.exists():
            place.rename(kept)
    try:
        yield
    except BaseException:
        for place, kept in moved:
            shutil.rmtree(place, ignore_errors=True)
            if kept.exists():
                kept.rename(place)
        aside.rmdir()
        raise
    shutil.rmtree(aside)


def _empty_cache(settings: StackSettings, env: dict[str, str] | None, say: Say) -> None:
    """Nothing that the other graph has filled may be read with this one."""
    url = env["CACHE_REDIS_URL"] if env else settings.cache_redis_url
    if url is None:
        say("The cache is empty: it keeps nothing when it stops.")
        return
    try:
        with redis.Redis.from_url(url, socket_timeout=10) as cache:
            cache.flushdb(asynchronous=True)
    except RedisError as error:
        raise StackError(
            f"The graph is restored, but the cache could not be emptied ({error}). Do that by hand "
            "(FLUSHDB) before anybody reads: it shows posts that the graph has forgotten."
        ) from error
    say("The cache has been emptied.")


def _neo4j_admin(
    home: Path, *words: str, stdin: IO[bytes] | None = None, stdout: IO[bytes] | None = None
) -> None:
    """Runs `neo4j-admin database …`. Raises StackError with the end of what it said."""
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
        raise StackError(f"neo4j-admin database {words[0]} failed. It says:\n{end}") from error
