"""The whole API by the view alone, for any WSGI server. asgi.py is what `make up` runs.

It ignores CORS_ORIGINS, and has no live streams. Each worker process of a server imports it after
its start, so no connection is shared by a fork.
"""

from api.http.load_shedding import LoadShedding
from api.process import open_app

app = open_app()
app.wsgi_app = LoadShedding(app.wsgi_app)  # type: ignore[method-assign]
