"""The reads of a history: what each page and each walk showed."""

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from drill.checking.operations import Operation

ABOVE_ALL_IDS = 1 << 53


class ShownPost(NamedTuple):
    """A post as a page shows it."""

    post_id: int
    author: int
    tag: str


class Read(NamedTuple):
    """The posts that a viewer was shown: a page, or all pages of a walk."""

    viewer: int
    start: float
    end: float
    posts: tuple[ShownPost, ...]
    """In the order of the response."""
    floor: int
    """The read is complete above this id; 0: to the end of the feed."""
    op: Operation
    """The operation of its last page."""

    @property
    def is_complete(self) -> bool:
        """Whether it shows the feed to its end."""
        return self.floor == 0


class Reads(NamedTuple):
    """All reads of a history."""

    pages: list[Read]
    """Every single page, for what it shows."""
    whole: list[Read]
    """First pages and walks, for what they miss."""


def find_reads(ops: Sequence[Operation]) -> Reads:
    """The reads of all pages with a 200, by their start; of a failed walk those before its end."""
    pages: list[Read] = []
    whole: list[Read] = []
    walks: dict[int, list[Operation]] = defaultdict(list)
    for op in ops:
        if op.op not in ("read", "page") or op.phase != "ok":
            continue
        pages.append(_read([op]))
        if op.op == "page":
            walks[op.facts["walk"]].append(op)
        else:
            whole.append(pages[-1])
    whole += [_read(walk) for walk in walks.values()]
    return Reads(pages, whole)


def _read(pages: Sequence[Operation]) -> Read:
    posts = tuple(ShownPost(*post) for page in pages for post in page.facts["posts"])
    has_next = pages[-1].facts["next"]
    lowest = min((post.post_id for post in posts), default=ABOVE_ALL_IDS)
    return Read(
        viewer=pages[0].facts["viewer"],
        start=pages[0].start,
        end=pages[-1].end,
        posts=posts,
        floor=lowest if has_next else 0,
        op=pages[-1],
    )
