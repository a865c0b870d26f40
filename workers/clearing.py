"""What the sweeper clears: each kind of expired items, in pages, within a time."""

import random
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import structlog

from graph import Graph
from graph.ids import first_id_at
from storage import Storage
from storage.s3 import SweptPage
from workers.exports.clearing import expire_exports, reconcile_objects
from workers.photos.expiry import expire_photos, reconcile_incoming

log = structlog.get_logger()

NOTIFICATION_RETENTION = timedelta(days=90)
"""How long a notification is stored."""

PAGE = 1_000
"""Expired items that one statement deletes: some 20 ms."""

REPORTS_PAGE = 100
"""Open reports, or rows of their list, that are looked at before the time is: each may cost a
statement."""

Step = Callable[[float], int]
"""Clears until a page is short or the monotonic time is over; returns how many items it cleared."""


def steps(graph: Graph, storage: Storage) -> list[tuple[str, Step]]:
    """The steps by the names of their items, in random order.

    So no step is always behind one that takes its whole time, and several sweepers begin with
    different ones.
    """
    named: list[tuple[str, Step]] = [
        ("photos", lambda until: expire_photos(graph, storage, until=until)),
        ("incoming", lambda until: reconcile_incoming(storage, until=until)),
        ("exports", lambda until: expire_exports(graph, storage, until=until)),
        ("export-objects", lambda until: reconcile_objects(storage, until=until)),
        ("keys", _in_pages(lambda: graph.idempotency_keys.delete_expired(PAGE), PAGE)),
        ("sessions", _in_pages(lambda: graph.sessions.delete_expired(PAGE), PAGE)),
        (
            "push-subscriptions",
            _in_pages(lambda: graph.push_subscriptions.delete_ended(PAGE), PAGE),
        ),
        ("names", _in_pages(lambda: graph.accounts.free_names(PAGE), PAGE)),
        ("deleted-posts", _in_pages(lambda: graph.posts.clear_deleted(PAGE), PAGE)),
        ("reports", _in_pages(lambda: graph.reports.delete_closed(PAGE), PAGE)),
        ("open-reports", lambda until: _settle_reports(graph, storage, until)),
        ("reported-subjects", lambda until: _relist_reported(graph, storage, until)),
        ("notifications", _in_pages(lambda: _clear_notifications(graph), PAGE)),
    ]
    return random.sample(named, len(named))


def _in_pages(clear: Callable[[], int], page: int) -> Step:
    """A step that repeats `clear`, which clears a page and returns its length."""

    def step(until: float) -> int:
        cleared = 0
        while True:
            count = clear()
            cleared += count
            if count < page or time.monotonic() > until:
                return cleared

    return step


def _settle_reports(graph: Graph, storage: Storage, until: float) -> int:
    """Close the open reports of what is deleted; returns how many.

    Looks at all open ones, page by page, in as many rounds as it takes.
    """

    def settle(key: str) -> SweptPage:
        page = graph.reports.settle(after=int(key or 0), limit=REPORTS_PAGE)
        for (subject, subject_id), count in page.closed.items():
            log.info("reports closed", subject=subject, subject_id=subject_id, reports=count)
        after = page.next_after
        return SweptPage(
            removed=sum(page.closed.values()), last_key=None if after is None else str(after)
        )

    return storage.sweep_positions.walk("open-reports", settle, until=until)


def _relist_reported(graph: Graph, storage: Storage, until: float) -> int:
    """Correct the list of what is reported, in as many rounds as it takes. Clears nothing."""

    def relist(key: str) -> SweptPage:
        after = graph.reports.relist(after=int(key or 0), limit=REPORTS_PAGE)
        return SweptPage(removed=0, last_key=None if after is None else str(after))

    return storage.sweep_positions.walk("reported-subjects", relist, until=until)


def _clear_notifications(graph: Graph) -> int:
    before = first_id_at(datetime.now(UTC) - NOTIFICATION_RETENTION)
    return graph.notifications.delete_old(before, PAGE)
