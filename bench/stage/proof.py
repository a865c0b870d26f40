"""The proof that the lists of a stage's users are right after pushes."""

from collections.abc import Iterator, Sequence

from bench.stage.caches import SLACK
from bench.stage.stage import Stage
from storage.timeline_layout import DISORDER
from storage.timelines import RawTimeline

BATCH = 500
"""Lists read at once."""


def users_with_lists(stage: Stage, indices: Sequence[int]) -> set[int]:
    """Those of these users who have a list."""
    return {index for index, listing in _listings(stage, indices) if listing.entries}


def count_wrong_lists(stage: Stage, indices: Sequence[int]) -> int:
    """The number of these users' existing lists that are wrong, by `is_right`."""
    cap = stage.storage.timelines.cap
    return sum(
        not is_right(listing, stage.feed(index), cap=cap, longest=cap + SLACK)
        for index, listing in _listings(stage, indices)
        if listing.entries
    )


def is_right(listing: RawTimeline, feed: Sequence[int], *, cap: int, longest: int) -> bool:
    """Whether a list is right for a feed (newest first).

    It expires, has at most `longest` entries, and holds each post of the feed from its watermark
    on once, and nothing else. Trimming removes the watermark; such a list holds at least `cap`
    posts, and every post of the feed that is newer than its first entry by DISORDER. The first
    entry may be a late post: newer posts that stood before it went with the trimming
    (docs/decisions/0001).
    """
    marks = [entry for entry in listing.entries if entry <= 0]
    ids = sorted((entry for entry in listing.entries if entry > 0), reverse=True)
    if (
        not listing.expires
        or len(listing.entries) > longest
        or marks != listing.entries[: len(marks)]
    ):
        return False
    match marks:
        case []:
            return len(ids) >= cap and _is_complete(ids, feed, listing.entries[0] + DISORDER)
        case [mark]:
            return ids == [post_id for post_id in feed if post_id >= -mark]
        case _:
            return False


def _is_complete(ids: Sequence[int], feed: Sequence[int], above: int) -> bool:
    """Whether the ids are of the feed, each once, and include all of the feed from `above` on."""
    if ids == feed[: len(ids)]:
        return True
    in_list = set(ids)
    return (
        len(in_list) == len(ids)
        and in_list <= set(feed)
        and all(post_id in in_list or post_id < above for post_id in feed)
    )


def _listings(stage: Stage, indices: Sequence[int]) -> Iterator[tuple[int, RawTimeline]]:
    for start in range(0, len(indices), BATCH):
        batch = indices[start : start + BATCH]
        by_id = stage.storage.timelines.read_raw([stage.town.user_id(index) for index in batch])
        yield from zip(batch, by_id.values(), strict=True)
