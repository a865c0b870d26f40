"""The whole API by the view alone: settings, stores, the app and load shedding.

Any WSGI server can serve it. Each worker process of granian imports it after its start, so no
connection is shared by a fork.
"""

import atexit

from environs import Env

from api.app import ApiSettings, create_app
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
app.wsgi_app = LoadShedding(app.wsgi_app)  # type: ignore[method-assign]
