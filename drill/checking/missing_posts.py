"""Rules on what a read must show: P2, P3 and P5. A required post is missing from no read.

The promises make two exceptions, which are counted. P3: a write whose process could not reach the
cache. P5: a page from the graph that shows a post before the list does.
"""

import bisect
from collections import defaultdict
from typing import NamedTuple

from drill.checking.evidence import Evidence
from drill.checking.model import Post
from drill.checking.operations import Operation
from drill.checking.reads import Read


class _Exception(NamedTuple):
    """An exception to a promise: until this time a post may be missing."""

    promise: str
    until: float


class _Requirement(NamedTuple):
    """Why a read must show a post: the operation that requires it, and the exception to it."""

    promise: str
    kind: str
    cause: Operation
    exception: _Exception | None


class MissingPosts:
    """The check of all reads of one history for posts that are missing from them."""

    def __init__(self, evidence: Evidence) -> None:
        self._evidence = evidence
        self._model = evidence.model
        self._deadlines = evidence.deadlines
        self._ids = sorted(evidence.model.posts_by_id)
        self._shown_in: dict[tuple[int, int], list[Read]] = defaultdict(list)
        """By (viewer, post id), the pages that showed the post, by their ends."""
        self._first_shown: dict[int, float] = {}
        """By post id, the time at which a page first showed it to anybody."""
        self._index_pages()

    def check(self) -> None:
        """Add a violation or an exception for each required post that a read misses."""
        for read in self._evidence.reads.whole:
            self._evidence.findings.reads += 1
            self._check_read(read)

    def _index_pages(self) -> None:
        for page in sorted(self._evidence.reads.pages, key=lambda page: page.end):
            for post in page.posts:
                self._shown_in[page.viewer, post.post_id].append(page)
                self._first_shown.setdefault(post.post_id, page.end)

    def _check_read(self, read: Read) -> None:
        shown = {post.post_id for post in read.posts}
        start = bisect.bisect_right(self._ids, read.floor)
        for post_id in reversed(self._ids[start:]):
            if post_id in shown:
                continue
            post = self._model.posts_by_id[post_id]
            if requirement := self._requirement(post, read):
                self._add_missing(post, read, requirement)

    def _add_missing(self, post: Post, read: Read, requirement: _Requirement) -> None:
        exception, cause = requirement.exception, requirement.cause
        findings = self._evidence.findings
        seconds = read.start - cause.end
        if exception and read.start <= exception.until:
            name = f"{exception.promise} {requirement.kind}"
            findings.add_exception(name, viewer=read.viewer, tag=post.tag, seconds=seconds)
            return
        text = (
            f"user {read.viewer} was not shown {post.tag} ({post.post_id}) of {post.author} at "
            f"{read.start:.2f} s, {seconds:.2f} s after the operation that requires it"
        )
        ops = [op for op in (post.acknowledgement, cause, read.op) if op]
        findings.add_violation(requirement.promise, requirement.kind, text, *ops)

    def _requirement(self, post: Post, read: Read) -> _Requirement | None:
        """Why this read, which is complete at the post's id, must show it; None if it need not."""
        if post.earliest > read.start or post.may_be_deleted(read.end):
            return None
        if post.author == read.viewer:
            return self._own_post(post, read) or self._shown_before(post, read)
        follow = self._model.follows.get((read.viewer, post.author))
        if follow is None or not follow.starts:
            return None
        return (
            self._posted_before_follow(post, read)
            or self._delivered(post, read)
            or self._shown_before(post, read)
        )

    def _own_post(self, post: Post, read: Read) -> _Requirement | None:
        """P3: the author sees the post on the next request."""
        acknowledgement = post.acknowledgement
        if acknowledgement is None or acknowledgement.end > read.start:
            return None
        exception = self._cache_exception(acknowledgement)
        return _Requirement("P3", "own-post-missing", acknowledgement, exception)

    def _posted_before_follow(self, post: Post, read: Read) -> _Requirement | None:
        """P3: the follower sees on the next request what was posted before the follow."""
        start = self._model.follows[read.viewer, post.author].certain_start(read.start, read.end)
        if start is None or post.acknowledged > start.start:
            return None
        return _Requirement("P3", "followees-post-missing", start, self._cache_exception(start))

    def _delivered(self, post: Post, read: Read) -> _Requirement | None:
        """P2: the follower sees the post within B of its 201."""
        acknowledgement = post.acknowledgement
        start = self._model.follows[read.viewer, post.author].certain_start(read.start, read.end)
        if acknowledgement is None or start is None:
            return None
        if read.start <= self._deadlines.delivery(max(acknowledgement.end, start.end)):
            return None
        return _Requirement("P2", "not-delivered", acknowledgement, None)

    def _shown_before(self, post: Post, read: Read) -> _Requirement | None:
        """P5: what a viewer saw stays, unless the post is deleted or the follow ends."""
        earlier = self._earlier_page(post, read)
        if earlier is None:
            return None
        first = min(post.acknowledged, self._first_shown[post.post_id])
        deadline = self._deadlines.delivery(max(first, self._follow_start(post, read)))
        return _Requirement("P5", "vanished", earlier.op, _Exception("P5", deadline))

    def _earlier_page(self, post: Post, read: Read) -> Read | None:
        """The first page that showed the viewer the post, in the time of one unbroken follow."""
        pages = self._shown_in.get((read.viewer, post.post_id), ())
        earlier = (page for page in pages if page.end <= read.start)
        if post.author == read.viewer:
            return next(earlier, None)
        follow = self._model.follows[read.viewer, post.author]
        unbroken = (page for page in earlier if follow.certainly_unbroken(page.start, read.end))
        return next(unbroken, None)

    def _follow_start(self, post: Post, read: Read) -> float:
        """The start of the latest follow before the read; 0 for the viewer's own posts."""
        follow = self._model.follows.get((read.viewer, post.author))
        starts = [op.start for op in follow.starts if op.start <= read.start] if follow else []
        return max(starts, default=0.0)

    def _cache_exception(self, write: Operation) -> _Exception | None:
        """P3's exception: a write during a fault of the cache is shown within B."""
        if self._deadlines.has_cache_fault(write):
            return _Exception("P3", self._deadlines.delivery(write.end))
        return None
