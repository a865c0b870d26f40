"""Holds a history against the promises: what each read showed, and what it had to show.

Pure: lines in, violations out. Two exceptions that the promises themselves make are counted:
P3, a write whose process could not reach the cache; P5, a page from the graph ahead of the list.
"""

import bisect
import itertools
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from drill.checking.model import Fault, Model, Operation, Post

B_SECONDS = 90.0
"""From a crash to delivered (promises.md, B)."""

CACHE_SLACK_SECONDS = 8.0
"""How long after a fault of the cache a process may still leave it alone: time-outs, breaker."""

STORES = ("neo4j", "queue", "cache")
OUTAGES = frozenset(
    {"tear-aof", "queue-full", "cache-from-old-snapshot"}
    | {name for store in STORES for name in (f"kill-{store}", f"stop-{store}", f"{store}-down")}
)
"""Faults that take a store away from everybody: the time of delivery is counted without them."""
ISOLATED = "isolate-a-process"
"""The one fault of the cache that does not have it in its name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """A promise that was not kept, and the operations that prove it."""

    promise: str
    kind: str
    text: str
    at: float
    numbers: tuple[int, ...]


class Exceptional(NamedTuple):
    """Why something missing is one of the two exceptions, not a violation."""

    promise: str
    until: float


class Read(NamedTuple):
    """What a viewer was shown, whole down to `floor`."""

    viewer: int
    begun: float
    ended: float
    shown: tuple[tuple[int, int, str], ...]
    """(id, author, tag), in the order of the answer."""
    floor: int
    """No post above this id was left out by paging; 0: down to the end."""
    op: Operation


class Requirement(NamedTuple):
    """Why a post had to be shown, and until when an exception may excuse that it was not."""

    promise: str
    kind: str
    why: Operation
    excuse: Exceptional | None


_Wrong = tuple[str, str, str, list[Operation]]
"""Why a post should not have been shown: promise, kind, reason, what proves it."""


@dataclass(slots=True)
class Findings:
    """What the check of a whole history has found."""

    violations: list[Violation] = field(default_factory=list)
    exceptions: Counter[str] = field(default_factory=Counter)
    """Posts that a viewer missed for a while, as an exception allows."""
    longest: dict[str, float] = field(default_factory=dict)
    """Of each exception, after how many seconds a post was missed at the latest."""
    reads: int = 0
    required: int = 0
    """How often a post had to be in a read, which was checked."""
    _excused: set[tuple[str, int, str]] = field(default_factory=set)

    def excused(self, name: str, read: Read, post: Post, seconds: float) -> None:
        """Counts a viewer's missing a post once, however often they looked."""
        if (name, read.viewer, post.tag) not in self._excused:
            self._excused.add((name, read.viewer, post.tag))
            self.exceptions[name] += 1
        self.longest[name] = max(seconds, self.longest.get(name, 0.0))

    def violation(self, promise: str, kind: str, text: str, *ops: Operation) -> None:
        last = ops[-1]
        at = last.begun if math.isinf(last.ended) else last.ended
        numbers = tuple(dict.fromkeys(one.number for one in ops))
        self.violations.append(
            Violation(promise=promise, kind=kind, text=text, at=at, numbers=numbers)
        )


class Checker:
    """One history under check."""

    def __init__(self, ops: Sequence[Operation], injected: Sequence[Fault]) -> None:
        self.ops = ops
        self.model = Model(ops)
        self.findings = Findings()
        self._outages = _joined((one.begun, one.ended) for one in injected if one.name in OUTAGES)
        self._cache_away = _joined(
            (one.begun, one.ended + CACHE_SLACK_SECONDS)
            for one in injected
            if "cache" in one.name or one.name == ISOLATED
        )
        self.pages, self.reads = _reads(ops)
        """Every page by itself, for what it shows; first pages and walks, for what they miss."""
        self._learn()
        self._ids = sorted(self.model.by_id)
        self._seen: dict[tuple[int, int], list[Read]] = defaultdict(list)
        """By (viewer, post id), the reads that showed it, by their ends."""
        self._first_seen: dict[int, float] = {}
        self._note_seen()

    def run(self) -> None:
        """Every rule over everything."""
        self._check_keys()
        for page in self.pages:
            self._check_shown(page)
        for read in self.reads:
            self.findings.reads += 1
            self._check_order(read)
            self._check_missing(read)

    # What is known of posts that nobody was told of.

    def _learn(self) -> None:
        for page in self.pages:
            for post_id, _, tag in page.shown:
                if tag in self.model.posts:
                    self.model.learn(tag, post_id)

    def _note_seen(self) -> None:
        for page in sorted(self.pages, key=lambda one: one.ended):
            for post_id, _, _ in page.shown:
                self._seen[page.viewer, post_id].append(page)
                self._first_seen.setdefault(post_id, page.ended)

    # The rules.

    def _check_keys(self) -> None:
        """P8: one key, one post; and what was acknowledged is not forgotten."""
        for post in self.model.posts.values():
            told = [one for one in post.tries if one.phase == "ok"]
            for one in told:
                if one.facts["id"] != post.post_id:
                    text = f"key of {post.tag} made {post.post_id} and {one.facts['id']}"
                    self.findings.violation("P8", "key-two-posts", text, told[0], one)
                elif one.begun > post.acknowledged and not one.facts.get("replayed"):
                    text = f"key of {post.tag} was acknowledged twice as new"
                    self.findings.violation("P8", "key-two-posts", text, told[0], one)

    def _check_order(self, read: Read) -> None:
        ids = [post_id for post_id, _, _ in read.shown]
        if any(later >= earlier for earlier, later in itertools.pairwise(ids)):
            text = f"ids do not fall: {ids}"
            self.findings.violation("P4", "order", text, read.op)

    def _check_shown(self, read: Read) -> None:
        for post_id, author, tag in read.shown:
            problem = self._shown_wrongly(read, post_id, author, tag)
            if problem:
                promise, kind, text, ops = problem
                who = f"user {read.viewer} was shown {tag} ({post_id}) of {author}: "
                self.findings.violation(promise, kind, who + text, *ops, read.op)

    def _shown_wrongly(self, read: Read, post_id: int, author: int, tag: str) -> _Wrong | None:
        post = self.model.posts.get(tag)
        wrong: _Wrong | None = None
        if post is None or post.author != author:
            wrong = "P1", "never-posted", "nobody ever posted that", []
        elif post.post_id != post_id:
            wrong = "P8", "key-two-posts", f"its key made {post.post_id}", post.tries
        elif post.begun > read.ended:
            wrong = "P1", "failed-shown", "every try of it failed, or came later", post.tries
        elif deletion := post.gone(read.begun):
            wrong = "P6", "deleted-shown", "it was deleted", [deletion]
        if wrong:
            return wrong
        return None if author == read.viewer else self._hidden(read, author)

    def _hidden(self, read: Read, author: int) -> _Wrong | None:
        """P6: nothing of who is not followed."""
        edge = self.model.edges[read.viewer, author]
        if edge.possible(read.begun, read.ended):
            return None
        if not edge.making:
            return "P6", "stranger-shown", "the author was never followed", []
        ended = [one for one in edge.ending if one.phase == "ok" and one.ended <= read.begun]
        return "P6", "left-shown", "the follow had ended", [edge.making[-1], *ended[-1:]]

    def _check_missing(self, read: Read) -> None:
        shown = {post_id for post_id, _, _ in read.shown}
        start = bisect.bisect_right(self._ids, read.floor)
        for post_id in reversed(self._ids[start:]):
            if post_id in shown:
                continue
            post = self.model.by_id[post_id]
            required = self._required(post, read)
            if required:
                self._tell_missing(post, read, required)
        self.findings.required += len(shown)

    def _tell_missing(self, post: Post, read: Read, required: Requirement) -> None:
        if required.excuse and read.begun <= required.excuse.until:
            name = f"{required.excuse.promise} {required.kind}"
            self.findings.excused(name, read, post, read.begun - required.why.ended)
            return
        text = (
            f"user {read.viewer} was not shown {post.tag} ({post.post_id}) of {post.author} at "
            f"{read.begun:.2f} s, {read.begun - required.why.ended:.2f} s after what requires it"
        )
        deeds = [one for one in (post.told, required.why, read.op) if one]
        self.findings.violation(required.promise, required.kind, text, *deeds)

    def _required(self, post: Post, read: Read) -> Requirement | None:
        """Why this read, which went down to the post's place, had to show it."""
        if post.begun > read.begun or post.going(read.ended):
            return None
        if post.author == read.viewer:
            return self._own(post, read) or self._stays(post, read)
        edge = self.model.edges.get((read.viewer, post.author))
        if edge is None or not edge.making:
            return None
        return self._followed(post, read) or self._delivered(post, read) or self._stays(post, read)

    def _own(self, post: Post, read: Read) -> Requirement | None:
        """P3: the author sees it on the next request."""
        told = post.told
        if told is None or told.ended > read.begun:
            return None
        return Requirement("P3", "own-post-missing", told, self._unreached(told))

    def _followed(self, post: Post, read: Read) -> Requirement | None:
        """P3: who follows sees on the next request what was posted before."""
        edge = self.model.edges[read.viewer, post.author]
        make = edge.sure(read.begun, read.ended)
        if make is None or post.acknowledged > make.begun:
            return None
        return Requirement("P3", "followees-post-missing", make, self._unreached(make))

    def _delivered(self, post: Post, read: Read) -> Requirement | None:
        """P2: who follows has it within B of the 201."""
        told = post.told
        make = self.model.edges[read.viewer, post.author].sure(read.begun, read.ended)
        if told is None or make is None:
            return None
        if read.begun <= self.bound(max(told.ended, make.ended)):
            return None
        return Requirement("P2", "not-delivered", told, None)

    def _stays(self, post: Post, read: Read) -> Requirement | None:
        """P5: what was seen once stays, but for leaving and deleting."""
        seen = self._seen.get((read.viewer, post.post_id), ())
        earlier = next((one for one in seen if one.ended <= read.begun), None)
        if earlier is None:
            return None
        if post.author != read.viewer:
            edge = self.model.edges[read.viewer, post.author]
            later = [one for one in seen if one.ended <= read.begun]
            earlier = next((one for one in later if edge.unbroken(one.begun, read.ended)), None)
            if earlier is None:
                return None
        first = min(post.acknowledged, self._first_seen[post.post_id])
        ahead = Exceptional("P5", self.bound(max(first, self._edge_made(post, read))))
        return Requirement("P5", "vanished", earlier.op, ahead)

    def _edge_made(self, post: Post, read: Read) -> float:
        """When the follow was made that this read relies on; 0 for one's own posts."""
        edge = self.model.edges.get((read.viewer, post.author))
        begun = [one.begun for one in edge.making if one.begun <= read.begun] if edge else []
        return max(begun, default=0.0)

    def _unreached(self, write: Operation) -> Exceptional | None:
        """P3's exception, where a fault of the cache touches the write: then it takes B."""
        if any(s <= write.ended and e >= write.begun for s, e in self._cache_away):
            return Exceptional("P3", self.bound(write.ended))
        return None

    def bound(self, since: float) -> float:
        """B later, and later still by all the time in which a store was down meanwhile."""
        end = since + B_SECONDS
        for begun, ended in self._outages:
            if begun > end:
                break
            if ended > since:
                end += ended - max(begun, since)
        return end


def _reads(ops: Sequence[Operation]) -> tuple[list[Read], list[Read]]:
    pages: list[Read] = []
    whole: list[Read] = []
    walked: dict[int, list[Operation]] = defaultdict(list)
    for one in ops:
        if one.op in ("read", "page") and one.phase == "ok":
            pages.append(_read([one]))
            if one.op == "page":
                walked[one.facts["walk"]].append(one)
            else:
                whole.append(pages[-1])
    whole += [_read(walk) for walk in walked.values()]
    return pages, whole


def _read(pages: Sequence[Operation]) -> Read:
    shown = tuple((post[0], post[1], post[2]) for page in pages for post in page.facts["posts"])
    whole = not pages[-1].facts["next"]
    lowest = min((post_id for post_id, _, _ in shown), default=1 << 53)
    return Read(
        viewer=pages[0].facts["viewer"],
        begun=pages[0].begun,
        ended=pages[-1].ended,
        shown=shown,
        floor=0 if whole else lowest,
        op=pages[-1],
    )


def _joined(spans: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    """The same time in spans that do not overlap, rising."""
    joined: list[tuple[float, float]] = []
    for begun, ended in sorted(spans):
        if joined and begun <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(joined[-1][1], ended)
        else:
            joined.append((begun, ended))
    return joined
