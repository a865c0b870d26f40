"""The commands of operators: `flask events …`, `feed …`, `graph …`, `moderation …`.

`.flaskenv` names this package. The commands need the settings of the stores, and no secret of the
API.
"""

import logging

from flask import Flask

from operators.commands.events import events
from operators.commands.feed import feed
from operators.commands.graph import graph
from operators.commands.moderation import moderation

GROUPS = (events, feed, graph, moderation)


def create_app() -> Flask:
    """An app with the commands alone, without routes."""
    logging.getLogger("neo4j").addHandler(logging.NullHandler())  # commands print errors themselves
    app = Flask("operators.commands", static_folder=None)
    for group in GROUPS:
        app.cli.add_command(group)
    return app
