"""What operators type: `flask events …`, `flask graph …`, `flask feed …`.

`.flaskenv` names this package, so that the commands need the stores' settings alone, and none of
the API's own secrets.
"""

import logging

from flask import Flask

from operators.commands.events import events
from operators.commands.feed import feed
from operators.commands.graph import graph

GROUPS = (events, feed, graph)


def create_app() -> Flask:
    """An app of commands alone; it serves nothing."""
    logging.getLogger("neo4j").addHandler(logging.NullHandler())  # a command says it in its words
    app = Flask("operators.commands", static_folder=None)
    for group in GROUPS:
        app.cli.add_command(group)
    return app
