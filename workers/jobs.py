"""The functions that RQ calls. Every stored job has the path of one, so they must not move."""

from workers import outbox, stores


def drain(queue: str, shard: int, *_newer: object, **_named: object) -> None:
    """Do the due work of a shard with this process's stores.

    Ignores further arguments, which a newer version's jobs may have: the events have all data.
    """
    outbox.drain(stores.graph(), stores.storage(), queue, shard)


def work(event_id: int, _epoch: int, *_newer: object, **_named: object) -> None:
    """The same for the shard of an event: a job of the version before."""
    outbox.drain_shard_of(stores.graph(), stores.storage(), event_id)
