"""`python -m stack up|down|status|logs|restart|backup|restore|run|fetch|lock`: what make calls."""

import argparse
import io
import os
import sys
from pathlib import Path

from environs import Env, EnvValidationError

from stack.commands import lifecycle
from stack.errors import InterruptedStartError, StackError, explained
from stack.parts import jars
from stack.settings import ROOT, StackSettings


def main(arguments: list[str]) -> int:
    """Does what is asked; 1 and a sentence when it cannot."""
    asked = _parser().parse_args(arguments)
    try:
        _do(asked, _settings())
    except StackError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    except OSError as error:
        sentence = explained(error)
        if sentence is None:
            raise
        print(f"\n{sentence}", file=sys.stderr)
        return 1
    except (KeyboardInterrupt, InterruptedStartError):
        return 130
    return 0


def _do(asked: argparse.Namespace, settings: StackSettings) -> None:
    match asked.command:
        case "up" if asked.detach:
            lifecycle.up_detached(settings)
        case "up":
            lifecycle.up(settings, table=not asked.no_table)
        case "logs":
            lifecycle.logs(settings, asked.part)
        case "backup":
            lifecycle.backup(settings, asked.path)
        case "restore":
            lifecycle.restore(settings, asked.path)
        case "run":
            lifecycle.run(settings, asked.words)
        case "fetch":
            lifecycle.fetch()
        case "lock":
            print(f"{jars.write_lock()} jars locked in {jars.LOCK}")
        case _:
            PLAIN[asked.command](settings)


PLAIN = {
    "down": lifecycle.down,
    "status": lifecycle.status,
    "restart": lifecycle.restart,
}
"""Commands that take no words of their own."""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m stack", description=__doc__)
    add = parser.add_subparsers(dest="command", required=True).add_parser
    up = add("up", help="start everything and stay")
    up.add_argument("--detach", action="store_true", help="come back when it answers")
    up.add_argument("--no-table", action="store_true", help="print no passwords")
    add("down", help="stop what runs in the background")
    add("status", help="show the processes")
    add("logs", help="follow the logs").add_argument("part", nargs="?")
    add("restart", help="replace our processes one after the other, stores staying up")
    backup = add("backup", help="write the graph into a file, or a new one in a folder")
    restore = add("restore", help="put the graph of such a file in place")
    for one in (backup, restore):
        one.add_argument("path", type=Path)
    run = add("run", help="run a command with the environment of the running stack")
    run.add_argument("words", nargs=argparse.REMAINDER, metavar="command")
    add("fetch", help="fetch Neo4j's jars, unless they are there")
    add("lock", help="resolve Neo4j's jars anew")
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


def _print_what_can_be_printed() -> None:
    """A terminal that has no `…` gets a `?`: nothing that is said may keep us from stopping."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


if __name__ == "__main__":
    _print_what_can_be_printed()
    status = main(sys.argv[1:])
    sys.stdout.flush()
    # Not sys.exit: after Ctrl-C a download may still hang in a thread that nobody waits for.
    os._exit(status)
