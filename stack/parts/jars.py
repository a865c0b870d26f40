"""Neo4j's jars: listed in a committed lock file, fetched once and verified by SHA-256.

`python -m stack lock` resolves Neo4j's dependencies and writes the lock. `make up` resolves
nothing: it fetches each jar of the lock that is missing. jgo provides the Maven repository's URL
and the path of the user's own Maven cache.
"""

import hashlib
import os
import shutil
import threading
import time
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import TypeVar

import requests
from jgo.maven import Artifact, Dependency, MavenContext
from jgo.parse import Coordinate
from urllib3.exceptions import HTTPError

from stack.errors import InterruptedStartError, StackError
from stack.progress import Progress

T = TypeVar("T")
AddBytes = Callable[[int], None]
"""Called with each number of new bytes. Raises InterruptedStartError to stop."""

NEO4J = (
    "org.neo4j:neo4j:2026.09.0",
    "org.neo4j.app:neo4j-server:2026.09.0",
    "org.neo4j:neo4j-bolt:2026.09.0",
    "org.neo4j.client:neo4j-browser:5.24.0",
)
"""The roots of the resolution: the server, its HTTP and Bolt connectors, and the Browser."""

LOCK = Path(__file__).with_name("neo4j.lock")
THREADS = 8
TRIES = 6
READ_SECONDS = 20
"""The read time-out. jgo's default of 10 s is too short on a busy line."""
MOST_BYTES = 100_000_000
"""Of a jar; the largest has 15 MB. A server that sends without an end must not fill the disk."""
JAR_SECONDS = 900
"""Of one try to fetch a jar, however steadily its bytes drip."""
BLOCK_BYTES = 65_536
POLL_SECONDS = 0.5
"""Between two checks whether the user has stopped the start."""
PAUSE_SECONDS = 1.0
"""Before the second try; doubled before each further one."""
ERROR_CHARACTERS = 200
"""Of an error's text that are shown: some two lines of a terminal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Jar:
    """One line of the lock."""

    coordinate: str
    """group:artifact:version[:classifier]"""
    sha256: str

    @property
    def file_name(self) -> str:
        """The file's name in the repository. It is unique in the lock."""
        return "-".join(self.coordinate.split(":")[1:]) + ".jar"


def read_lock(path: Path = LOCK) -> list[Jar]:
    """The jars of the lock file."""
    lines = (line.split() for line in path.read_text().splitlines() if not line.startswith("#"))
    return [Jar(coordinate=fields[0], sha256=fields[1]) for fields in lines if fields]


def ensure(
    jars: Sequence[Jar],
    library: Path,
    *,
    other_libraries: Sequence[Path],
    stopping: threading.Event,
    repositories: Mapping[str, str] | None = None,
) -> None:
    """Put every jar into the folder `library`, verified. Does nothing when it is complete.

    A jar is linked from `other_libraries` or the user's Maven cache if its hash is right, else
    fetched. `repositories` (URLs by name) replace jgo's default repository. A killed run leaves no
    partial jar in `library`, so a second run is safe.

    Raises StackError if a jar cannot be fetched, InterruptedStartError once `stopping` is set.
    """
    marker = library / "complete"
    digest = _digest(jars)
    if marker.exists() and marker.read_text() == digest:
        return
    library.mkdir(parents=True, exist_ok=True)
    _remove_unlisted(jars, library)
    missing = [jar for jar in jars if not _is_intact(library / jar.file_name, jar)]
    missing = [
        jar for jar in missing if not _link_first(_local_copies(jar, other_libraries), jar, library)
    ]
    if missing:
        done = len(jars) - len(missing)
        with Progress("Fetching Neo4j", len(jars), unit="jars", done=done) as progress:
            context = MavenContext(
                repo_cache=library / "fetching",
                remote_repos=dict(repositories) if repositories else None,
            )
            _fetch_all(missing, library, context, progress=progress, stopping=stopping)
    marker.write_text(digest)


def write_lock(path: Path = LOCK) -> int:
    """Resolve Neo4j's dependencies and write the lock; returns the number of jars."""
    context = MavenContext(timeout=READ_SECONDS)
    roots = [_dependency(context, coordinate) for coordinate in NEO4J]
    direct, transitive = _retry(lambda: context.resolver.resolve(roots), stopping=None)
    artifacts = {dependency.artifact.key: dependency.artifact for dependency in direct + transitive}
    lines = []
    for key in sorted(artifacts):
        jar = _retry(artifacts[key].resolve, stopping=None)
        if not zipfile.is_zipfile(jar):
            raise StackError(f"{jar} is not a complete jar: remove it and run `make lock` again.")
        sha256 = _sha256(jar)
        group, artifact, version, classifier, _ = key
        name = ":".join(part for part in (group, artifact, version, classifier) if part)
        lines.append(f"{name} {sha256}\n")
    header = "# Neo4j's jars, made by `make lock` from stack/parts/jars.py\n"
    path.write_text(header + "".join(lines))
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
    progress: Progress,
    stopping: threading.Event,
) -> None:
    """Fetch the jars in parallel, and show the progress."""
    shutil.rmtree(context.repo_cache, ignore_errors=True)  # partial jars of a killed run
    pool = ThreadPoolExecutor(THREADS, thread_name_prefix="jars")
    add = _byte_callback(progress, stopping)
    pending = {pool.submit(_fetch, jar, context, library, stopping, add) for jar in missing}
    try:
        while pending:
            finished, pending = wait(pending, timeout=POLL_SECONDS, return_when=FIRST_COMPLETED)
            if stopping.is_set():
                raise InterruptedStartError
            for future in finished:
                future.result()
                progress.advance()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)  # a thread may hang in a read
    shutil.rmtree(context.repo_cache, ignore_errors=True)


def _fetch(
    jar: Jar, context: MavenContext, library: Path, stopping: threading.Event, add: AddBytes
) -> None:
    """Download the jar beside the library, verify it, then link it into the library.

    The jar is also linked into the user's Maven cache, so that other checkouts can use it.
    """
    artifact = _artifact(jar, context)
    draft = _path_in_cache(artifact, context)

    def download() -> None:
        _download(artifact, context, draft, add)
        if not _is_intact(draft, jar):
            raise ConnectionError(f"{jar.coordinate} arrived with other bytes than the lock names")
        link_or_copy(draft, library / jar.file_name)
        cached = _cache_path(jar)
        with suppress(OSError):  # the cache may be read-only
            link_or_copy(draft, cached) if cached else None

    _retry(download, stopping=stopping)


def _retry(action: Callable[[], T], *, stopping: threading.Event | None) -> T:
    """The action's result, after at most TRIES tries with growing pauses."""
    for attempt in range(1, TRIES + 1):
        if stopping and stopping.is_set():
            raise InterruptedStartError
        try:
            return action()
        except (requests.RequestException, ConnectionError, RuntimeError) as error:
            if attempt == TRIES:
                raise StackError(
                    "Neo4j could not be fetched from its Maven repository: "
                    f"{_first_characters(error)}. Is this machine online? Behind a proxy, set "
                    "HTTPS_PROXY. Then run the same command again: complete jars are not fetched "
                    "again."
                ) from error
            time.sleep(PAUSE_SECONDS * 2 ** (attempt - 1))
    raise AssertionError


def _download(artifact: Artifact, context: MavenContext, draft: Path, add: AddBytes) -> None:
    """Write the file that a repository sends, or another one, unverified, into `draft`.

    Raises ConnectionError if no repository has it, and if it is too long or takes too long;
    requests.RequestException, InterruptedStartError.
    """
    draft.parent.mkdir(parents=True, exist_ok=True)
    path = f"{artifact.component.path_prefix.as_posix()}/{artifact.filename}"
    why = "no repository is known"
    for repository in context.remote_repos.values():
        url = f"{repository}/{path}"
        with requests.get(url, stream=True, timeout=READ_SECONDS) as response:
            if response.status_code == HTTPStatus.OK:
                _write(_arriving(response), draft, add)
                return
            why = f"{url} answers {response.status_code}"
    raise ConnectionError(why)


def _arriving(response: requests.Response) -> Iterator[bytes]:
    """What arrives, as soon as it does: `iter_content` waits until a block is full.

    Raises ConnectionError.
    """
    try:
        while block := response.raw.read1(BLOCK_BYTES, decode_content=True):
            yield block
    except HTTPError as error:
        raise ConnectionError(str(error)) from error


def _write(blocks: Iterable[bytes], draft: Path, add: AddBytes) -> None:
    """Write the blocks, within MOST_BYTES and JAR_SECONDS. Raises ConnectionError."""
    end, size = time.monotonic() + JAR_SECONDS, 0
    with draft.open("wb") as file:
        for block in blocks:
            add(len(block))
            size += len(block)
            if size > MOST_BYTES:
                raise ConnectionError(f"{draft.name} is larger than {MOST_BYTES / 1e6:.0f} MB")
            if time.monotonic() > end:
                raise ConnectionError(f"{draft.name} took more than {JAR_SECONDS} s")
            file.write(block)


def _byte_callback(progress: Progress, stopping: threading.Event) -> AddBytes:
    """A callback that shows the sum of the downloaded bytes, and interrupts the downloads."""
    lock = threading.Lock()
    total = 0

    def add(count: int) -> None:
        nonlocal total
        if stopping.is_set():
            raise InterruptedStartError
        with lock:
            total += count
            progress.describe(f"{total / 1e6:.0f} MB")

    return add


def link_or_copy(source: Path, target: Path) -> None:
    """Replace `target` atomically by a hard link to `source`, or by a copy across file systems."""
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f".{target.name}.{os.getpid()}.{threading.get_ident()}")
    draft.unlink(missing_ok=True)
    try:
        os.link(source, draft)
    except OSError:
        shutil.copyfile(source, draft)
    draft.replace(target)


def _link_first(sources: Iterable[Path], jar: Jar, library: Path) -> bool:
    """Link the first intact source into the library; False if there is none."""
    for source in sources:
        if _is_intact(source, jar):
            link_or_copy(source, library / jar.file_name)
            return True
    return False


def _local_copies(jar: Jar, libraries: Sequence[Path]) -> list[Path]:
    """The paths on this machine where the jar may exist."""
    cached = _cache_path(jar)
    return [*(library / jar.file_name for library in libraries), *([cached] if cached else [])]


def _cache_path(jar: Jar) -> Path | None:
    """The jar's path in the user's Maven cache; None for a user without a home folder."""
    try:
        context = MavenContext()
    except RuntimeError:
        return None
    return _path_in_cache(_artifact(jar, context), context)


def _path_in_cache(artifact: Artifact, context: MavenContext) -> Path:
    path: Path = context.repo_cache / artifact.component.path_prefix / artifact.cached_filename
    return path


def _artifact(jar: Jar, context: MavenContext) -> Artifact:
    group, artifact, version, *classifier = jar.coordinate.split(":")
    component = context.project(group, artifact).at_version(version)
    return component.artifact(classifier[0] if classifier else "", "jar")


def _remove_unlisted(jars: Iterable[Jar], library: Path) -> None:
    """Remove the jars of an older lock: every jar in the folder is on the class path."""
    listed = {jar.file_name for jar in jars}
    for path in library.glob("*.jar"):
        if path.name not in listed:
            path.unlink()


def _is_intact(path: Path, jar: Jar) -> bool:
    return path.is_file() and _sha256(path) == jar.sha256


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _digest(jars: Iterable[Jar]) -> str:
    lines = sorted(f"{jar.coordinate} {jar.sha256}" for jar in jars)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _first_characters(error: Exception) -> str:
    text = str(error) or type(error).__name__
    return text if len(text) < ERROR_CHARACTERS else text[:ERROR_CHARACTERS] + "…"
