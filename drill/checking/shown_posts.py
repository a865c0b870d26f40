"""Rules on what a page shows: P1, P4, P6 and P8. No page shows a post that it must not show."""

import itertools
from typing import NamedTuple

from drill.checking.evidence import Evidence
from drill.checking.model import Post
from drill.checking.operations import Operation
from drill.checking.reads import Read, ShownPost


class _Problem(NamedTuple):
    """Why a page must not show a post, and the operations that prove it."""

    promise: str
    kind: str
    reason: str
    ops: list[Operation]


def check_shown_posts(evidence: Evidence) -> None:
    """Add a violation for each post that a page must not show."""
    for page in evidence.reads.pages:
        for post in page.posts:
            problem = _problem(evidence, page, post)
            if problem:
                text = (
                    f"user {page.viewer} was shown {post.tag} ({post.post_id}) of {post.author}: "
                    f"{problem.reason}"
                )
                evidence.findings.add_violation(
                    problem.promise, problem.kind, text, *problem.ops, page.op
                )


def check_order(evidence: Evidence) -> None:
    """P4: ids fall within a page and over the pages of a walk."""
    for read in evidence.reads.whole:
        ids = [post.post_id for post in read.posts]
        if any(later >= earlier for earlier, later in itertools.pairwise(ids)):
            evidence.findings.add_violation("P4", "order", f"ids do not fall: {ids}", read.op)


def check_keys(evidence: Evidence) -> None:
    """P8: one key makes one post, and a key that was acknowledged is answered as a replay."""
    for post in evidence.model.posts.values():
        for op in post.acknowledgements:
            if text := _key_problem(post, op):
                first = post.acknowledgements[0]
                evidence.findings.add_violation("P8", "key-two-posts", text, first, op)


def _key_problem(post: Post, op: Operation) -> str:
    if op.facts["id"] != post.post_id:
        return f"the key of {post.tag} made {post.post_id} and {op.facts['id']}"
    if op.start > post.acknowledged and not op.facts.get("replayed"):
        return f"the key of {post.tag} was acknowledged twice as new"
    return ""


def _problem(evidence: Evidence, page: Read, shown: ShownPost) -> _Problem | None:
    post = evidence.model.posts.get(shown.tag)
    if post is None or post.author != shown.author:
        return _Problem("P1", "never-posted", "nobody ever posted it", [])
    if post.post_id != shown.post_id:
        return _Problem("P8", "key-two-posts", f"its key made {post.post_id}", post.attempts)
    if post.earliest > page.end:
        reason = "every attempt failed, or started later"
        return _Problem("P1", "failed-shown", reason, post.attempts)
    if deletion := post.deletion(page.start):
        return _Problem("P6", "deleted-shown", "it was deleted", [deletion])
    return None if shown.author == page.viewer else _follow_problem(evidence, page, shown.author)


def _follow_problem(evidence: Evidence, page: Read, author: int) -> _Problem | None:
    """P6: a page shows only authors whom the viewer follows."""
    follow = evidence.model.follows[page.viewer, author]
    if follow.may_hold(page.start, page.end):
        return None
    if not follow.starts:
        return _Problem("P6", "stranger-shown", "the author was never followed", [])
    ended = [op for op in follow.ends if op.phase == "ok" and op.end <= page.start]
    return _Problem("P6", "left-shown", "the follow had ended", [follow.starts[-1], *ended[-1:]])
