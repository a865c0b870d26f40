"""The lease on an event, renewed by work that takes long without progress to record."""

import time
from dataclasses import dataclass, field

from graph import Graph
from graph.events import Event
from workers.errors import FencedError

RENEW_SECONDS = 2.0
"""Age of a lease at which the next step renews it. Most photos are done before, so that they cost
the graph no renewal."""


@dataclass(slots=True)
class Lease:
    """The lease on an event, which the claim has just begun."""

    graph: Graph
    event: Event
    renewed_at: float = field(default_factory=time.monotonic)

    def renew_if_old(self) -> None:
        """Renew a lease older than RENEW_SECONDS; a younger one cannot be lost yet.

        Raises FencedError if another worker has claimed the event.
        """
        began_at = time.monotonic()
        if began_at - self.renewed_at < RENEW_SECONDS:
            return
        if not self.graph.events.renew(self.event):
            raise FencedError(self.event.id)
        self.renewed_at = began_at
