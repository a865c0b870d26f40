"""Timelines and bodies in the cache, held against the graph."""

import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from feed.proof import watermark
from feed.rebuilding import rebuild
from feed.rendering import render
from graph import Graph
from graph.ids import MAX_ID
from storage import Storage
from storage.timeline_layout import DISORDER
from storage.timelines import Listing

PAUSE_SECONDS = 3.0
"""Between two looks at what differs: what is on its way meanwhile has come, or was undone."""
BATCH = 500
"""Posts asked of the graph at once."""
REMEMBERED = 200_000
"""Posts whose bodies are known to be right: a post stands in many timelines."""
MARGIN = 24
"""Posts read beyond a list's length, as a list may miss some."""

What = Literal["missing", "extra", "order", "expiry", "stale", "revived", "hidden"]
MEANINGS: dict[What, str] = {
    "missing": "a post that should be in the list is not",
    "extra": "a post of somebody whom the reader does not follow",
    "order": "an entry further from its place than a reader allows for",
    "expiry": "a list that never expires",
    "stale": "a body that is not what the graph says now",
    "revived": "a body of a post that the graph does not have",
    "hidden": "a post that the graph has, marked as deleted",
}
"""What may differ."""
BODY: frozenset[What] = frozenset({"stale", "revived", "hidden"})
"""What is wrong with a body, for every reader of the post."""


@dataclass(frozen=True, slots=True, order=True)
class Difference:
    """One thing in one reader's timeline that is not as the graph has it."""

    user_id: int
    what: What
    post_id: int


@dataclass(slots=True, kw_only=True)
class Report:
    """What a comparison found. `late` posts are on their way; `leftovers` are shown to nobody."""

    users: int = 0
    timelines: int = 0
    late: int = 0
    leftovers: int = 0
    differences: list[Difference] = field(default_factory=list)

    def add(self, other: "Report") -> None:
        """Counts another one's users into this one."""
        self.users += other.users
        self.timelines += other.timelines
        self.late += other.late
        self.leftovers += other.leftovers
        self.differences += other.differences

    def by_what(self) -> Counter[What]:
        """How many of each kind there are."""
        return Counter(difference.what for difference in self.differences)


class Verifier:
    """Compares; changes nothing. Reads go on meanwhile, and so do writes."""

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
        self._right: OrderedDict[int, None] = OrderedDict()

    def verify(self, user_ids: Sequence[int]) -> Report:
        """What differs for these users, seen twice with a pause between.

        Lists are read before the graph, and what was published in between is in no list yet:
        a difference counts only if it is there at both looks.
        """
        report = self._look(user_ids)
        if not report.differences:
            return report
        self._pause()
        doubted = list(dict.fromkeys(one.user_id for one in report.differences))
        again = set(self._look(doubted).differences)
        report.differences = [one for one in report.differences if one in again]
        return report

    def wrong_bodies(self, post_ids: Iterable[int]) -> dict[int, What]:
        """What is wrong with the bodies of these posts in the cache, of those that are wrong."""
        unknown = [post_id for post_id in dict.fromkeys(post_ids) if post_id not in self._right]
        wrong: dict[int, What] = {}
        for start in range(0, len(unknown), BATCH):
            wrong |= self._wrong_of(unknown[start : start + BATCH])
        return wrong

    def _look(self, user_ids: Sequence[int]) -> Report:
        report = Report(users=len(user_ids))
        lists = self._storage.timelines.listings(user_ids)  # before the graph: see `verify`
        standing = {
            user_id: one for user_id, one in lists.items() if watermark(one.entries) is not None
        }
        wrong = self.wrong_bodies(
            entry for one in standing.values() for entry in one.entries if entry > 0
        )
        for user_id, one in standing.items():
            report.timelines += 1
            self._compare(user_id, one, wrong, report)
        return report

    def _compare(
        self, user_id: int, listing: Listing, wrong: dict[int, What], report: Report
    ) -> None:
        entries = listing.entries
        limit = len(entries) + MARGIN
        pull = self._graph.posts.feed_page(user_id, before=MAX_ID, limit=limit)
        above = watermark(entries) or 0
        if len(pull.post_ids) == limit:
            above = max(above, pull.post_ids[-1])
        true = {post_id for post_id in pull.post_ids if post_id > above}
        listed = {entry for entry in entries if entry > above}

        found: list[tuple[What, int]] = [("order", entry) for entry in out_of_order(entries)]
        if not listing.expires:
            found.append(("expiry", 0))
        found += [(what, post_id) for post_id, what in wrong.items() if post_id in listed]
        absent = true - listed
        late = self._graph.posts.owed_ids(sorted(absent)) if absent else set()
        found += [("missing", post_id) for post_id in absent - late]
        strange = {post_id for post_id in listed - true if post_id not in wrong}
        existing = self._graph.posts.many(sorted(strange)).keys() if strange else ()
        found += [("extra", post_id) for post_id in strange if post_id in existing]

        report.late += len(late)
        report.leftovers += len(strange) - len(existing)
        report.differences += [Difference(user_id, *one) for one in sorted(found)]

    def _wrong_of(self, post_ids: Sequence[int]) -> dict[int, What]:
        bodies = self._storage.bodies.many(post_ids)  # before the graph here too
        kept = [post_id for post_id in post_ids if bodies[post_id] is not None]
        posts = self._graph.posts.many(kept) if kept else {}
        wrong: dict[int, What] = {}
        for post_id in kept:
            body, post = bodies[post_id], posts.get(post_id)
            if post is None:
                if body:
                    wrong[post_id] = "revived"
            elif not body:
                wrong[post_id] = "hidden"
            elif body != render(post, self._storage):
                wrong[post_id] = "stale"
        self._remember(post_id for post_id in kept if post_id not in wrong)
        return wrong

    def _remember(self, post_ids: Iterable[int]) -> None:
        self._right.update(dict.fromkeys(post_ids))
        while len(self._right) > REMEMBERED:
            self._right.popitem(last=False)


def out_of_order(entries: Sequence[int]) -> list[int]:
    """The entries that stand after one newer than them by more than the disorder allowed.

    A sentinel is at its place as the first entry only.
    """
    posts = entries[1:] if entries and entries[0] <= 0 else entries
    newest, found = 0, []
    for entry in posts:
        if newest - entry > DISORDER or entry <= 0:
            found.append(entry)
        newest = max(newest, entry)
    return found


Outcome = Literal["none", "dropped", "built", "left"]
"""What became of a timeline: there was none, it is gone, it was built anew, or is left to its next
reader, because somebody is building it or being left."""


class Mender:
    """Makes timelines anew and takes away bodies that are wrong. Twice is safe, as is stopping."""

    def __init__(self, graph: Graph, storage: Storage, *, build: bool = True) -> None:
        self._graph = graph
        self._storage = storage
        self._build = build
        self._verifier = Verifier(graph, storage)

    def mend(self, user_id: int) -> Outcome:
        """Drops the user's timeline, and builds it if there was one. Readers go on meanwhile."""
        entries = self._storage.timelines.whole(user_id)
        if not entries:
            return "none"
        wrong = self._verifier.wrong_bodies(entry for entry in entries if entry > 0)
        self._storage.bodies.discard(list(wrong))
        self._storage.timelines.drop(user_id)
        if not self._build:
            return "dropped"
        return "built" if rebuild(self._graph, self._storage, user_id) else "left"
