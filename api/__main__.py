"""`python -m api init | admin`: what is run beside the web process.

`init` prepares the stores and may be run at every start; `admin` serves the operators' pages on
loopback. What operators type by hand is in api/commands/.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from environs import Env
from flask import Flask
from granian import Granian
from granian.constants import HTTPModes, Interfaces

from api.admin import AdminSettings, create_admin_app
from api.cli import prepare
from api.commands.opening import CommandError, opened_stores, saying
from graph import Graph, GraphSettings
from observing.logs import configure
from storage import Storage, StorageSettings

BLOCKING_THREADS = 4
"""Operators are few; a slow store holds one of these for two seconds at most."""

GRANIAN_LOG = Path(__file__).parent / "granian_log.json"
"""How the API's granian logs (`--log-config`)."""


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
    return parser.parse_args()


def main() -> int:
    """Run what was asked for; the exit status."""
    asked = arguments()
    try:
        if asked.command == "admin":
            with saying():
                serve_admin()
            return 0
        with opened_stores() as (graph, storage):
            for line in prepare(graph, storage):
                print(line, flush=True)
    except CommandError as error:
        error.show()
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
