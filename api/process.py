"""What a web process opens at its start: settings, logs, stores and the Flask app."""

import atexit

from environs import Env
from flask import Flask

from api.app import create_app
from api.http.context import context_of
from api.settings import ApiSettings
from feed.background import BackgroundRebuilder
from graph import Graph, GraphSettings
from observing import logs
from storage import Storage, StorageSettings


def open_app() -> Flask:
    """The app on the stores that the environment names. They are closed when the process ends.

    Raises an error that names every variable that is missing or wrong.
    """
    env = Env(eager=False)
    graph_settings = GraphSettings.from_env(env)
    storage_settings = StorageSettings.from_env(env)
    api_settings = ApiSettings.from_env(env)
    log_level = env.str("LOG_LEVEL", "info")
    env.seal()
    logs.configure("api", level=log_level)
    graph = Graph.open(graph_settings, circuit=True)  # a dead graph must not occupy all turns
    storage = Storage.open(storage_settings)
    rebuilder = BackgroundRebuilder(graph, storage)
    for closing in (graph, storage, rebuilder):
        atexit.register(closing.close)
    app = create_app(api_settings, graph, storage, rebuilder)
    last_uses = context_of(app).last_uses
    last_uses.start()
    atexit.register(last_uses.close)  # called first
    return app
