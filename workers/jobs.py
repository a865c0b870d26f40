"""The function that RQ calls. Its path is stored in every job, so it stays where it is."""

from workers import outbox, stores


def work(event_id: int, epoch: int, *_newer: object, **_named: object) -> None:
    """The job by which RQ calls us, with this process's stores.

    Whatever else a newer version's bell may carry is passed over: the event says all.
    """
    outbox.run(stores.graph(), stores.storage(), event_id, epoch)
