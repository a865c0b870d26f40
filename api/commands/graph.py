"""`flask graph …`: a dump of the graph, and its way back."""

from flask.cli import AppGroup

graph = AppGroup("graph", help="Back up the graph and restore it.")
