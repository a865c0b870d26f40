"""Compares timelines and bodies in the cache with the graph."""

import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from feed.proof import watermark
from feed.rendering import render
from graph import Graph
from graph.ids import MAX_ID
from graph.posts import Post
from storage import Storage
from storage.timeline_layout import DISORDER
from storage.timelines import RawTimeline

PAUSE_SECONDS = 3.0
"""Between the two comparisons of a difference: work in flight is done by the second one."""
BATCH = 500
"""Posts read from the graph at once."""
VERIFIED_CAPACITY = 200_000
"""Ids of posts with correct bodies that a verifier stores: a post is in many timelines."""
MARGIN = 24
"""Posts read beyond a list's length, as the list can lack some."""

DifferenceKind = Literal["missing", "extra", "order", "expiry", "stale", "revived", "hidden"]
DESCRIPTIONS: dict[DifferenceKind, str] = {
    "missing": "a post that should be in the list is not",
    "extra": "a post of somebody whom the reader does not follow",
    "order": "an entry further from its place than a reader allows for",
    "expiry": "a list that never expires",
    "stale": "a body that differs from the post in the graph",
    "revived": "a body of a post that the graph does not have",
    "hidden": "a post that the graph has, marked as deleted",
}
"""Each kind of difference in words, as `flask feed verify` prints it."""


@dataclass(frozen=True, slots=True, order=True)
class Difference:
    """One difference between a user's timeline and the graph; `post_id` 0: of the whole list."""

    user_id: int
    kind: DifferenceKind
    post_id: int


@dataclass(slots=True, kw_only=True)
class Report:
    """The result of a comparison.

    `late`: posts that are not in their list yet, as their event is not done. `leftovers`: entries
    of deleted posts, which no page shows.
    """

    users: int = 0
    timelines: int = 0
    late: int = 0
    leftovers: int = 0
    differences: list[Difference] = field(default_factory=list)

    def add(self, other: "Report") -> None:
        """Add the counts and differences of another report, of other users."""
        self.users += other.users
        self.timelines += other.timelines
        self.late += other.late
        self.leftovers += other.leftovers
        self.differences += other.differences

    def count_by_kind(self) -> Counter[DifferenceKind]:
        """The number of differences of each kind."""
        return Counter(difference.kind for difference in self.differences)


class Verifier:
    """Compares and changes nothing. Reads and writes may continue meanwhile."""

    def __init__(
        self,
        graph: Graph,
        storage: Storage,
        *,
        pause: Callable[[], None] = lambda: time.sleep(PAUSE_SECONDS),
    ) -> None:
        self._graph = graph
        self._storage = storage
        self._pause = pause
        self._verified: OrderedDict[int, None] = OrderedDict()
        """Ids of posts whose bodies were correct, oldest check first."""

    def verify(self, user_ids: Sequence[int]) -> Report:
        """The differences of these users' timelines that two comparisons have found.

        Lists are read before the graph, so a post published in between is in no list yet. A
        difference therefore counts only if a second comparison, after a pause, finds it again.
        """
        report = self._compare(user_ids)
        if not report.differences:
            return report
        self._pause()
        suspect_ids = list(dict.fromkeys(difference.user_id for difference in report.differences))
        confirmed = set(self._compare(suspect_ids).differences)
        report.differences = [each for each in report.differences if each in confirmed]
        return report

    def wrong_bodies(self, post_ids: Iterable[int]) -> dict[int, DifferenceKind]:
        """Those of the posts whose body in the cache is wrong, each with the kind of difference."""
        unverified = [i for i in dict.fromkeys(post_ids) if i not in self._verified]
        wrong: dict[int, DifferenceKind] = {}
        for start in range(0, len(unverified), BATCH):
            wrong |= self._wrong_bodies_in_batch(unverified[start : start + BATCH])
        return wrong

    def _compare(self, user_ids: Sequence[int]) -> Report:
        report = Report(users=len(user_ids))
        lists = self._storage.timelines.read_raw(user_ids)  # before the graph: see `verify`
        finished = {
            user_id: listing
            for user_id, listing in lists.items()
            if watermark(listing.entries) is not None
        }
        wrong = self.wrong_bodies(
            entry for listing in finished.values() for entry in listing.entries if entry > 0
        )
        for user_id, listing in finished.items():
            report.timelines += 1
            self._compare_timeline(user_id, listing, wrong, report)
        return report

    def _compare_timeline(
        self, user_id: int, listing: RawTimeline, wrong: dict[int, DifferenceKind], report: Report
    ) -> None:
        limit = len(listing.entries) + MARGIN
        pull = self._graph.posts.feed_page(user_id, before=MAX_ID, limit=limit)
        expected, listed = comparable_ids(listing.entries, pull.post_ids, limit)
        absent = expected - listed
        late = self._graph.posts.undelivered_ids(sorted(absent)) if absent else set()
        unexpected = {post_id for post_id in listed - expected if post_id not in wrong}
        existing = self._graph.posts.many(sorted(unexpected)).keys() if unexpected else ()

        found: list[tuple[DifferenceKind, int]]
        found = [("order", entry) for entry in out_of_order(listing.entries)]
        if not listing.expires:
            found.append(("expiry", 0))
        found += [(kind, post_id) for post_id, kind in wrong.items() if post_id in listed]
        found += [("missing", post_id) for post_id in absent - late]
        found += [("extra", post_id) for post_id in unexpected if post_id in existing]
        report.differences += [Difference(user_id, *each) for each in sorted(found)]
        report.late += len(late)
        report.leftovers += len(unexpected) - len(existing)

    def _wrong_bodies_in_batch(self, post_ids: Sequence[int]) -> dict[int, DifferenceKind]:
        cached = self._storage.bodies.read_many(post_ids)  # before the graph: see `verify`
        bodies = {post_id: body for post_id, body in cached.items() if body is not None}
        posts = self._graph.posts.many(list(bodies)) if bodies else {}
        wrong: dict[int, DifferenceKind] = {}
        for post_id, body in bodies.items():
            kind = self._body_difference(body, posts.get(post_id))
            if kind is not None:
                wrong[post_id] = kind
        self._record_verified(post_id for post_id in bodies if post_id not in wrong)
        return wrong

    def _body_difference(self, body: bytes, post: Post | None) -> DifferenceKind | None:
        if post is None:
            return "revived" if body else None
        if not body:
            return "hidden"
        return None if body == render(post, self._storage) else "stale"

    def _record_verified(self, post_ids: Iterable[int]) -> None:
        self._verified.update(dict.fromkeys(post_ids))
        while len(self._verified) > VERIFIED_CAPACITY:
            self._verified.popitem(last=False)


def comparable_ids(
    entries: Sequence[int], graph_ids: Sequence[int], limit: int
) -> tuple[set[int], set[int]]:
    """The ids that the list should have and those that it has, above its watermark. Pure.

    `graph_ids`: the feed's newest `limit` ids in the graph, newest first. If there can be more, the
    comparison ends above the oldest of them.
    """
    above = watermark(entries) or 0
    if len(graph_ids) == limit:
        above = max(above, graph_ids[-1])
    expected = {post_id for post_id in graph_ids if post_id > above}
    listed = {entry for entry in entries if entry > above}
    return expected, listed


def out_of_order(entries: Sequence[int]) -> list[int]:
    """The entries that follow an entry newer than them by more than T. Pure.

    A sentinel is in order as the first entry only.
    """
    posts = entries[1:] if entries and entries[0] <= 0 else entries
    newest, misplaced = 0, []
    for entry in posts:
        if newest - entry > DISORDER or entry <= 0:
            misplaced.append(entry)
        newest = max(newest, entry)
    return misplaced
