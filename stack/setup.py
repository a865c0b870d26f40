"""Makes .venv: `python3 -P stack/setup.py [--tools]`, run by make before every other command.

Run by the machine's own Python, so it needs nothing but the standard library.
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
"""Exists while .venv is being made or changed: one that was interrupted is made anew."""

VERSION = [str(number) for number in sys.version_info[:2]]

LINE_SECONDS = 5.0
"""Between two lines about how far it is, where there is no terminal."""

NOT_FOR_PIP = ("PYTHONPATH", "PIP_USER", "PIP_TARGET", "PIP_PREFIX")
"""Variables that would take packages from elsewhere, or put them there."""

LAST_LINES = 20
"""Of what pip said, when it failed."""


def main(arguments: Sequence[str]) -> int:
    """0 when .venv has what the requirements files name; else a sentence has been printed."""
    names = ["requirements.txt"] + (["requirements-dev.txt"] if "--tools" in arguments else [])
    local = ROOT / ".local"
    try:
        local.mkdir(exist_ok=True)
        with suppress(PermissionError):  # a folder that was lent to us
            local.chmod(0o700)  # what the stack keeps there is nobody else's business
        with (local / "setup.lock").open("w") as lock:
            _wait_for(lock)
            return 0 if _fresh(names) else _build(names, lock)
    except KeyboardInterrupt:
        return 130
    except PermissionError as error:
        return _complain(f"{error}. If a sudo made it, give it back to yourself (sudo chown -R).")
    except OSError as error:
        return _complain(f"{error}. If the disk is full, free about 2 GB; then run it again.")


def _fresh(names: Sequence[str]) -> bool:
    """Whether .venv was built, to the end, from just these files in this place."""
    stamp = _stamp(names)
    built = PYTHON.exists() and stamp.exists() and not BUILDING.exists()
    return built and stamp.read_text() == _digest(names)


def _wait_for(lock: IO[str]) -> None:
    """Of two makes at once one builds, the other waits."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print("Another make is making .venv: waiting until it has ended …", flush=True)
        fcntl.flock(lock, fcntl.LOCK_EX)


def _build(names: Sequence[str], lock: IO[str]) -> int:
    """Makes or completes .venv. What it runs holds the lock too, and longer if this is killed."""
    held = [lock.fileno()]
    if BUILDING.exists() or not _works(PYTHON):
        if importlib.util.find_spec("ensurepip") is None:
            return _complain(
                "This Python cannot make virtual environments. Install its venv package (on "
                "Debian and Ubuntu: apt install python3-venv), then run the same command again."
            )
        print("Making .venv …", flush=True)
        if subprocess.call([sys.executable, "-m", "venv", "--clear", str(VENV)], pass_fds=held):
            return _complain("The virtual environment .venv could not be made: see above.")
    BUILDING.touch()
    if not _install(names, held):
        return 1
    for built in (names, names[:1]):  # the tools' file contains what runs, too
        _stamp(built).write_text(_digest(built))
    BUILDING.unlink()
    return 0


def _install(names: Sequence[str], held: Sequence[int]) -> bool:
    """Fetches and installs the packages, each verified by its hash, saying how far it is."""
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
        pass_fds=held,
    ) as pip:
        said = _shown(pip.stdout or [], total)
    if pip.returncode == 0:
        return True
    if not any(line.startswith("Installing") for line in said):
        BUILDING.unlink()  # it failed before it changed anything
    print("\n".join(said[-LAST_LINES:]))
    _complain(
        "The packages could not be installed: see above. Is this machine online? Behind a proxy, "
        "set HTTPS_PROXY. Then run the same command again."
    )
    return False


def _shown(lines: Iterable[str], total: int) -> list[str]:
    """Reads what pip says and shows what matters of it; all of it comes back."""
    said: list[str] = []
    count, shown, terminal = 0, 0.0, sys.stdout.isatty()
    for line in lines:
        said.append(line.rstrip())
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
    return said


def _works(python: Path) -> bool:
    """Whether it is this version and has pip: not so in a .venv that was moved or cut short."""
    script = "import sys, pip; print(*sys.version_info[:2])"
    try:
        asked = subprocess.run([python, "-c", script], capture_output=True, text=True, check=False)
    except OSError:
        return False
    return asked.stdout.split() == VERSION


def _pins(name: str) -> list[str]:
    return [line for line in (ROOT / name).read_text().splitlines() if "==" in line[:60]]


def _stamp(names: Sequence[str]) -> Path:
    """The file that says from what .venv was built."""
    return VENV / f"built-from-{names[-1]}"


def _digest(names: Sequence[str]) -> str:
    """Changes with the requirements files, the Python, and the place: a .venv cannot be moved."""
    texts = [str(ROOT), *VERSION, *((ROOT / name).read_text() for name in names)]
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()


def _complain(sentence: str) -> int:
    print(f"\n{sentence}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    for name in NOT_FOR_PIP:
        os.environ.pop(name, None)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal may have no `…`
    sys.exit(main(sys.argv[1:]))
