"""What can go wrong in a piece of work, beside a store being away."""


class WorkError(Exception):
    """Anything that ends a piece of work before its end."""


class FencedError(WorkError):
    """Somebody else has claimed the event since: whatever is left is theirs."""

    def __init__(self, event_id: int) -> None:
        super().__init__(f"event {event_id} is no longer ours")
        self.event_id = event_id


class UnfinishedError(WorkError):
    """The event's time is up, its cursor has moved: the rest belongs to the next job."""

    def __init__(self, event_id: int) -> None:
        super().__init__(f"event {event_id} goes on from its cursor")
        self.event_id = event_id


class StalledError(WorkError):
    """The event's time is up and nothing has moved: that counts as an attempt."""

    def __init__(self, event_id: int) -> None:
        super().__init__(f"event {event_id} made no progress")
        self.event_id = event_id
