"""`python -m api init | admin | quarantine list | quarantine requeue ID`.

What is run beside the web process. `init` prepares the stores and may be run at every start;
`admin` serves the operators' pages on loopback; `quarantine` shows and frees events that were
given up.
"""

import argparse
import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from environs import Env, EnvValidationError
from flask import Flask
from granian import Granian
from granian.constants import HTTPModes, Interfaces

from api.admin import AdminSettings, create_admin_app
from api.cli import CommandError, list_quarantined, prepare, requeue
from graph import Graph, GraphSettings
from graph.errors import GraphError
from storage import Storage, StorageSettings
from storage.errors import StorageUnavailableError
from workers.logs import configure

BLOCKING_THREADS = 4
"""Operators are few; a slow store holds one of these for two seconds at most."""

GRANIAN_LOG = Path(__file__).parent / "granian_log.json"
"""How the API's granian logs (`--log-config`)."""


@contextmanager
def opened_stores() -> Iterator[tuple[Graph, Storage]]:
    """The graph and the storage that the environment names, closed at the end."""
    env = Env(eager=False)
    graph_settings, storage_settings = GraphSettings.from_env(env), StorageSettings.from_env(env)
    env.seal()
    with Graph.open(graph_settings) as graph:
        storage = Storage.open(storage_settings)
        try:
            yield graph, storage
        finally:
            storage.close()


def admin_app() -> Flask:
    """The operators' app of this process; granian's worker calls it once."""
    env = Env(eager=False)
    configure("admin", level=env.str("LOG_LEVEL", "info"))
    admin, graph, storage = (
        AdminSettings.from_env(env),
        GraphSettings.from_env(env),
        StorageSettings.from_env(env),
    )
    env.seal()
    return create_admin_app(admin, Graph.open(graph), Storage.open(storage), storage.queue_url)


def serve_admin() -> None:
    """Serve the operators' pages until SIGTERM."""
    env = Env(eager=False)
    settings = AdminSettings.from_env(env)
    env.seal()
    Granian(
        "api.__main__:admin_app",
        factory=True,
        address="127.0.0.1",  # whoever can requeue jobs must be on this machine
        port=settings.port,
        interface=Interfaces.WSGI,
        workers=1,
        blocking_threads=BLOCKING_THREADS,
        blocking_threads_idle_timeout=600,
        http=HTTPModes.http1,
        websockets=False,
        workers_kill_timeout=10,
        respawn_failed_workers=True,
        log_dictconfig=granian_log("admin"),
    ).serve()


def granian_log(service: str) -> dict[str, Any]:
    """What makes granian's own lines look like those of `service`."""
    config: dict[str, Any] = json.loads(GRANIAN_LOG.read_text())
    config["formatters"]["ours"]["service"] = service
    return config


def arguments() -> argparse.Namespace:
    """What was asked for on the command line."""
    parser = argparse.ArgumentParser(prog="python -m api", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("init", help="apply the graph's schema and prepare the bucket")
    commands.add_parser("admin", help="serve the operators' pages on loopback")
    quarantine = commands.add_parser("quarantine", help="events that were given up")
    actions = quarantine.add_subparsers(dest="action", required=True)
    actions.add_parser("list", help="list them, oldest first")
    actions.add_parser("requeue", help="try one again").add_argument("event_id", type=int)
    return parser.parse_args()


def command(asked: argparse.Namespace) -> Callable[[Graph, Storage], Iterator[str]]:
    """The command that works on the stores and says what it did."""
    if asked.command == "init":
        return prepare
    if asked.action == "list":
        return lambda graph, _storage: list_quarantined(graph)
    return lambda graph, storage: requeue(graph, storage, asked.event_id)


def missing_settings(error: EnvValidationError) -> Iterator[str]:
    """A line for each variable that is missing or wrong."""
    found = error.error_messages
    if not isinstance(found, Mapping):
        yield str(error)
        return
    for name, messages in found.items():
        yield f"{name}: {' '.join(messages)}"


def first_line(error: Exception) -> str:
    """The error in one line, without the codes a driver puts around its message."""
    line = str(error).partition("\n")[0].rstrip(" :")
    found = re.search(r"\{message: (.*?)\}", line)
    return found[1] if found else line


def main() -> int:
    """Run what was asked for; the exit status."""
    asked = arguments()
    try:
        if asked.command == "admin":
            serve_admin()
            return 0
        with opened_stores() as (graph, storage):
            for line in command(asked)(graph, storage):
                print(line, flush=True)
    except EnvValidationError as error:
        for line in missing_settings(error):
            print(line, file=sys.stderr)
    except GraphError as error:
        print(f"Neo4j: {first_line(error)}", file=sys.stderr)
        print("Is it running, and are NEO4J_URI, _USER and _PASSWORD right?", file=sys.stderr)
    except StorageUnavailableError as error:
        print(f"{first_line(error)}. Is it running, and is its URL right?", file=sys.stderr)
    except CommandError as error:
        print(error, file=sys.stderr)
    else:
        return 0
    return 1


if __name__ == "__main__":
    sys.exit(main())
