"""What every rule of the check works with: one history, its model, its reads, and the findings."""

import statistics
from collections.abc import Iterable
from functools import cached_property

from drill.checking.deadlines import Deadlines
from drill.checking.findings import Findings
from drill.checking.model import Model
from drill.checking.operations import injected_faults, operations
from drill.checking.reads import find_reads
from drill.history import Line
from graph.ids import ms_of


class Evidence:
    """One history under check."""

    def __init__(self, lines: Iterable[Line]) -> None:
        lines = list(lines)
        self.ops = operations(lines)
        self.model = Model(self.ops)
        self.deadlines = Deadlines(injected_faults(lines))
        self.reads = find_reads(self.ops)
        self.findings = Findings()
        self._set_ids_of_unacknowledged_posts()

    @cached_property
    def epoch_seconds(self) -> float:
        """The Unix time at which the history began, by the median of the ids of its posts."""
        begins = [
            ms_of(post.post_id) / 1000 - post.acknowledgement.end
            for post in self.model.posts.values()
            if post.acknowledgement and not post.acknowledgement.facts.get("old")
        ]
        return statistics.median(begins) if begins else 0.0

    def _set_ids_of_unacknowledged_posts(self) -> None:
        for page in self.reads.pages:
            for post in page.posts:
                if post.tag in self.model.posts:
                    self.model.set_id(post.tag, post.post_id)
