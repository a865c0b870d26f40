"""`flask feed …`: timelines held against the graph, and mended."""

from flask.cli import AppGroup

feed = AppGroup("feed", help="Compare timelines with the graph, and rebuild them.")
