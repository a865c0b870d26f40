"""Neo4j's jars: which they are (a committed lock file), fetched once and verified.

`python -m stack lock` asks the Maven repository what Neo4j needs and writes the lock; `make up`
only fetches what the lock names, each jar alone, so nothing is resolved at a start.
jgo knows the repository, and where the user's own Maven cache is.
"""

import hashlib
import os
import shutil
import threading
import time
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import requests
from jgo.maven import Artifact, Dependency, MavenContext, PythonResolver
from jgo.parse import Coordinate

from stack.errors import InterruptedStartError, StackError
from stack.progress import Progress

T = TypeVar("T")
Reporter = Callable[[str, int], AbstractContextManager[Callable[[int], None]]]

NEO4J = (
    "org.neo4j:neo4j:2026.09.0",
    "org.neo4j.app:neo4j-server:2026.09.0",
    "org.neo4j:neo4j-bolt:2026.09.0",
    "org.neo4j.client:neo4j-browser:5.24.0",
)
"""What the lock is made from: the server, its two doors, and the Browser."""

LOCK = Path(__file__).with_name("neo4j.lock")
THREADS = 8
TRIES = 6
READ_SECONDS = 20
"""How long the repository may be silent. jgo's own ten seconds are too few on a busy line."""
LOOK_SECONDS = 0.5
"""Between two looks at whether the person wants to stop."""
PAUSE_SECONDS = 1.0
"""Before the second try; doubled before each further one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Jar:
    """One line of the lock."""

    coordinate: str  # group:artifact:version[:classifier]
    sha256: str

    @property
    def file_name(self) -> str:
        """As the repository names it; no two jars of the lock share one."""
        return "-".join(self.coordinate.split(":")[1:]) + ".jar"


def read_lock(path: Path = LOCK) -> list[Jar]:
    """The jars of the lock file."""
    lines = (line.split() for line in path.read_text().splitlines() if not line.startswith("#"))
    return [Jar(coordinate=fields[0], sha256=fields[1]) for fields in lines if fields]


def ensure(
    jars: Sequence[Jar],
    library: Path,
    *,
    near: Sequence[Path],
    stop: threading.Event,
    repositories: Mapping[str, str] | None = None,
) -> None:
    """Puts every jar into `library`, whole and verified; does nothing when they are all there.

    Takes them from `near` (other libraries) or the user's Maven cache where the bytes are right,
    else from the repository. A killed run leaves no half jar: what is there is a whole one.
    `repositories` are names and URLs to fetch from instead of jgo's own.
    """
    marker = library / "complete"
    digest = _digest(jars)
    if marker.exists() and marker.read_text() == digest:
        return
    library.mkdir(parents=True, exist_ok=True)
    _remove_strangers(jars, library)
    missing = [jar for jar in jars if not _right(library / jar.file_name, jar)]
    missing = [jar for jar in missing if not _taken_from(_nearby(jar, near), jar, library)]
    if missing:
        there = len(jars) - len(missing)
        with Progress("Fetching Neo4j", len(jars), unit="jars", done=there) as progress:
            context = MavenContext(
                resolver=PythonResolver(progress_callback=_reporter(progress, stop)),
                repo_cache=library / "fetching",
                remote_repos=dict(repositories) if repositories else None,
                timeout=READ_SECONDS,
            )
            _fetch_all(missing, library, context, done=progress.advance, stop=stop)
    marker.write_text(digest)


def write_lock(path: Path = LOCK) -> int:
    """Resolves Neo4j's dependencies anew and writes the lock; how many jars there are."""
    context = MavenContext(timeout=READ_SECONDS)
    wanted = [_dependency(context, coordinate) for coordinate in NEO4J]
    direct, transitive = _retried(lambda: context.resolver.resolve(wanted), stop=None)
    artifacts = {dependency.artifact.key: dependency.artifact for dependency in direct + transitive}
    lines = []
    for key in sorted(artifacts):
        jar = _retried(artifacts[key].resolve, stop=None)
        if not zipfile.is_zipfile(jar):
            raise StackError(f"{jar} is no whole jar: remove it and lock again")
        sha256 = _sha256(jar)
        group, artifact, version, classifier, _ = key
        name = ":".join(part for part in (group, artifact, version, classifier) if part)
        lines.append(f"{name} {sha256}\n")
    path.write_text(
        "# Neo4j's jars, made by `make lock` from stack/parts/jars.py\n" + "".join(lines)
    )
    return len(lines)


def _dependency(context: MavenContext, coordinate: str) -> Dependency:
    group, artifact, version = coordinate.split(":")
    return context.create_dependency(
        Coordinate(groupId=group, artifactId=artifact, version=version, scope="compile")
    )


def _fetch_all(
    missing: Sequence[Jar],
    library: Path,
    context: MavenContext,
    *,
    done: Callable[[], None],
    stop: threading.Event,
) -> None:
    shutil.rmtree(context.repo_cache, ignore_errors=True)  # half jars of a run that was killed
    pool = ThreadPoolExecutor(THREADS, thread_name_prefix="jars")
    waiting = {pool.submit(_fetch, jar, context, library, stop) for jar in missing}
    try:
        while waiting:
            ready, waiting = wait(waiting, timeout=LOOK_SECONDS, return_when=FIRST_COMPLETED)
            if stop.is_set():
                raise InterruptedStartError  # a thread may hang in its read: not waited for
            for future in ready:
                future.result()
                done()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
    shutil.rmtree(context.repo_cache, ignore_errors=True)


def _fetch(jar: Jar, context: MavenContext, library: Path, stop: threading.Event) -> None:
    """Downloads into a folder of drafts, verifies, then moves the whole jar to its places."""
    artifact, drafts = _artifact(jar, context), context.repo_cache

    def download() -> None:
        draft = drafts / artifact.component.path_prefix / artifact.cached_filename
        draft.unlink(missing_ok=True)  # of the try before: jgo writes straight into it
        artifact.resolve()
        if not _right(draft, jar):
            raise ConnectionError(f"{jar.coordinate} arrived with other bytes than the lock names")
        place(draft, library / jar.file_name)
        cached = _cache_path(jar)
        with suppress(OSError):  # a courtesy to the next clone; the cache may be read-only
            place(draft, cached) if cached else None

    _retried(download, stop=stop)


def _retried(action: Callable[[], T], *, stop: threading.Event | None) -> T:
    for attempt in range(1, TRIES + 1):
        if stop and stop.is_set():
            raise InterruptedStartError
        try:
            return action()
        except (requests.RequestException, ConnectionError, RuntimeError) as error:
            if attempt == TRIES:
                raise StackError(
                    "Neo4j could not be fetched from its Maven repository: "
                    f"{_short(error)}. Is this machine online? Behind a proxy, set HTTPS_PROXY. "
                    "Then run the same command again: what has arrived is kept."
                ) from error
            time.sleep(PAUSE_SECONDS * 2 ** (attempt - 1))
    raise AssertionError


def _reporter(progress: Progress, stop: threading.Event) -> Reporter:
    lock = threading.Lock()
    arrived_bytes = 0

    @contextmanager
    def report(_file_name: str, _size: int) -> Iterator[Callable[[int], None]]:
        def arrived(count: int) -> None:
            nonlocal arrived_bytes
            if stop.is_set():
                raise InterruptedStartError
            with lock:
                arrived_bytes += count
                progress.describe(f"{arrived_bytes / 1e6:.0f} MB")

        yield arrived

    return report


def place(source: Path, target: Path) -> None:
    """Makes `target` the same file as `source`, at once: a hard link, or a copy across disks."""
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f".{target.name}.{os.getpid()}.{threading.get_ident()}")
    draft.unlink(missing_ok=True)
    try:
        os.link(source, draft)
    except OSError:
        shutil.copyfile(source, draft)
    draft.replace(target)


def _taken_from(sources: Iterable[Path], jar: Jar, library: Path) -> bool:
    for source in sources:
        if _right(source, jar):
            place(source, library / jar.file_name)
            return True
    return False


def _nearby(jar: Jar, near: Sequence[Path]) -> list[Path]:
    cached = _cache_path(jar)
    return [*(library / jar.file_name for library in near), *([cached] if cached else [])]


def _cache_path(jar: Jar) -> Path | None:
    """Where the user's own Maven cache has it, or would have it; None for one without a home."""
    try:
        context = MavenContext()
    except RuntimeError:
        return None
    artifact = _artifact(jar, context)
    return context.repo_cache / artifact.component.path_prefix / artifact.cached_filename


def _artifact(jar: Jar, context: MavenContext) -> Artifact:
    group, artifact, version, *classifier = jar.coordinate.split(":")
    component = context.project(group, artifact).at_version(version)
    return component.artifact(classifier[0] if classifier else "", "jar")


def _remove_strangers(jars: Iterable[Jar], library: Path) -> None:
    """Removes what an older lock has left: all that lies in the folder is on the class path."""
    known = {jar.file_name for jar in jars}
    for path in library.glob("*.jar"):
        if path.name not in known:
            path.unlink()


def _right(path: Path, jar: Jar) -> bool:
    return path.is_file() and _sha256(path) == jar.sha256


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _digest(jars: Iterable[Jar]) -> str:
    lines = sorted(f"{jar.coordinate} {jar.sha256}" for jar in jars)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _short(error: Exception) -> str:
    text = str(error) or type(error).__name__
    return text if len(text) < 200 else text[:200] + "…"  # noqa: PLR2004 - one line of a terminal
