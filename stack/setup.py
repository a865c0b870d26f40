"""Makes .venv: `python3 -P stack/setup.py [--tools]`, which make runs before every command.

It runs on the machine's own Python, so it imports the standard library only.
"""

import fcntl
import hashlib
import importlib.util
import io
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
BUILDING = VENV / "half-built"
"""Exists while .venv is made or changed. If an interrupted run leaves it, .venv is made anew."""

VERSION = [str(number) for number in sys.version_info[:2]]
"""Major and minor version of this Python."""

LINE_SECONDS = 5.0
"""Between two lines of progress if there is no terminal."""

UNSET_VARIABLES = ("PYTHONPATH", "PIP_USER", "PIP_TARGET", "PIP_PREFIX")
"""With these pip would find packages outside .venv, or install them there."""

LAST_LINES = 20
"""Of pip's output, shown when pip fails."""


def main(arguments: Sequence[str]) -> int:
    """Bring .venv up to date; returns the exit status. Prints a message if that fails."""
    names = ["requirements.txt"] + (["requirements-dev.txt"] if "--tools" in arguments else [])
    local = ROOT / ".local"
    try:
        local.mkdir(exist_ok=True)
        with suppress(PermissionError):  # the folder may belong to another user
            local.chmod(0o700)  # photos, graph and logs are private
        with (local / "setup.lock").open("w") as lock:
            _acquire(lock)
            return 0 if _is_up_to_date(names) else _build(names, lock)
    except KeyboardInterrupt:
        return 130
    except PermissionError as error:
        return _fail(f"{error}. If sudo created it, take it back with `sudo chown -R`.")
    except OSError as error:
        return _fail(f"{error}. If the disk is full, free about 2 GB; then run it again.")


def _is_up_to_date(names: Sequence[str]) -> bool:
    """Whether .venv was completed in this place, from these files with their present content."""
    stamp = _stamp(names)
    completed = PYTHON.exists() and stamp.exists() and not BUILDING.exists()
    return completed and stamp.read_text() == _digest(names)


def _acquire(lock: IO[str]) -> None:
    """Return when no other make has the lock. The lock is released when the file is closed."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print("Another make is making .venv: waiting until it has ended …", flush=True)
        fcntl.flock(lock, fcntl.LOCK_EX)


def _build(names: Sequence[str], lock: IO[str]) -> int:
    """Make or complete .venv; returns the exit status.

    The child processes inherit the lock, so it stays locked while they run, even if this process
    is killed.
    """
    if VENV.is_symlink():  # venv --clear would empty the folder behind it, another checkout's
        return _fail(f".venv is a link to {VENV.readlink()}. Remove the link: rm .venv")
    inherited = [lock.fileno()]
    if BUILDING.exists() or not _is_usable(PYTHON):
        if importlib.util.find_spec("ensurepip") is None:
            return _fail(
                "This Python cannot make virtual environments. Install its venv package (on "
                "Debian and Ubuntu: apt install python3-venv), then run the same command again."
            )
        print("Making .venv …", flush=True)
        command = [sys.executable, "-m", "venv", "--clear", str(VENV)]
        if subprocess.call(command, pass_fds=inherited):
            return _fail("The virtual environment .venv could not be made: see above.")
    BUILDING.touch()
    if not _install(names, inherited):
        return 1
    for completed in (names, names[:1]):  # requirements-dev.txt comes on top of requirements.txt
        _stamp(completed).write_text(_digest(completed))
    BUILDING.unlink()
    return 0


def _install(names: Sequence[str], inherited: Sequence[int]) -> bool:
    """Fetch the packages, verify their hashes and install them; False if that fails."""
    command = [str(PYTHON), "-m", "pip", "install", "--disable-pip-version-check", "--no-input"]
    command += ["--require-hashes", "--progress-bar", "off"]
    for name in names:
        command += ["-r", str(ROOT / name)]
    total = len({line.split("==")[0] for name in names for line in _pins(name)})
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        pass_fds=inherited,
    ) as pip:
        output = _show_progress(pip.stdout or [], total)
    if pip.returncode == 0:
        return True
    if not any(line.startswith("Installing") for line in output):
        BUILDING.unlink()  # pip has changed nothing yet
    print("\n".join(output[-LAST_LINES:]))
    _fail(
        "The packages could not be installed: see above. Is this machine online? Behind a proxy, "
        "set HTTPS_PROXY. Then run the same command again."
    )
    return False


def _show_progress(lines: Iterable[str], total: int) -> list[str]:
    """Print progress from pip's output; returns all lines of the output."""
    output: list[str] = []
    count, shown, terminal = 0, 0.0, sys.stdout.isatty()
    for line in lines:
        output.append(line.rstrip())
        word = line.split(" ", 1)[0]
        count += word == "Collecting"
        text = f"Fetching packages: {count} of at most {total}"
        if word == "Installing":
            text = f"Installing {count} packages …"
        elif word != "Collecting" or (not terminal and time.monotonic() < shown + LINE_SECONDS):
            continue
        print(f"\r\033[K{text}" if terminal else text, end="" if terminal else "\n", flush=True)
        shown = time.monotonic()
    if terminal and shown:
        print()
    return output


def _is_usable(python: Path) -> bool:
    """Whether this interpreter runs, has VERSION and has pip.

    It does not if .venv was moved or its making was interrupted.
    """
    script = "import sys, pip; print(*sys.version_info[:2])"
    try:
        result = subprocess.run([python, "-c", script], capture_output=True, text=True, check=False)
    except OSError:
        return False
    return result.stdout.split() == VERSION


def _pins(name: str) -> list[str]:
    return [line for line in (ROOT / name).read_text().splitlines() if "==" in line[:60]]


def _stamp(names: Sequence[str]) -> Path:
    """The file with the digest of the requirements that .venv was built from."""
    return VENV / f"built-from-{names[-1]}"


def _digest(names: Sequence[str]) -> str:
    """A digest of the requirements, of VERSION, and of ROOT, as a .venv cannot be moved."""
    texts = [str(ROOT), *VERSION, *((ROOT / name).read_text() for name in names)]
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()


def _fail(message: str) -> int:
    print(f"\n{message}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    for name in UNSET_VARIABLES:
        os.environ.pop(name, None)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # the terminal may lack `…`
    sys.exit(main(sys.argv[1:]))
