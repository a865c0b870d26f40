"""The decoding child: what it can reach, tried by hostile code in the place of a decoder."""

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from multiprocessing import forkserver
from pathlib import Path

import psutil
import pytest
import structlog

from tests.support import heic_files, hostile, images
from tests.support.forked import (
    confined_child,
    fork_servers,
    memory_of,
    status_of,
    stop_fork_servers,
)
from workers.photos import fork_server
from workers.photos.child import Work
from workers.photos.confinement import Limits
from workers.photos.decoding import render_in_child, run_in_child
from workers.photos.errors import ImageRefusedError
from workers.photos.imaging import examine_and_render

PATIENT = Limits(wall_seconds=60.0)
TYPES = {
    "JPEG": "image/jpeg",
    "PNG": "image/png",
    "WEBP": "image/webp",
    "GIF": "image/gif",
}
ROOT = Path(__file__).resolve().parents[3]


def outcome(work: Work, data: bytes, declared: str = "image/jpeg") -> bytes:
    """What the work answered, or the name of the signal that has ended it."""
    with structlog.testing.capture_logs() as lines:
        try:
            return run_in_child(work, data, declared, limits=PATIENT)
        except ImageRefusedError:
            [line] = lines
            return str(line["signal"]).encode()


@pytest.fixture(scope="module")
def victim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("victim") / "file"


def aim(attempt: str, victim: Path) -> bytes:
    """At this process, its fork server, and a file."""
    victim.write_bytes(b"a secret")
    with fork_server.running():
        pass
    server = forkserver._forkserver._forkserver_pid  # type: ignore[attr-defined]
    assert psutil.pid_exists(server)
    return json.dumps(
        {"attempt": attempt, "worker": os.getpid(), "server": server, "path": str(victim)}
    ).encode()


def assert_untouched(victim: Path) -> None:
    assert [path.name for path in victim.parent.iterdir()] == [victim.name]
    assert victim.read_bytes() == b"a secret"


@contextmanager
def lingering(declared: str = "image/jpeg", data: bytes = b"a picture") -> Iterator[psutil.Process]:
    """A confined child that works until the end of the block."""
    with ThreadPoolExecutor() as pool:
        future = pool.submit(run_in_child, hostile.linger, data, declared, limits=PATIENT)
        child = confined_child()
        try:
            yield child
        finally:
            with suppress(psutil.NoSuchProcess):
                child.kill()
            assert future.exception()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the fork server after a crash: a new one for each of many attempts takes long."""
    monkeypatch.setattr(fork_server, "replace", lambda: None)


@pytest.fixture
def secret(monkeypatch: pytest.MonkeyPatch) -> str:
    """A password in this process's environment, from before the start of its fork server."""
    password = secrets.token_hex(16)
    monkeypatch.setenv("NEO4J_PASSWORD", password)
    monkeypatch.setenv("QUEUE_REDIS_URL", f"redis://:{password}@127.0.0.1:6379/0")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", password)
    stop_fork_servers()
    return password


# Security 15
@pytest.mark.parametrize("declared", ["image/jpeg", "image/heic"])
@pytest.mark.parametrize("attempt", hostile.FILES)
def test_a_child_gets_no_file(attempt: str, declared: str, victim: Path) -> None:
    assert outcome(hostile.attempt, aim(attempt, victim), declared) == b"EACCES"
    assert_untouched(victim)


# Security 15
@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("attempt", hostile.OTHERS)
def test_a_child_that_tries_more_is_ended(attempt: str, victim: Path) -> None:
    assert outcome(hostile.attempt, aim(attempt, victim)) == b"SIGSYS"
    assert_untouched(victim)


# Security 15
@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("attempt", sorted(hostile.OTHERS.keys() - {"a thread"}))
def test_a_child_that_may_start_threads_does_nothing_else_by_them(
    attempt: str, victim: Path
) -> None:
    made = outcome(hostile.attempt_in_thread, aim(attempt, victim), "image/heic")
    assert made == b"SIGSYS"
    assert_untouched(victim)


def test_a_child_whose_decoder_needs_a_thread_starts_one(victim: Path) -> None:
    assert outcome(hostile.attempt, aim("a thread", victim), "image/heic") == b"got 'a thread'"


# Security 15
def test_the_attempts_succeed_in_a_process_that_is_not_confined(victim: Path) -> None:
    for attempt in ("the worker's environ", "a file", "the size of a file", "a list of a folder"):
        assert hostile.attempt(aim(attempt, victim), "").startswith(hostile.GOT), attempt
    for attempt in ("a fork", "a thread", "a pair of sockets", "executable memory", "a pipe"):
        assert hostile.attempt(aim(attempt, victim), "").startswith(hostile.GOT), attempt


# Security 15
def test_a_child_has_an_empty_environment(secret: str) -> None:
    found = json.loads(outcome(hostile.environment, b""))
    names = {"PYTHONPATH", "GLIBC_TUNABLES", "LC_CTYPE", "LD_LIBRARY_PATH", "PYTHONHOME"}
    assert found["environment"].keys() <= names
    assert secret not in json.dumps(found)


# Security 15
def test_a_fork_server_that_replaces_another_one_has_an_empty_environment_too(secret: str) -> None:
    assert outcome(hostile.crash, b"") == b"SIGSEGV"
    [server] = fork_servers()
    assert secret.encode() not in Path(f"/proc/{server.pid}/environ").read_bytes()
    assert secret not in outcome(hostile.environment, b"").decode()
    stop_fork_servers()  # the next one is started with its first child
    assert secret not in outcome(hostile.environment, b"").decode()


# Security 15
def test_no_secret_is_in_the_environment_or_memory_of_fork_server_and_child(secret: str) -> None:
    marker = secrets.token_bytes(16)
    with lingering(data=marker) as child:
        [server] = fork_servers()
        for pid in (server.pid, child.pid):
            assert secret.encode() not in Path(f"/proc/{pid}/environ").read_bytes()
            assert secret.encode() not in memory_of(pid)
        assert marker in memory_of(child.pid)
        assert secret.encode() in memory_of(os.getpid())


# Security 15
def test_a_child_shares_no_memory_that_it_can_write() -> None:
    with lingering() as child:
        [server] = fork_servers()
        for pid in (server.pid, child.pid):
            maps = Path(f"/proc/{pid}/maps").read_text(encoding="utf-8").splitlines()
            assert [line for line in maps if line.split()[1].startswith("rw-s")] == []


# Security 15
def test_a_crash_draws_the_addresses_of_memory_anew() -> None:
    def addresses() -> object:
        return json.loads(outcome(hostile.address, b""))

    first = addresses()
    assert addresses() == first
    assert outcome(hostile.crash, b"") == b"SIGSEGV"
    assert addresses() != first


# Security 15
def test_a_child_has_no_capability() -> None:
    with lingering() as child:
        status = status_of(child.pid)
    assert {int(status[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")} == {0}


def links_of(pid: int) -> list[str]:
    """What its descriptors are."""
    links = []
    for path in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):
            links.append(str(path.readlink()))
    return sorted(links)


# Security 15
def test_a_child_has_no_descriptor_but_that_of_its_answer_and_its_parents_end() -> None:
    stop_fork_servers()
    with socket.socket() as connection:
        os.set_inheritable(connection.fileno(), True)
        ours = str(Path(f"/proc/self/fd/{connection.fileno()}").readlink())
        with lingering() as child:
            [server] = fork_servers()
            assert ours in links_of(os.getpid())
            assert ours not in links_of(server.pid)
            links = links_of(child.pid)
    *nulls, answer, pipe = links
    assert nulls == 3 * ["/dev/null"]
    assert answer.endswith("(deleted)")
    assert pipe.startswith("pipe:")


# Security 15
@pytest.mark.parametrize("declared", ["image/jpeg", "image/heic"])
def test_a_child_is_under_its_limits_for_good(declared: str) -> None:
    with lingering(declared) as child:
        status = status_of(child.pid)
        limits = {
            "memory": child.rlimit(psutil.RLIMIT_AS),
            "files": child.rlimit(psutil.RLIMIT_NOFILE),
            "core": child.rlimit(psutil.RLIMIT_CORE),
            "bytes": child.rlimit(psutil.RLIMIT_FSIZE),
            "cpu": child.rlimit(psutil.RLIMIT_CPU),
        }
        processes = child.rlimit(psutil.RLIMIT_NPROC)
    assert (status["NoNewPrivs"], status["Seccomp"], status["Threads"]) == ("1", "2", "1")
    assert limits == {
        "memory": (1280 << 20, 1280 << 20),
        "files": (0, 0),
        "core": (0, 0),
        "bytes": (16 << 20, 16 << 20),
        "cpu": (6, 7),
    }
    assert (processes == (0, 0)) == (declared == "image/jpeg")


# Security 15
def test_a_child_cannot_be_traced_by_its_user_and_is_killed_with_its_fork_server() -> None:
    script = (
        "import ctypes; from workers.photos import confinement, seccomp\n"
        "confinement._end_with_fork_server_and_hide()\n"
        "at_end = ctypes.c_int()\n"
        "seccomp.prctl(2, ctypes.addressof(at_end))\n"  # PR_GET_PDEATHSIG
        "print(seccomp.LIBC.prctl(3, 0, 0, 0, 0), at_end.value)"  # PR_GET_DUMPABLE
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, cwd=ROOT)
    assert ran.stdout.split() == [b"0", b"9"]


# Security 15
def test_a_child_writes_nothing_into_the_workers_log(capfd: pytest.CaptureFixture[str]) -> None:
    stop_fork_servers()  # so that it starts with the captured output
    assert outcome(hostile.forge_log, b"") == hostile.GOT
    assert "forged" not in "".join(capfd.readouterr())


# Security 15
def test_a_child_ends_with_its_fork_server() -> None:
    with lingering("image/heic") as child:
        [server] = fork_servers()
        server.kill()
        child.wait(timeout=20)


@pytest.mark.parametrize("declared", ["image/jpeg", "image/heic"])
def test_a_decoder_that_aborts_ends_by_its_own_signal(declared: str) -> None:
    assert outcome(hostile.abort, b"", declared) == b"SIGABRT"
    assert outcome(hostile.crash, b"", declared) == b"SIGSEGV"


# Security 15
@pytest.mark.parametrize("file_format", TYPES)
def test_a_picture_of_each_format_is_decoded_under_the_filter(file_format: str) -> None:
    data = images.with_metadata(file_format)
    declared = TYPES[file_format]
    assert render_in_child(data, declared, limits=PATIENT) == examine_and_render(data, declared)


# Security 15
@pytest.mark.parametrize(
    "data", [images.heic(), heic_files.grid(8, 6)], ids=["one picture", "48 tiles, as of phones"]
)
def test_a_heic_is_decoded_under_the_filter(data: bytes) -> None:
    rendered = render_in_child(data, "image/heic", limits=PATIENT)
    assert rendered == examine_and_render(data, "image/heic")


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP"])
def test_a_profile_and_a_turn_need_nothing_that_is_refused(file_format: str) -> None:
    declared = TYPES[file_format]
    for data in (images.in_swapped_colours(file_format), images.oriented(6, file_format)):
        assert render_in_child(data, declared, limits=PATIENT) == examine_and_render(data, declared)


@pytest.mark.parametrize(
    ("data", "declared"),
    [
        (images.cmyk_jpeg(), "image/jpeg"),
        (images.deep_png("RGBA"), "image/png"),
        (images.jpeg(exif=b"Exif\0\0MM\0*\xff\xff\xff\xff"), "image/jpeg"),
        (images.gif(100), "image/gif"),
    ],
    ids=["CMYK", "16 bits", "EXIF that warns", "frames"],
)
@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_an_odd_picture_is_decoded_under_the_filter(data: bytes, declared: str) -> None:
    assert render_in_child(data, declared, limits=PATIENT) == examine_and_render(data, declared)


UNUSED_STORES = {
    "NEO4J_URI": "bolt://127.0.0.1:1",
    "NEO4J_PASSWORD": "-",
    "QUEUE_REDIS_URL": "redis://127.0.0.1:1",
    "CACHE_REDIS_URL": "redis://127.0.0.1:1",
    "S3_ENDPOINT_URL": "http://127.0.0.1:1",
    "S3_BUCKET": "-",
    "AWS_ACCESS_KEY_ID": "-",
    "AWS_SECRET_ACCESS_KEY": "-",
    "MEDIA_BASE_URL": "http://127.0.0.1:1",
}
"""Settings of a worker that ends before it connects."""


def run_under_a_kernel_that_refuses_filters(script: str) -> "subprocess.CompletedProcess[str]":
    begin = "from tests.support.refusing_kernel import refuse_filters; refuse_filters()\n"
    return subprocess.run(
        [sys.executable, "-c", begin + script],
        capture_output=True, text=True, check=False, cwd=ROOT, timeout=60,
        env={**os.environ, **UNUSED_STORES},
    )  # fmt: skip


# Security 15
def test_a_worker_does_not_start_where_the_kernel_takes_no_filter() -> None:
    ran = run_under_a_kernel_that_refuses_filters(
        "import runpy, sys; sys.argv = ['workers', 'photos']\n"
        "runpy.run_module('workers', run_name='__main__')"
    )
    assert (ran.returncode, ran.stdout) == (2, "")
    assert "cannot be decoded in a sandbox: the kernel takes no filter" in ran.stderr
    assert "DECODING_SANDBOX=best-effort" in ran.stderr


# Security 15
def test_a_child_that_cannot_be_confined_looks_at_no_picture() -> None:
    ran = run_under_a_kernel_that_refuses_filters(
        "from workers.photos.decoding import render_in_child\nrender_in_child(b'', 'image/jpeg')"
    )
    assert "DecodingInterruptedError: decoding was interrupted (exit code 71)" in ran.stderr


def test_without_a_required_filter_a_child_still_opens_nothing(victim: Path) -> None:
    aimed = aim("a file", victim)
    ran = run_under_a_kernel_that_refuses_filters(
        "from tests.support import heic_files, hostile, images\n"
        "from workers.photos import decoding\n"
        "decoding.require_sandbox(required=False)\n"
        "print(decoding.render_in_child(images.heic(), 'image/heic').width)\n"
        "limits = decoding.DEFAULT_LIMITS\n"
        f"print(decoding.run_in_child(hostile.attempt, {aimed!r}, 'image/jpeg', limits=limits))"
    )
    warning, *printed = ran.stdout.splitlines()
    assert "pictures decoded without a filter of system calls" in warning
    assert printed == ["96", "b'EMFILE'"]


def test_a_signal_that_ends_a_child_from_outside_is_not_the_pictures_fault() -> None:
    with ThreadPoolExecutor() as pool:
        future = pool.submit(run_in_child, hostile.linger, b"", "image/jpeg", limits=PATIENT)
        confined_child().send_signal(signal.SIGKILL)
        assert "interrupted" in str(future.exception())
