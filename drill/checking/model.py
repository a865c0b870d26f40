"""What a history allows: which follows and posts may have stood when, and which surely did.

An operation takes effect at one moment between its `invoke` and its end. One that ended `info`
may take effect at any moment of the time in which a request can still be under way somewhere, or
never; one that ended `fail` never does. So of every fact there are two questions: may it have been
so then, and must it have been?
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from drill.history import FAULT, Line, Phase

PENDING_SECONDS = 120.0
"""How long after its `invoke` a request with an unknown end may still be done: it stands in a
stopped process, a half-open connection, a statement that waits for a lock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """An `invoke` and its end; without an end it is unknown."""

    number: int
    session: str
    op: str
    phase: Phase
    begun: float
    ended: float
    facts: dict[str, Any]

    @property
    def latest(self) -> float:
        """After this moment it does nothing any more."""
        return self.ended if self.phase == "ok" else self.begun + PENDING_SECONDS


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What was injected, and how long it lasted."""

    name: str
    cases: tuple[int, ...]
    begun: float
    ended: float
    failed: str = ""


def operations(lines: Iterable[Line]) -> list[Operation]:
    """All operations of clients, by their beginning."""
    begun: dict[int, Line] = {}
    found: list[Operation] = []
    for line in lines:
        if line.session == FAULT:
            continue
        if line.phase == "invoke":
            begun[line.number] = line
        else:
            found.append(_operation(begun.pop(line.number), line))
    found += [_operation(line, None) for line in begun.values()]
    return sorted(found, key=lambda one: one.begun)


def _operation(begin: Line, end: Line | None) -> Operation:
    return Operation(
        number=begin.number,
        session=begin.session,
        op=begin.op,
        phase=end.phase if end else "info",
        begun=begin.at,
        ended=end.at if end else math.inf,
        facts=begin.facts | (end.facts if end else {}),
    )


def faults(lines: Iterable[Line]) -> list[Fault]:
    """Each with its end; what never ended lasts for ever, what could not be done has no length."""
    open_: dict[str, list[Line]] = defaultdict(list)
    found: list[Fault] = []
    for line in lines:
        if line.session != FAULT:
            continue
        if line.facts["fault"] == "begin":
            open_[line.op].append(line)
            continue
        begin = open_[line.op].pop(0) if open_[line.op] else line
        failed = str(line.facts.get("error", "?")) if line.facts["fault"] == "failed" else ""
        found.append(_fault(begin, line.at, failed))
    found += [_fault(line, math.inf, "") for left in open_.values() for line in left]
    return sorted(found, key=lambda one: one.begun)


def _fault(begin: Line, ended: float, failed: str) -> Fault:
    return Fault(
        name=begin.op,
        cases=tuple(begin.facts["cases"]),
        begun=begin.at,
        ended=ended,
        failed=failed,
    )


@dataclass(slots=True)
class Edge:
    """Whether a viewer follows an author: it does not at first."""

    making: list[Operation] = field(default_factory=list)
    ending: list[Operation] = field(default_factory=list)

    def possible(self, since: float, until: float) -> bool:
        """Whether it may have stood at some moment between the two."""
        return any(
            make.begun <= until and not self._surely_ended(make, since) for make in self.making
        )

    def sure(self, since: float, until: float) -> Operation | None:
        """A follow done by `since`, if nothing can have ended it before `until`; the latest."""
        for make in reversed(self.making):
            if make.phase == "ok" and make.ended <= since and self.unbroken(make.begun, until):
                return make
        return None

    def unbroken(self, since: float, until: float) -> bool:
        """Whether nothing can have ended it between the two."""
        return not any(end.begun <= until and end.latest >= since for end in self.ending)

    def _surely_ended(self, make: Operation, by: float) -> bool:
        """Whether what this follow made was over `by` then, whatever it was."""
        return any(
            end.phase == "ok" and end.ended <= by and end.begun > make.latest for end in self.ending
        )


@dataclass(slots=True)
class Post:
    """What one idempotency key made, if anything."""

    tag: str
    author: int
    tries: list[Operation] = field(default_factory=list)
    deletions: list[Operation] = field(default_factory=list)
    post_id: int = 0
    """0 while nobody has been told."""

    @property
    def begun(self) -> float:
        """It cannot be seen before this."""
        return min((one.begun for one in self.tries if one.phase != "fail"), default=math.inf)

    @property
    def acknowledged(self) -> float:
        """When its author was told that it exists."""
        return min((one.ended for one in self.tries if one.phase == "ok"), default=math.inf)

    @property
    def told(self) -> Operation | None:
        """The answer that said so first."""
        return min(
            (one for one in self.tries if one.phase == "ok"),
            key=lambda one: one.ended,
            default=None,
        )

    def gone(self, by: float) -> Operation | None:
        """The deletion that was surely done by then."""
        done = (one for one in self.deletions if one.phase == "ok" and one.ended <= by)
        return next(done, None)

    def going(self, until: float) -> bool:
        """Whether it may have been deleted by then."""
        return any(one.phase != "fail" and one.begun <= until for one in self.deletions)


class Model:
    """The facts of a whole history."""

    def __init__(self, ops: Sequence[Operation]) -> None:
        self.edges: dict[tuple[int, int], Edge] = defaultdict(Edge)
        """By (viewer, author)."""
        self.posts: dict[str, Post] = {}
        """By tag."""
        self.blocks: dict[tuple[int, int], Edge] = defaultdict(Edge)
        """By (blocker, blocked), with the same two questions as a follow."""
        for one in ops:
            self._take(one)
        self.by_id = {post.post_id: post for post in self.posts.values() if post.post_id}

    def _take(self, one: Operation) -> None:
        facts = one.facts
        match one.op:
            case "post":
                self._take_post(one)
            case "delete":
                self.posts[facts["tag"]].deletions.append(one)
            case _ if one.phase == "fail":
                pass
            case "follow":
                self.edges[facts["viewer"], facts["author"]].making.append(one)
            case "unfollow":
                self.edges[facts["viewer"], facts["author"]].ending.append(one)
            case "block":
                pair = facts["blocker"], facts["blocked"]
                self.edges[pair].ending.append(one)
                self.edges[pair[1], pair[0]].ending.append(one)
                self.blocks[pair].making.append(one)
            case "unblock":
                self.blocks[facts["blocker"], facts["blocked"]].ending.append(one)

    def _take_post(self, one: Operation) -> None:
        facts = one.facts
        post = self.posts.setdefault(facts["tag"], Post(facts["tag"], facts["author"]))
        post.tries.append(one)
        if one.phase == "ok" and not post.post_id:
            post.post_id = facts["id"]

    def learn(self, tag: str, post_id: int) -> None:
        """The id of a post that nobody was told of was seen in a feed."""
        post = self.posts[tag]
        if not post.post_id:
            post.post_id = post_id
            self.by_id[post_id] = post
