"""Fan-out of several posts together: one read of bodies, one of followers, common buffers."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from feed.bodies import bodies_of
from graph import Graph
from graph.events import Event
from observing import metrics
from storage import Storage
from workers.batch_result import BatchResult
from workers.fan_out import CURSOR_BEFORE_AUTHOR, FIRST_PAGE, audience_of, observe_lag

SHORTEST_PAGE = 200
"""Followers of each author that are read at least: more than most authors have. 64 such pages have
as many ids as one page of a large author."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _FirstPage:
    event: Event
    user_ids: Sequence[int]
    """The author, then the first followers."""
    is_last: bool

    @property
    def audience(self) -> str:
        """As of a job alone; an audience with followers left is not small."""
        return audience_of(self.event, len(self.user_ids)) if self.is_last else "medium"


def push_first_pages(graph: Graph, storage: Storage, events: Sequence[Event]) -> BatchResult:
    """Write the posts' bodies into the cache, and push each post to its author's first followers.

    Posts that all followers have, or that are deleted, are done. An event that has begun before is
    left to the rest. Can be repeated. Raises StorageUnavailableError, GraphUnavailableError.
    """
    fresh = [event for event in events if event.cursor == CURSOR_BEFORE_AUTHOR]
    pushed = BatchResult(rest=[event for event in events if event.cursor != CURSOR_BEFORE_AUTHOR])
    bodies = bodies_of(graph, storage, [event.subject_id for event in fresh])
    without_body = [post_id for post_id, body in bodies.items() if not body]
    deleted = set(without_body) - graph.posts.existing_ids(without_body)
    pushed.done += [event for event in fresh if event.subject_id in deleted]
    read_at = time.monotonic()  # before the read, which can be slow
    pages = _read(graph, [event for event in fresh if event.subject_id not in deleted])
    answered = _push(storage, pages, read_at)
    for page in pages:
        part, answered = min(answered, len(page.user_ids)), max(0, answered - len(page.user_ids))
        metrics.TIMELINE_PUSHES.labels(audience=page.audience).inc(part)
        if part < len(page.user_ids):  # the page grew too old
            pushed.rest.append(page.event)
        elif page.is_last:
            observe_lag(page.event, page.audience)
            pushed.done.append(page.event)
        else:
            pushed.rest.append(replace(page.event, cursor=page.user_ids[-1]))
    return pushed


def _read(graph: Graph, events: Sequence[Event]) -> list[_FirstPage]:
    """The first page of each post, oldest post first, so that most go to the tails in order."""
    if not events:
        return []
    limit = max(FIRST_PAGE // len(events), SHORTEST_PAGE)
    author_ids = {event.author_id for event in events}
    followers = graph.follows.first_followers(author_ids, limit=limit)
    return [
        _FirstPage(
            event=event,
            user_ids=[event.author_id, *followers[event.author_id]],
            is_last=len(followers[event.author_id]) < limit,
        )
        for event in sorted(events, key=lambda event: event.subject_id)
    ]


def _push(storage: Storage, pages: Sequence[_FirstPage], read_at: float) -> int:
    """Push the pages in their order; returns how many users of them were reached."""
    began_at = time.monotonic()
    answered = storage.timelines.push_many(
        [(page.event.subject_id, page.user_ids) for page in pages], read_at=read_at
    )
    seconds = time.monotonic() - began_at
    users = sum(len(page.user_ids) for page in pages)
    for page in pages:
        share = len(page.user_ids) / users
        metrics.TIMELINE_PUSH_SECONDS.labels(audience=page.audience).inc(seconds * share)
    return answered
