"""Where the pages of a drill came from, and how many of them had just changed.

The product counts its pages by source, and the drill has recorded these counts every few seconds.
They do not say which page came from where. In each time between two counts the pages that had just
changed and did not come from the graph are at least the changed pages less the graph's.
"""

import bisect
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise

from drill.checking.changed_pages import find_changed_pages
from drill.checking.evidence import Evidence
from drill.checking.operations import Operation

GRAPH = "graph"
"""The one source that is neither a list nor a copy."""

MIN_SECONDS = 300.0
"""A shorter drill is not held to the shares."""
MIN_COPIES_SHARE = 0.5
MIN_CHANGED_SHARE = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class PageShares:
    """The pages that were served while the clients ran."""

    by_source: dict[str, int] = field(default_factory=dict)
    """As the product counts them. A killed process may have lost some."""
    received: int = 0
    """Pages that the clients got."""
    changed: int = 0
    """Those of them that had just changed."""
    changed_copies: int = 0
    """At least so many of these did not come from the graph."""

    @property
    def copies_share(self) -> float:
        """The share of the pages that came from lists, windows and copies."""
        total = sum(self.by_source.values())
        return 1 - self.by_source.get(GRAPH, 0) / total if total else 0.0

    @property
    def changed_share(self) -> float:
        """The share of the pages that came from there and had just changed, at least."""
        return self.changed_copies / self.received if self.received else 0.0

    def shortfalls(self, seconds: float) -> list[str]:
        """A sentence for each share that is too small for a drill of this length."""
        if seconds < MIN_SECONDS:
            return []
        shares = (
            (self.copies_share, MIN_COPIES_SHARE, "came from windows, lists and copies"),
            (self.changed_share, MIN_CHANGED_SHARE, "came from there and had just changed"),
        )
        return [
            f"only {share:.1%} of the pages {what}: a drill must have at least {least:.0%}"
            for share, least, what in shares
            if share < least
        ]


def measure_shares(evidence: Evidence) -> PageShares:
    """The shares of one history, between its first count of pages and its last one."""
    counts = [op for op in evidence.ops if op.op == "sources"]
    if not counts:
        return PageShares()
    times = [op.end for op in counts]
    received = _by_interval(times, (page.end for page in evidence.reads.pages))
    changed = _by_interval(times, (page.end for page in find_changed_pages(evidence)))
    from_graph = [_since(one, two).get(GRAPH, 0) for one, two in pairwise(counts)]
    return PageShares(
        by_source=dict(sorted(_since(counts[0], counts[-1]).items())),
        received=sum(received),
        changed=sum(changed),
        changed_copies=sum(
            max(0, pages - graph) for pages, graph in zip(changed, from_graph, strict=True)
        ),
    )


def _by_interval(times: list[float], moments: Iterable[float]) -> list[int]:
    """How many of the moments lie in each interval between two of the times."""
    numbers = Counter(bisect.bisect_left(times, moment) for moment in moments)
    return [numbers[number] for number in range(1, len(times))]


def _since(first: Operation, second: Operation) -> dict[str, int]:
    """The pages by source that the second count has more than the first."""
    before, after = first.facts["pages"], second.facts["pages"]
    counts = {source: round(count - before.get(source, 0)) for source, count in after.items()}
    return {source: count for source, count in counts.items() if count}
