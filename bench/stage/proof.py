"""The proof, over every list of some people, that what was pushed is right."""

from collections.abc import Iterator, Sequence

from bench.stage.stage import Stage
from storage.timeline_layout import DISORDER
from storage.timelines import Listing

BATCH = 500
"""Lists read at once."""


def existing(stage: Stage, indices: Sequence[int]) -> set[int]:
    """Those of these users who have a list."""
    return {index for index, listing in _listings(stage, indices) if listing.entries}


def wrong_lists(stage: Stage, indices: Sequence[int]) -> int:
    """How many of the lists that exist are not what they should be.

    Each post of the viewer's feed above the watermark once, and nothing else; no longer than cap
    and slack. Where trimming took the watermark away: at least the cap, and complete above the
    first entry and T, as that one may be late: what stood before it and is newer went with the
    trimming (docs/decisions/0001). And each must expire.
    """
    return sum(
        not right(
            listing,
            stage.feed(index),
            cap=stage.storage.timelines.cap,
            longest=stage.storage.timelines.cap + SLACK,
        )
        for index, listing in _listings(stage, indices)
        if listing.entries
    )


SLACK = 100
"""The product's default."""


def right(listing: Listing, feed: Sequence[int], *, cap: int, longest: int) -> bool:
    """Whether a list is a feed's, newest first, complete above what it says."""
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
            return len(ids) >= cap and _complete(ids, feed, listing.entries[0] + DISORDER)
        case [mark]:
            return ids == [post_id for post_id in feed if post_id >= -mark]
        case _:
            return False


def _complete(ids: Sequence[int], feed: Sequence[int], above: int) -> bool:
    """Whether all are of the feed, each once, and none of the feed's from `above` on is missing."""
    if ids == feed[: len(ids)]:
        return True
    kept = set(ids)
    return (
        len(kept) == len(ids)
        and kept <= set(feed)
        and all(post_id in kept or post_id < above for post_id in feed)
    )


def _listings(stage: Stage, indices: Sequence[int]) -> Iterator[tuple[int, Listing]]:
    for start in range(0, len(indices), BATCH):
        part = indices[start : start + BATCH]
        found = stage.storage.timelines.listings([stage.town.user_id(index) for index in part])
        yield from zip(part, found.values(), strict=True)
