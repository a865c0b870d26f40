"""What operators type: `flask events …`, `flask graph …`, `flask feed …`.

`.flaskenv` names this package, so that the commands need the stores' settings alone, and none of
the API's own secrets.
"""

from flask import Flask

from api.commands.events import events
from api.commands.feed import feed
from api.commands.graph import graph

GROUPS = (events, feed, graph)


def create_app() -> Flask:
    """An app of commands alone; it serves nothing."""
    app = Flask("api.commands", static_folder=None)
    for group in GROUPS:
        app.cli.add_command(group)
    return app
