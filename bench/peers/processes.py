"""Peers in virtual environments of their own, installed at first use from hash-pinned files.

We import nothing of theirs: a peer is a process that answers requests in JSON.
"""

import fcntl
import hashlib
import json
import selectors
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.stage import folders
from stack.terminal import Report

FOLDER = folders.FOLDER / "peers"
HERE = Path(__file__).parent

INSTALL_SECONDS = 900
ANSWER_SECONDS = 300
EXIT_SECONDS = 10

THREADS = 4
"""Threads of the textbook's server: as many as the product has requests at work at once."""


class PeerError(Exception):
    """A peer could not be installed, has ended, or did not answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """A virtual environment with a peer in it."""

    folder: Path

    @property
    def python(self) -> Path:
        """Its Python, of the version that runs the bench."""
        return self.folder / "bin" / "python"


def install(name: str, report: Report) -> Environment:
    """The environment of bench/peers/<name>.txt, made if it is missing. Raises PeerError."""
    requirements = HERE / f"{name}.txt"
    contents = f"{sys.version}\n{FOLDER}\n{requirements.read_text()}"
    folder = FOLDER / f"{name}-{hashlib.sha256(contents.encode()).hexdigest()[:12]}"
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (FOLDER / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "complete").exists():
            report(f"installing {name}")
            _create(folder, requirements)
    return Environment(folder=folder)


def _create(folder: Path, requirements: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)  # of an interrupted installation
    _run(sys.executable, "-m", "venv", str(folder))
    quiet = ("--quiet", "--disable-pip-version-check", "--no-input", "--require-hashes")
    pip = (str(folder / "bin" / "python"), "-m", "pip", "install")
    _run(*pip, *quiet, "-r", str(requirements))
    (folder / "complete").touch()


def _run(*command: str) -> None:
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=INSTALL_SECONDS)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        output = str(error.stderr or error.stdout or error).strip()[-1_000:]
        raise PeerError(f"A peer could not be installed. The output ends:\n{output}") from error


class Peer:
    """A process of a peer that answers each line of JSON with one."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self._answers = selectors.DefaultSelector()
        self._answers.register(self._pipe(process.stdout), selectors.EVENT_READ)

    def call(self, method: str, **arguments: Any) -> Mapping[str, Any]:
        """The answer of one of its methods. Raises PeerError."""
        requests, answers = self._pipe(self._process.stdin), self._pipe(self._process.stdout)
        try:
            requests.write(json.dumps({"method": method, **arguments}) + "\n")
            requests.flush()
        except BrokenPipeError as error:
            raise PeerError(f"The peer has ended before {method}: see above.") from error
        if not self._answers.select(ANSWER_SECONDS):
            raise PeerError(f"The peer did not answer {method} in {ANSWER_SECONDS} s.")
        line = answers.readline()
        if not line:
            raise PeerError(f"The peer has ended during {method}: see above.")
        answer: Mapping[str, Any] = json.loads(line)
        return answer

    @staticmethod
    def _pipe(pipe: Any) -> Any:
        if pipe is None:
            raise PeerError("A peer has no pipe.")
        return pipe


@contextmanager
def running_peer(environment: Environment, script: str) -> Iterator[Peer]:
    """bench/peers/<script>.py, run by the environment's Python on the cores of this thread."""
    process = subprocess.Popen(
        [str(environment.python), str(HERE / f"{script}.py")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        yield Peer(process)
    finally:
        if process.stdin:
            process.stdin.close()  # ends the script
        try:
            process.wait(EXIT_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(EXIT_SECONDS)


def gunicorn_command(environment: Environment, port: int) -> list[str]:
    """The command that serves textbook.py as textbooks do: one worker, as many threads as ours.

    The server reads from CACHE_REDIS_URL where the timelines are.
    """
    return [
        *(str(environment.python), "-m", "gunicorn", "--worker-class", "gthread"),
        *("--workers", "1", "--threads", str(THREADS), "--keep-alive", "60"),
        *("--log-level", "warning", "--bind", f"127.0.0.1:{port}"),
        *("--chdir", str(HERE), "textbook:app"),
    ]
