"""`flask events …`: the work that is owed, as operators see and mend it."""

from flask.cli import AppGroup

events = AppGroup("events", help="Work that is owed: list it, look at it, requeue, quarantine.")
