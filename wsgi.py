"""The web process: settings, stores, the app, the front and load shedding. Served by granian.

Each worker process of granian imports it after its start, so no connection is shared by a fork.
"""

import atexit

from environs import Env

from api.app import ApiSettings, create_app
from api.fast_feed.front import Front
from api.http.context import context_of
from api.http.load_shedding import LoadShedding
from feed.background import BackgroundRebuilder
from graph import Graph, GraphSettings
from observing import logs
from storage import Storage, StorageSettings

env = Env(eager=False)
_graph_settings = GraphSettings.from_env(env)
_storage_settings = StorageSettings.from_env(env)
_api_settings = ApiSettings.from_env(env)
_log_level = env.str("LOG_LEVEL", "info")
env.seal()

logs.configure("api", level=_log_level)
_graph = Graph.open(_graph_settings, circuit=True)  # a dead graph must not occupy all turns
_storage = Storage.open(_storage_settings)
_rebuilder = BackgroundRebuilder(_graph, _storage)
atexit.register(_graph.close)
atexit.register(_storage.close)
atexit.register(_rebuilder.close)

app = create_app(_api_settings, _graph, _storage, _rebuilder)
_front = Front(app.wsgi_app, context_of(app))
atexit.register(_front.close)
app.wsgi_app = LoadShedding(_front)  # type: ignore[method-assign]
