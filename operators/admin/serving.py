"""The admin app as a process: `python -m api admin`."""

import json
from pathlib import Path
from typing import Any

from environs import Env
from flask import Flask
from granian import Granian
from granian.constants import HTTPModes, Interfaces

from graph import Graph, GraphSettings
from observing import logs
from operators.admin.app import AdminSettings, create_admin_app
from storage import Storage, StorageSettings

BLOCKING_THREADS = 4
"""Threads for few operators. A store that is down occupies a thread for 2 s at most."""

GRANIAN_LOG = Path(logs.__file__).parent / "granian_log.json"
"""The log configuration of granian that the API uses too (`--log-config`)."""


def admin_app() -> Flask:
    """The admin app. The worker process of granian calls this once."""
    env = Env(eager=False)
    logs.configure("admin", level=env.str("LOG_LEVEL", "info"))
    admin, graph, storage = (
        AdminSettings.from_env(env),
        GraphSettings.from_env(env),
        StorageSettings.from_env(env),
    )
    env.seal()
    return create_admin_app(admin, Graph.open(graph), Storage.open(storage), storage.queue_url)


def serve_admin() -> None:
    """Serve the admin app until SIGTERM."""
    env = Env(eager=False)
    settings = AdminSettings.from_env(env)
    env.seal()
    Granian(
        "operators.admin.serving:admin_app",
        factory=True,
        address="127.0.0.1",  # only operators on this machine may requeue jobs
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
    """The configuration that gives granian's log lines the format and name of `service`."""
    config: dict[str, Any] = json.loads(GRANIAN_LOG.read_text())
    config["formatters"]["ours"]["service"] = service
    return config
