"""Errors that end an event's work early, besides an unavailable store."""


class WorkError(Exception):
    """The work ended before it was complete."""


class FencedError(WorkError):
    """Another worker has claimed the event and does the rest of the work."""

    def __init__(self, event_id: int) -> None:
        super().__init__(f"event {event_id} has been claimed by another worker")
        self.event_id = event_id


class UnfinishedError(WorkError):
    """The time for one job is over and the cursor has moved: the next job does the rest."""

    def __init__(self, event_id: int) -> None:
        super().__init__(f"event {event_id} continues from its cursor")
        self.event_id = event_id


class PutOffError(WorkError):
    """The work is due later, as its user has had their share of the workers."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"put off for {seconds:.0f} s")
        self.seconds = seconds


class StalledError(WorkError):
    """The time for one job is over and the cursor has not moved: this counts as an attempt."""

    def __init__(self, event_id: int) -> None:
        super().__init__(f"event {event_id} made no progress")
        self.event_id = event_id
