"""`python -m stack up|down|status|logs|restart|backup|restore|run|fetch|lock|add-jars`."""

import argparse
import io
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from environs import Env, EnvValidationError

from stack import env_file
from stack.commands import backups, bill_of_materials, inspection, lifecycle, rolling_restart
from stack.commands.run import run
from stack.errors import InterruptedStartError, StackError, to_stack_error
from stack.parts import jars
from stack.parts.stores import SHARED_LIBRARY
from stack.settings import ROOT, StackSettings
from stack.terminal import report


def main(words: list[str]) -> int:
    """Run a command; returns the exit status. Prints the message of a StackError."""
    arguments = _parser().parse_args(words)
    try:
        COMMANDS[arguments.command](_settings(), arguments)
    except StackError as error:
        return _fail(error)
    except OSError as error:
        translated = to_stack_error(error)
        if translated is None:
            raise
        return _fail(translated)
    except (KeyboardInterrupt, InterruptedStartError):
        return 130
    return 0


def _up(settings: StackSettings, arguments: argparse.Namespace) -> None:
    if arguments.detach:
        lifecycle.up_detached(settings)
    else:
        lifecycle.up(settings, table=not arguments.no_table)


def _down(settings: StackSettings, _arguments: argparse.Namespace) -> None:
    lifecycle.down(settings)


def _status(settings: StackSettings, _arguments: argparse.Namespace) -> None:
    inspection.status(settings)


def _logs(settings: StackSettings, arguments: argparse.Namespace) -> None:
    inspection.logs(settings, arguments.part)


def _restart(settings: StackSettings, _arguments: argparse.Namespace) -> None:
    rolling_restart.restart(settings, env_file.read_ready(settings.folder), report)
    report("All our processes are new. The stores were not touched.")


def _backup(settings: StackSettings, arguments: argparse.Namespace) -> None:
    path = arguments.path.resolve()
    backups.backup(settings, path, env_file.read(settings.folder), report)


def _restore(settings: StackSettings, arguments: argparse.Namespace) -> None:
    path = arguments.path.resolve()
    backups.restore(settings, path, env_file.read(settings.folder), report)


def _run(settings: StackSettings, arguments: argparse.Namespace) -> None:
    run(settings, arguments.words)


def _fetch(_settings: StackSettings, _arguments: argparse.Namespace) -> None:
    jars.ensure(jars.read_lock(), SHARED_LIBRARY, other_libraries=[], stopping=threading.Event())


def _lock(_settings: StackSettings, _arguments: argparse.Namespace) -> None:
    print(f"{jars.write_lock()} jars locked in {jars.LOCK}")


def _add_jars(_settings: StackSettings, arguments: argparse.Namespace) -> None:
    added = bill_of_materials.add_jars(arguments.path)
    print(f"{arguments.path} has the Python packages and {added} jars.")


COMMANDS: dict[str, Callable[[StackSettings, argparse.Namespace], None]] = {
    "up": _up,
    "down": _down,
    "status": _status,
    "logs": _logs,
    "restart": _restart,
    "backup": _backup,
    "restore": _restore,
    "run": _run,
    "fetch": _fetch,
    "lock": _lock,
    "add-jars": _add_jars,
}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m stack", description=__doc__)
    add = parser.add_subparsers(dest="command", required=True).add_parser
    up = add("up", help="start everything and stay in the foreground")
    up.add_argument("--detach", action="store_true", help="run in the background; return when up")
    up.add_argument("--no-table", action="store_true", help="print no passwords")
    add("down", help="stop what runs in the background")
    add("status", help="show the processes")
    add("logs", help="follow the logs").add_argument("part", nargs="?")
    add("restart", help="replace our processes one after the other; the stores stay up")
    backup = add("backup", help="write the graph to a file, or to a new file in a folder")
    restore = add("restore", help="replace the graph by that of a backup")
    jars_parser = add("add-jars", help="add Neo4j's jars to a bill of materials")
    for command in (backup, restore, jars_parser):
        command.add_argument("path", type=Path)
    run_parser = add("run", help="run a command with the environment of the running stack")
    run_parser.add_argument("words", nargs=argparse.REMAINDER, metavar="command")
    add("fetch", help="fetch Neo4j's jars, if any is missing")
    add("lock", help="resolve Neo4j's jars and write the lock")
    return parser


def _settings() -> StackSettings:
    env = Env(eager=False)
    if (ROOT / ".env").exists():
        env.read_env(str(ROOT / ".env"), recurse=False)
    settings = StackSettings.from_env(env)
    try:
        env.seal()
    except EnvValidationError as error:
        raise StackError(f"Some settings cannot be read: {error}") from error
    return settings


def _fail(error: StackError) -> int:
    print(f"\n{error}", file=sys.stderr)
    return 1


def _replace_unprintable() -> None:
    """Print `?` for a character that the terminal lacks: an error here would prevent a stop."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


if __name__ == "__main__":
    _replace_unprintable()
    status = main(sys.argv[1:])
    sys.stdout.flush()
    # sys.exit() would wait for download threads, which may hang after Ctrl-C.
    os._exit(status)
