"""Neo4j's jars, fetched over HTTP from a repository on this machine."""

import gzip
import hashlib
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from stack import StackError
from stack.parts import jars
from stack.parts.jars import Jar, ensure

BYTES = bytes(range(256)) * 400


class Handler(SimpleHTTPRequestHandler):
    """Serves a folder. Sends half of the first response for each name in `truncate`.

    A response for a name in `endless` has no end, and comes in pieces of so many bytes. One for a
    name in `packed` is compressed.
    """

    truncate: set[str]
    endless: dict[str, int]
    packed: set[str]
    requests: list[str]

    def do_GET(self) -> None:
        name = self.path.rpartition("/")[2]
        self.requests.append(name)
        if name in self.endless:
            self.send_response(200)
            self.end_headers()
            with suppress(ConnectionError):
                while True:
                    self.wfile.write(BYTES[: self.endless[name]])
                    time.sleep(0.01)
        if name in self.packed:
            self.send_response(200)
            self.send_header("Content-Encoding", "gzip")
            self.end_headers()
            self.wfile.write(gzip.compress(Path(self.translate_path(self.path)).read_bytes()))
            return
        if name not in self.truncate:
            super().do_GET()
            return
        self.truncate.remove(name)
        data = Path(self.translate_path(self.path)).read_bytes()
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data[: len(data) // 2])

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its own name for it
        pass


class Repository:
    """A Maven repository with three jars."""

    def __init__(self, folder: Path) -> None:
        self.jars = []
        for number in range(3):
            path = folder / f"org/example/thing{number}/1.0/thing{number}-1.0.jar"
            path.parent.mkdir(parents=True)
            path.write_bytes(BYTES + bytes([number]))
            sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
            self.jars.append(Jar(coordinate=f"org.example:thing{number}:1.0", sha256=sha256))
        self.truncate: set[str] = set()
        self.endless: dict[str, int] = {}
        self.packed: set[str] = set()
        self.requests: list[str] = []
        attributes = {
            "truncate": self.truncate,
            "endless": self.endless,
            "packed": self.packed,
            "requests": self.requests,
        }
        bound: Any = type("Bound", (Handler,), attributes)
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), partial(bound, directory=str(folder)))
        self.urls = {"mine": f"http://127.0.0.1:{self.server.server_port}"}

    def fetched(self) -> list[str]:
        """The names of the requested jars, without their checksum files."""
        return sorted(name for name in self.requests if name.endswith(".jar"))


@pytest.fixture
def repository(tmp_path: Path) -> Iterator[Repository]:
    repository = Repository(tmp_path / "repository")
    thread = threading.Thread(target=repository.server.serve_forever)
    thread.start()
    yield repository
    repository.server.shutdown()
    thread.join()
    repository.server.server_close()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache in place of the user's own."""
    monkeypatch.setenv("M2_REPO", str(tmp_path / "m2"))
    monkeypatch.setattr(jars, "PAUSE_SECONDS", 0.01)
    return tmp_path / "m2"


@pytest.fixture
def library(tmp_path: Path) -> Path:
    return tmp_path / "lib"


def fetch(repository: Repository, library: Path, *, other_libraries: tuple[Path, ...] = ()) -> None:
    ensure(
        repository.jars,
        library,
        other_libraries=other_libraries,
        stopping=threading.Event(),
        repositories=repository.urls,
    )


def is_intact(repository: Repository, library: Path) -> bool:
    return all(
        hashlib.sha256((library / jar.file_name).read_bytes()).hexdigest() == jar.sha256
        for jar in repository.jars
    )


def test_every_jar_of_the_lock_is_fetched_and_stored_in_the_users_cache(
    repository: Repository, library: Path, cache: Path
) -> None:
    fetch(repository, library)
    assert is_intact(repository, library)
    assert len(list(cache.rglob("*.jar"))) == 3
    assert not (library / "fetching").exists()


def test_a_complete_library_sends_no_request(repository: Repository, library: Path) -> None:
    fetch(repository, library)
    repository.requests.clear()
    fetch(repository, library)
    assert repository.fetched() == []


def test_a_partial_jar_in_the_users_cache_is_fetched_again(
    repository: Repository, library: Path, cache: Path
) -> None:
    partial_jar = cache / "org/example/thing1/1.0/thing1-1.0.jar"
    partial_jar.parent.mkdir(parents=True)
    partial_jar.write_bytes(BYTES[:1000])
    fetch(repository, library)
    assert is_intact(repository, library)
    assert hashlib.sha256(partial_jar.read_bytes()).hexdigest() == repository.jars[1].sha256


def test_an_intact_jar_in_the_users_cache_is_not_fetched(
    repository: Repository, library: Path, tmp_path: Path
) -> None:
    fetch(repository, library)
    repository.requests.clear()
    fetch(repository, tmp_path / "another")
    assert is_intact(repository, tmp_path / "another")
    assert repository.fetched() == []


def test_a_partial_jar_in_the_library_is_fetched_again(
    repository: Repository, library: Path, cache: Path
) -> None:
    library.mkdir()
    (library / "thing0-1.0.jar").write_bytes(BYTES[:1000])
    fetch(repository, library)
    assert is_intact(repository, library)
    assert cache.exists()


def test_a_truncated_download_is_tried_again(repository: Repository, library: Path) -> None:
    repository.truncate.add("thing2-1.0.jar")
    fetch(repository, library)
    assert is_intact(repository, library)
    assert repository.fetched().count("thing2-1.0.jar") == 2


def test_a_jar_that_comes_compressed_is_unpacked(repository: Repository, library: Path) -> None:
    repository.packed.add("thing2-1.0.jar")
    fetch(repository, library)
    assert is_intact(repository, library)


# Security 25
def test_a_download_without_an_end_fills_no_disk(
    repository: Repository, library: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jars, "MOST_BYTES", 10 * len(BYTES))
    monkeypatch.setattr(jars, "TRIES", 2)
    repository.endless["thing1-1.0.jar"] = len(BYTES)
    with pytest.raises(StackError, match="is larger than"):
        fetch(repository, library)
    assert repository.fetched().count("thing1-1.0.jar") == 2
    assert all(path.stat().st_size <= 10 * len(BYTES) for path in library.rglob("*.jar"))
    assert not list(cache.rglob("thing1-1.0.jar"))
    assert not (library / "complete").exists()


# Security 25
def test_a_download_that_drips_ends_with_its_time(
    repository: Repository, library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jars, "JAR_SECONDS", 0.5)
    monkeypatch.setattr(jars, "TRIES", 1)
    repository.endless["thing1-1.0.jar"] = 1
    begin = time.monotonic()
    with pytest.raises(StackError, match="took more than"):
        fetch(repository, library)
    assert time.monotonic() - begin < 10


# Security 25
def test_bytes_that_the_lock_does_not_name_are_refused(
    repository: Repository, library: Path
) -> None:
    jar = repository.jars[0]
    repository.jars[0] = Jar(coordinate=jar.coordinate, sha256="0" * 64)
    with pytest.raises(StackError, match="other bytes than the lock names"):
        fetch(repository, library)
    assert not (library / "thing0-1.0.jar").exists()
    assert not (library / "complete").exists()


def test_without_a_network_the_error_gives_the_remedy(
    repository: Repository, library: Path
) -> None:
    repository.urls["mine"] = "http://127.0.0.1:9"
    with pytest.raises(StackError, match=r"Is this machine online\?"):
        fetch(repository, library)


def test_jars_of_an_older_lock_are_removed_from_the_class_path(
    repository: Repository, library: Path
) -> None:
    library.mkdir()
    (library / "thing0-0.9.jar").write_bytes(BYTES)
    fetch(repository, library)
    assert sorted(path.name for path in library.glob("*.jar")) == sorted(
        jar.file_name for jar in repository.jars
    )


def test_jars_of_another_library_are_linked_instead_of_fetched(
    repository: Repository, library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch(repository, library)
    repository.requests.clear()
    monkeypatch.setenv("M2_REPO", str(tmp_path / "empty"))
    fetch(repository, tmp_path / "another", other_libraries=(library,))
    assert (tmp_path / "another/thing0-1.0.jar").samefile(library / "thing0-1.0.jar")
    assert repository.fetched() == []


def test_the_committed_lock_names_each_jar_once_with_its_hash() -> None:
    locked = jars.read_lock()
    assert len({jar.file_name for jar in locked}) == len(locked) > 200
    assert all(len(jar.sha256) == 64 for jar in locked)


def test_a_user_without_a_home_has_no_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HOME", "M2_REPO"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pwd.getpwuid", {}.__getitem__)  # as for a uid without an account
    assert jars._cache_path(Jar(coordinate="a:b:1", sha256="")) is None
