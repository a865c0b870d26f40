"""What every rule of the check works with: one history, its model, its reads, and the findings."""

from collections.abc import Iterable

from drill.checking.deadlines import Deadlines
from drill.checking.findings import Findings
from drill.checking.model import Model
from drill.checking.operations import injected_faults, operations
from drill.checking.reads import find_reads
from drill.history import Line


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

    def _set_ids_of_unacknowledged_posts(self) -> None:
        for page in self.reads.pages:
            for post in page.posts:
                if post.tag in self.model.posts:
                    self.model.set_id(post.tag, post.post_id)
