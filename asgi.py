"""The web process: the feed on an event loop, Flask in threads behind it. Served by granian.

Each worker process of granian imports it after its start, so no connection is shared by a fork.
"""

from api.fast_feed.application import create_asgi_app
from api.process import open_app

app = create_asgi_app(open_app())
