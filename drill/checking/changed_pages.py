"""Pages of which a part has just changed: they must come from a copy that is already the new one.

A page is one of them if a change of a post on it, or of one that was on it, was acknowledged at
most JUST_SECONDS before the page was requested.
"""

import bisect
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from drill.checking.evidence import Evidence
from drill.checking.model import Model
from drill.checking.operations import Operation
from drill.checking.reads import ABOVE_ALL_IDS, Read

JUST_SECONDS = 2.0


class _Change(NamedTuple):
    """An acknowledged change of posts."""

    at: float
    author: int
    post_id: int | None = None
    """None: all posts of the author."""
    viewer: int | None = None
    """None: everybody who may see the post."""
    is_removal: bool = False
    """Whether the posts are on no page any more."""


def find_changed_pages(evidence: Evidence) -> list[Read]:
    """The pages of the clients of which a part has just changed, in the order of their reads."""
    changes = sorted(_changes(evidence.ops), key=lambda change: change.at)
    times = [change.at for change in changes]
    ids_by_author: dict[int, list[int]] = defaultdict(list)
    for post in evidence.model.posts.values():
        ids_by_author[post.author].append(post.post_id)
    changed = []
    for page in evidence.reads.pages:
        first = bisect.bisect_left(times, page.start - JUST_SECONDS)
        recent = changes[first : bisect.bisect_right(times, page.start)]
        if any(_concerns(change, page, evidence.model, ids_by_author) for change in recent):
            changed.append(page)
    return changed


def _changes(ops: Iterable[Operation]) -> Iterator[_Change]:
    for op in ops:
        if op.phase == "ok":
            yield from _changes_of(op)


def _changes_of(op: Operation) -> Iterator[_Change]:
    facts, at = op.facts, op.end
    match op.op:
        case "post" if not facts.get("replayed") and not facts.get("old"):
            yield _Change(at, facts["author"], post_id=facts["id"])
        case "delete":
            yield _Change(at, facts["author"], post_id=facts["id"], is_removal=True)
        case "rename":
            yield _Change(at, facts["author"])
        case "follow":
            yield _Change(at, facts["author"], viewer=facts["viewer"])
        case "unfollow":
            yield _Change(at, facts["author"], viewer=facts["viewer"], is_removal=True)
        case "block":
            blocker, blocked = facts["blocker"], facts["blocked"]
            yield _Change(at, blocked, viewer=blocker, is_removal=True)
            yield _Change(at, blocker, viewer=blocked, is_removal=True)


def _concerns(
    change: _Change, page: Read, model: Model, ids_by_author: Mapping[int, list[int]]
) -> bool:
    if change.viewer not in (None, page.viewer):
        return False
    if not change.is_removal:
        posts = (post for post in page.posts if post.author == change.author)
        return any(change.post_id in (None, post.post_id) for post in posts)
    if change.post_id is None:
        return _followed_before(change, model) and any(
            _covers(page, post_id) for post_id in ids_by_author[change.author]
        )
    return _covers(page, change.post_id) and _may_see(page, change.author, model)


def _covers(page: Read, post_id: int) -> bool:
    """Whether the page would show a post with this id."""
    is_first = not page.op.facts.get("at")
    ceiling = ABOVE_ALL_IDS if is_first else max((post.post_id for post in page.posts), default=0)
    return page.floor < post_id <= ceiling


def _may_see(page: Read, author: int, model: Model) -> bool:
    follow = model.follows.get((page.viewer, author))
    return author == page.viewer or bool(follow and follow.may_hold(page.start, page.end))


def _followed_before(change: _Change, model: Model) -> bool:
    """Whether the viewer had followed the author when the follow was ended."""
    follow = model.follows.get((change.viewer or 0, change.author))
    return bool(follow and any(start.start < change.at for start in follow.starts))
