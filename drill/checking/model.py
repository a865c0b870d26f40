"""What a history allows: when each follow, block and post may have existed, and when it must have.

An operation takes effect at one moment between its start and its end. With the phase `info` it may
take effect until PENDING_SECONDS after its start, or never; with `fail` it never does. So there are
two questions about each fact at a given time: may it hold, and does it certainly hold?
"""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from drill.checking.operations import Operation


@dataclass(slots=True)
class Relation:
    """A follow or a block from one user to another. It does not hold at first."""

    starts: list[Operation] = field(default_factory=list)
    """The operations that start it, without failed ones."""
    ends: list[Operation] = field(default_factory=list)

    def may_hold(self, since: float, until: float) -> bool:
        """Whether it may hold at any moment between the two."""
        return any(
            start.start <= until and not self._certainly_ended(start, since)
            for start in self.starts
        )

    def certain_start(self, since: float, until: float) -> Operation | None:
        """The latest operation by which it certainly holds from `since` to `until`, or None."""
        for start in reversed(self.starts):
            certain = start.phase == "ok" and start.end <= since
            if certain and self.certainly_unbroken(start.start, until):
                return start
        return None

    def certainly_unbroken(self, since: float, until: float) -> bool:
        """Whether nothing can have ended it between the two."""
        return not any(end.start <= until and end.latest_effect >= since for end in self.ends)

    def _certainly_ended(self, start: Operation, by: float) -> bool:
        """Whether the relation that `start` may have started had certainly ended `by` then."""
        return any(
            end.phase == "ok" and end.end <= by and end.start > start.latest_effect
            for end in self.ends
        )


@dataclass(slots=True)
class Post:
    """The post of one idempotency key, if any attempt created it."""

    tag: str
    author: int
    attempts: list[Operation] = field(default_factory=list)
    deletions: list[Operation] = field(default_factory=list)
    post_id: int = 0
    """0 as long as no response and no feed has shown it."""

    @property
    def earliest(self) -> float:
        """The time before which it cannot be visible; inf if every attempt failed."""
        return min((op.start for op in self.attempts if op.phase != "fail"), default=math.inf)

    @property
    def acknowledgements(self) -> list[Operation]:
        """The attempts that were answered with a 2xx."""
        return [op for op in self.attempts if op.phase == "ok"]

    @property
    def acknowledgement(self) -> Operation | None:
        """The attempt that was answered first with a 2xx, or None."""
        return min(self.acknowledgements, key=lambda op: op.end, default=None)

    @property
    def acknowledged(self) -> float:
        """The time of the first acknowledgement; inf without one."""
        first = self.acknowledgement
        return first.end if first else math.inf

    def deletion(self, by: float) -> Operation | None:
        """A deletion that was certainly done `by` then, or None."""
        done = (op for op in self.deletions if op.phase == "ok" and op.end <= by)
        return next(done, None)

    def may_be_deleted(self, by: float) -> bool:
        """Whether a deletion may have taken effect `by` then."""
        return any(op.phase != "fail" and op.start <= by for op in self.deletions)


class Model:
    """All follows, blocks, posts and names of a history."""

    def __init__(self, ops: Sequence[Operation]) -> None:
        self.follows: dict[tuple[int, int], Relation] = defaultdict(Relation)
        """By (viewer, author)."""
        self.blocks: dict[tuple[int, int], Relation] = defaultdict(Relation)
        """By (blocker, blocked)."""
        self.posts: dict[str, Post] = {}
        """By tag."""
        self.renames: dict[int, list[Operation]] = defaultdict(list)
        """By user, without failed ones. Each has a name of its own."""
        for op in ops:
            self._add(op)
        self.posts_by_id = {post.post_id: post for post in self.posts.values() if post.post_id}

    def set_id(self, tag: str, post_id: int) -> None:
        """Set the id of a post that a feed has shown and no response has acknowledged."""
        post = self.posts[tag]
        if not post.post_id:
            post.post_id = post_id
            self.posts_by_id[post_id] = post

    def _add(self, op: Operation) -> None:
        facts = op.facts
        match op.op:
            case "post":
                self._add_post(op)
            case "delete":
                self.posts[facts["tag"]].deletions.append(op)
            case _ if op.phase == "fail":
                pass
            case "rename":
                self.renames[facts["author"]].append(op)
            case "follow":
                self.follows[facts["viewer"], facts["author"]].starts.append(op)
            case "unfollow":
                self.follows[facts["viewer"], facts["author"]].ends.append(op)
            case "block":
                self._add_block(op)
            case "unblock":
                self.blocks[facts["blocker"], facts["blocked"]].ends.append(op)

    def _add_post(self, op: Operation) -> None:
        facts = op.facts
        post = self.posts.setdefault(facts["tag"], Post(facts["tag"], facts["author"]))
        post.attempts.append(op)
        if op.phase == "ok" and not post.post_id:
            post.post_id = facts["id"]

    def _add_block(self, op: Operation) -> None:
        """A block ends the follows of both users."""
        blocker, blocked = op.facts["blocker"], op.facts["blocked"]
        self.follows[blocker, blocked].ends.append(op)
        self.follows[blocked, blocker].ends.append(op)
        self.blocks[blocker, blocked].starts.append(op)
