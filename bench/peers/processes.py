"""Peers, each in an environment of its own, made when the bench first needs it, every file pinned.

Nothing of theirs is imported by us: a peer is a process that is told what to do.
"""

import fcntl
import hashlib
import json
import selectors
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stack.settings import ROOT

FOLDER = ROOT / ".local" / "bench" / "peers"
HERE = Path(__file__).parent

INSTALL_SECONDS = 900
ASK_SECONDS = 300
END_SECONDS = 10

THREADS = 4
"""Of a textbook's server: as many requests as the product works on at once."""


class PeerError(Exception):
    """A peer that could not be installed, or does not do what it is told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """A virtual environment with a peer in it."""

    folder: Path

    @property
    def python(self) -> Path:
        """Its Python: the version that runs us."""
        return self.folder / "bin" / "python"


def environment(name: str, *, say: Callable[[str], None]) -> Environment:
    """The environment of bench/peers/<name>.txt, made if it is not there. Raises PeerError."""
    requirements = HERE / f"{name}.txt"
    told = f"{sys.version}\n{FOLDER}\n{requirements.read_text()}"
    folder = FOLDER / f"{name}-{hashlib.sha256(told.encode()).hexdigest()[:12]}"
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (FOLDER / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "complete").exists():
            say(f"installs {name}")
            _make(folder, requirements)
    return Environment(folder=folder)


def _make(folder: Path, requirements: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)  # one that was interrupted
    _run(sys.executable, "-m", "venv", str(folder))
    quiet = ("--quiet", "--disable-pip-version-check", "--no-input", "--require-hashes")
    pip = (str(folder / "bin" / "python"), "-m", "pip", "install")
    _run(*pip, *quiet, "-r", str(requirements))
    (folder / "complete").touch()


def _run(*command: str) -> None:
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=INSTALL_SECONDS)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        said = str(error.stderr or error.stdout or error).strip()[-1_000:]
        raise PeerError(f"A peer could not be installed. It says:\n{said}") from error


class Peer:
    """A process of a peer that answers each line of JSON with one."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self._answers = selectors.DefaultSelector()
        self._answers.register(self._pipe(process.stdout), selectors.EVENT_READ)

    def ask(self, what: str, **arguments: Any) -> Mapping[str, Any]:
        """What it answers. Raises PeerError where it does not, or not in time."""
        to_it, from_it = self._pipe(self._process.stdin), self._pipe(self._process.stdout)
        try:
            to_it.write(json.dumps({"do": what, **arguments}) + "\n")
            to_it.flush()
        except BrokenPipeError as error:
            raise PeerError(f"The peer that was to {what} has ended: see above.") from error
        if not self._answers.select(ASK_SECONDS):
            raise PeerError(f"The peer that was to {what} did not answer in {ASK_SECONDS} s.")
        line = from_it.readline()
        if not line:
            raise PeerError(f"The peer that was to {what} has ended: see above.")
        answer: Mapping[str, Any] = json.loads(line)
        return answer

    @staticmethod
    def _pipe(pipe: Any) -> Any:
        if pipe is None:
            raise PeerError("A peer has no pipe.")
        return pipe


@contextmanager
def running(peer: Environment, script: str) -> Iterator[Peer]:
    """bench/peers/<script>.py under a peer's Python, on the cores of this thread."""
    process = subprocess.Popen(
        [str(peer.python), str(HERE / f"{script}.py")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        yield Peer(process)
    finally:
        if process.stdin:
            process.stdin.close()  # its end
        try:
            process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(END_SECONDS)


def gunicorn(peer: Environment, port: int) -> list[str]:
    """The textbook's feed as its books serve it: one worker, as many threads as the product has.

    It is told by CACHE_REDIS_URL where the timelines are; see textbook.py for its route.
    """
    return [
        *(str(peer.python), "-m", "gunicorn", "--worker-class", "gthread", "--workers", "1"),
        *("--threads", str(THREADS), "--keep-alive", "60", "--log-level", "warning"),
        *("--bind", f"127.0.0.1:{port}", "--chdir", str(HERE), "textbook:app"),
    ]
