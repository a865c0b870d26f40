"""`make up`, `down`, `status`, `logs` and `restart`; backups of the graph."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import FrameType

from stack.commands import backups, rolling_restart
from stack.commands.tables import show_access, show_status
from stack.errors import InterruptedStartError, StackError
from stack.local import LAUNCHER, SHARED_LIBRARY, LocalStack, end_leftovers, lock
from stack.parts import jars
from stack.secrets import write_private
from stack.settings import ROOT, StackSettings
from stack.supervision import records

DOWN_SECONDS = 150
"""What stopping may take: a worker finishes its job, Neo4j writes its last checkpoint."""

LOG_LINES = "20"


def up(settings: StackSettings, *, table: bool) -> None:
    """Starts everything, shows the table, and stays until Ctrl-C, SIGTERM or a hopeless part."""
    stack = LocalStack(settings, say=say)
    stack.claim()
    _listen(stack)
    records.record_of(LAUNCHER, os.getpid()).write(settings.folder / "run")
    ready = _env_file(settings)
    try:
        say("Starting Neo4j, two Redis servers and S3 …")
        stack.start_stores()
        say("Starting our own processes …")
        stack.start_processes()
        write_private(ready, "".join(f"{name}={value}\n" for name, value in stack.env.items()))
        if table:
            show_access(stack.env, secrets_file=settings.folder / "secrets.env")
            say("`make demo` fills it with a small town. Ctrl-C stops everything.")
        stack.supervisor.watch()
    except InterruptedStartError:
        pass
    finally:
        say("Stopping …")
        stack.stop()
        ready.unlink(missing_ok=True)
        records.forget(settings.folder / "run", LAUNCHER)
        say("Everything has stopped. The data stays.")


def up_detached(settings: StackSettings) -> None:
    """The same in the background; returns when everything answers. Raises StackError if not."""
    with lock(settings.folder):  # says so at once if it runs already
        _env_file(settings).unlink(missing_ok=True)  # of a launcher that was killed
    log = settings.folder / "logs" / "stack.log"
    log.parent.mkdir(exist_ok=True)
    with log.open("wb") as output:
        child = subprocess.Popen(
            [sys.executable, "-m", "stack", "up", "--no-table"],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=ROOT,
            start_new_session=True,
        )
    try:
        _follow(log, child, _env_file(settings))
    except KeyboardInterrupt:
        child.terminate()
        child.wait()
        raise
    show_access(_running_env(settings), secrets_file=settings.folder / "secrets.env")
    say("It runs in the background: `make status`, `make logs`, `make down`.")


def down(settings: StackSettings) -> None:
    """Stops what `up` has started, or what is left of a launcher that was killed."""
    launcher = records.read(settings.folder / "run", LAUNCHER)
    if launcher is None or not launcher.alive():
        with lock(settings.folder):
            end_leftovers(settings.folder, say)
        say("Nothing runs.")
        return
    say("Stopping …")
    os.kill(launcher.pid, signal.SIGTERM)
    deadline = time.monotonic() + DOWN_SECONDS
    while launcher.alive():
        if time.monotonic() > deadline:
            raise StackError(f"It has not stopped after {DOWN_SECONDS} s: see `make logs`.")
        time.sleep(0.1)
    say("Everything has stopped. The data stays.")


def status(settings: StackSettings) -> None:
    """Shows which processes run. Raises StackError if there is none."""
    known = [one for one in records.read_all(settings.folder / "run") if one.alive()]
    if not known:
        raise StackError("Nothing runs. `make up` starts it.")
    show_status(known, launcher=LAUNCHER)
    if not _env_file(settings).exists():
        say("It is not ready yet, or it is being stopped.")


def logs(settings: StackSettings, part: str | None) -> None:
    """Follows the logs; does not come back."""
    folder = settings.folder / "logs"
    paths = sorted(folder.glob(f"{part or '*'}.log"))
    if not paths:
        raise StackError(f"There is no log of {part} in {folder}." if part else "No logs yet.")
    os.execvp("tail", ["tail", "-n", LOG_LINES, "-F", *map(str, paths)])  # noqa: S606 - no shell


def restart(settings: StackSettings) -> None:
    """Replaces our processes one after the other, with nobody noticing."""
    rolling_restart.restart(settings, _running_env(settings), say)
    say("Everything of ours is new. The stores were not touched.")


def backup(settings: StackSettings, path: Path) -> None:
    """Writes the graph into a file; Neo4j stands still meanwhile."""
    backups.backup(settings, path.resolve(), _env_if_running(settings), say)


def restore(settings: StackSettings, path: Path) -> None:
    """Puts the graph of such a file in place of the one that is there."""
    backups.restore(settings, path.resolve(), _env_if_running(settings), say)


def run(settings: StackSettings, command: Sequence[str]) -> None:
    """Runs a command with the environment of the running stack; does not come back.

    `python` and `flask` are those of .venv.
    """
    if not command:
        raise StackError("Name the command to run.")
    tools = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", "")))
    env = os.environ | _running_env(settings) | {"PATH": tools}
    os.environ["PATH"] = tools  # where the command itself is looked for
    try:
        os.execvpe(command[0], list(command), env)  # noqa: S606 - no shell
    except FileNotFoundError as error:
        raise StackError(f"There is no command {command[0]}.") from error


def fetch() -> None:
    """Fetch Neo4j's jars once, before several stacks side by side want them."""
    jars.ensure(jars.read_lock(), SHARED_LIBRARY, near=[], stop=threading.Event())


def say(text: str) -> None:
    """A line for the person; the terminal may be gone by now."""
    with suppress(OSError):
        print(f"{text}\n", end="", flush=True)  # in one piece: several threads speak


def _env_file(settings: StackSettings) -> Path:
    """Exists while everything is up; readable by its owner only."""
    return settings.folder / "run" / "stack.env"


def _running_env(settings: StackSettings) -> dict[str, str]:
    try:
        text = _env_file(settings).read_text()
    except FileNotFoundError as error:
        raise StackError("The stack does not run: start it with `make up`.") from error
    return dict(line.split("=", 1) for line in text.splitlines())


def _env_if_running(settings: StackSettings) -> dict[str, str] | None:
    return _running_env(settings) if _env_file(settings).exists() else None


def _follow(log: Path, child: subprocess.Popen[bytes], ready: Path) -> None:
    """Shows what the child says until it is ready. Raises StackError if it ends instead."""
    with log.open() as lines:
        while not ready.exists():
            ended = child.poll() is not None
            print(lines.read(), end="", flush=True)
            if ended:
                raise StackError(f"It did not start: see above, or {log}.")
            time.sleep(0.1)
        print(lines.read(), end="", flush=True)


def _listen(stack: LocalStack) -> None:
    """Ctrl-C, SIGTERM and a closed terminal ask for the end; a third time does not wait for it."""
    asked = 0

    def ask(_number: int, _frame: FrameType | None) -> None:
        nonlocal asked
        asked += 1
        stack.stopping.set()
        if asked == 2:  # noqa: PLR2004 - the second time
            say("It is stopping; Neo4j takes up to 10 s. Once more kills everything at once.")
        if asked > 2:  # noqa: PLR2004 - the third time
            for record in records.read_all(stack.folder / "run"):
                if record.name != LAUNCHER:
                    records.end(record, seconds=0)
            os._exit(1)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, ask)
