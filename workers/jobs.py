"""The function that RQ calls. Every stored job has its path, so the function must not move."""

from workers import outbox, stores


def work(event_id: int, epoch: int, *_newer: object, **_named: object) -> None:
    """Do the event's work with this process's stores.

    Ignores further arguments, which a newer version's jobs may have: the event has all data.
    """
    outbox.run(stores.graph(), stores.storage(), event_id, epoch)
