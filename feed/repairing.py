"""Rebuilds a timeline and discards wrong bodies, while readers continue."""

from typing import Literal

from feed.rebuilding import rebuild
from feed.verifying import Verifier
from graph import Graph
from storage import Storage, changes

RepairOutcome = Literal["none", "dropped", "built", "left"]
"""How a repair ended. `none`: there was no timeline. `dropped`: it was dropped and not built.
`left`: the next reader builds it, as this rebuild was not possible (feed/rebuilding.py)."""


class Repairer:
    """Repairs timelines. A repair can be repeated, and can be stopped at any point."""

    def __init__(self, graph: Graph, storage: Storage, *, build: bool = True) -> None:
        self._graph = graph
        self._storage = storage
        self._build = build
        self._verifier = Verifier(graph, storage)

    def repair(self, user_id: int) -> RepairOutcome:
        """Drop the user's timeline, discard the wrong bodies in it, and build it if it existed."""
        entries = self._storage.timelines.entries(user_id)
        if not entries:
            return "none"
        wrong = list(self._verifier.wrong_bodies(entry for entry in entries if entry > 0))
        self._storage.bodies.discard(wrong)
        self._storage.changes.announce([changes.post(post_id) for post_id in wrong])
        self._storage.timelines.drop(user_id)
        if not self._build:
            return "dropped"
        return "built" if rebuild(self._graph, self._storage, user_id) else "left"
