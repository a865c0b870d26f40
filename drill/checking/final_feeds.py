"""Rules on the feeds in the final state, when all faults have ended and all work is done.

Each feed holds exactly the posts of the model, and each timeline in Redis is sound.
"""

import math
from collections.abc import Iterable

from drill.checking.evidence import Evidence
from drill.checking.model import Post
from drill.checking.operations import Operation
from feed.proof import watermark
from storage.timeline_layout import ABOVE_NOTHING, DISORDER, TIMELINE_TTL_SECONDS

LONGEST_BUILD_TTL_SECONDS = 60
"""The longest TTL of a timeline that is being built."""
LAST_FOLLOW_CHANGES = 3
"""So many follows and unfollows are reported with a lost post."""

Problems = Iterable[tuple[str, str]]
"""The kind and the text of each problem."""


class FinalFeeds:
    """The check of the feeds of one history in the final state."""

    def __init__(self, evidence: Evidence) -> None:
        self._ops = evidence.ops
        self._model = evidence.model
        self._findings = evidence.findings
        self._followee_lists = {
            op.facts["viewer"]: op
            for op in evidence.ops
            if op.op == "following" and op.phase == "ok"
        }
        """By viewer, the operation that read the list of followees."""
        self._walks = [read for read in evidence.reads.whole if read.op.facts.get("final")]
        self._existing_tags = {tag for tag, post in self._model.posts.items() if self._exists(post)}

    def check(self) -> None:
        """Add all violations.

        If the history does not determine whether a follow holds, the list of followees decides;
        if it does not determine whether a post exists, the author's own feed.
        """
        for viewer, op in self._followee_lists.items():
            self._check_followees(viewer, op)
        self._check_walks()
        for op in self._ops:
            if op.op == "walk":
                self._check_walk_end(op)
            elif op.op == "list":
                self._check_timeline(op)

    def _check_followees(self, viewer: int, op: Operation) -> None:
        """P1: an acknowledged follow stands, and an ended one does not come back."""
        listed = set(op.facts["ids"])
        follows = [(a, follow) for (v, a), follow in self._model.follows.items() if v == viewer]
        for author, follow in follows:
            if author not in listed and (start := follow.certain_start(op.start, op.end)):
                text = f"user {viewer} does not follow {author} any more"
                self._findings.add_violation("P1", "follow-lost", text, start, op)
            if author in listed and not follow.may_hold(op.start, op.end):
                text = f"user {viewer} follows {author} again"
                self._findings.add_violation("P1", "follow-revived", text, *follow.ends[-1:], op)

    def _check_walks(self) -> None:
        """P2 and P6: each walk shows the expected posts and no others."""
        for read in self._walks:
            if read.viewer not in self._followee_lists or not read.is_complete:
                continue
            shown = {post.tag for post in read.posts}
            expected = self._expected_tags(read.viewer)
            for tag in sorted(expected - shown):
                self._add_violation(read.op, "P2", "lost", f"never got {tag}", tag)
            for tag in sorted(shown - expected):
                self._add_violation(read.op, "P6", "extra", f"still has {tag}", tag)

    def _check_walk_end(self, op: Operation) -> None:
        if op.facts.get("final") and op.phase != "ok":
            text = f"user {op.facts['viewer']} could not read to the end in the final state"
            self._findings.add_violation("P4", "no-final-walk", text, op)

    def _check_timeline(self, op: Operation) -> None:
        """P7: sentinel, order, TTL, length, and the posts above the watermark."""
        entries: list[int] = op.facts["entries"]
        if not entries:
            return
        problems = [*_layout_problems(op, entries), *self._content_problems(op, entries)]
        for kind, problem in problems:
            text = f"timeline of user {op.facts['viewer']}: {problem}"
            self._findings.add_violation("P7", f"list-{kind}", text, op)

    def _content_problems(self, op: Operation, entries: list[int]) -> Problems:
        mark, viewer = watermark(entries), op.facts["viewer"]
        if mark is None or viewer not in self._followee_lists:
            return
        above = [entry for entry in entries if entry > max(mark, 0)]
        expected = {self._model.posts[tag].post_id for tag in self._expected_tags(viewer)}
        if missing := sorted(i for i in expected - set(above) if i > mark):
            yield "missing", f"complete above {mark}, but without {missing}"
        if extra := sorted(i for i in above if i not in expected and not self._may_stay(i)):
            yield "extra", f"holds {extra}"

    def _may_stay(self, post_id: int) -> bool:
        """Whether a client has sent a deletion: the entry may stay, the body is a tombstone."""
        post = self._model.posts_by_id.get(post_id)
        return post is not None and bool(post.deletions)

    def _exists(self, post: Post) -> bool:
        if not post.post_id:
            return False
        if not post.may_be_deleted(math.inf):
            return True
        if any(op.phase == "ok" for op in post.deletions):
            return False
        own = [read for read in self._walks if read.viewer == post.author and read.is_complete]
        return bool(own) and any(shown.tag == post.tag for shown in own[0].posts)

    def _expected_tags(self, viewer: int) -> set[str]:
        """The tags of the posts that the viewer's feed must hold."""
        authors = {viewer, *self._followee_lists[viewer].facts["ids"]}
        posts = self._model.posts
        return {tag for tag in self._existing_tags if posts[tag].author in authors}

    def _add_violation(self, walk: Operation, promise: str, kind: str, text: str, tag: str) -> None:
        viewer = walk.facts["viewer"]
        text = f"in the final state user {viewer} {text}"
        self._findings.add_violation(promise, kind, text, *self._causes(viewer, tag), walk)

    def _causes(self, viewer: int, tag: str) -> list[Operation]:
        """The operations that made and deleted the post, and last changed the viewer's follow."""
        post = self._model.posts.get(tag)
        if post is None:
            return []
        ops = [post.acknowledgement] if post.acknowledgement else []
        ops += post.deletions
        if post.author != viewer:
            follow = self._model.follows[viewer, post.author]
            changes = sorted(follow.starts + follow.ends, key=lambda op: op.start)
            ops += changes[-LAST_FOLLOW_CHANGES:]
        return ops


def _layout_problems(op: Operation, entries: list[int]) -> Problems:
    ids = [entry for entry in entries if entry > 0]
    has_sentinel, ttl = entries[0] <= 0, op.facts["ttl"]
    if len(ids) < len(entries) - has_sentinel:
        yield "sentinel", "a sentinel inside the list"
    yield from _order_problems(ids)
    if entries[0] == -ABOVE_NOTHING and ttl > LONGEST_BUILD_TTL_SECONDS:
        yield "sentinel", f"it is being built, with a TTL of {ttl} s"
    if not 0 < ttl <= TIMELINE_TTL_SECONDS:
        yield "ttl", f"its TTL is {ttl} s"
    if len(entries) > op.facts["longest"]:
        yield "cap", f"{len(entries)} entries"


def _order_problems(ids: list[int]) -> Problems:
    highest = 0
    for post_id in ids:
        highest = max(highest, post_id)
        if highest - post_id > DISORDER:
            yield "order", f"{post_id} comes after {highest}"
