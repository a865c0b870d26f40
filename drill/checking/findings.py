"""What the check of a history finds."""

import math
from collections import Counter
from dataclasses import dataclass, field

from drill.checking.operations import Operation


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """A broken promise, with the numbers of the operations that prove it."""

    promise: str
    kind: str
    text: str
    at: float
    numbers: tuple[int, ...]


@dataclass(slots=True)
class Findings:
    """All violations, and the counts of what was checked and excused."""

    violations: list[Violation] = field(default_factory=list)
    exceptions: Counter[str] = field(default_factory=Counter)
    """By exception, how many posts a viewer missed for a while."""
    longest: dict[str, float] = field(default_factory=dict)
    """By exception, the longest time in seconds for which a post was missed."""
    reads: int = 0
    """Reads that were checked."""
    _excused: set[tuple[str, int, str]] = field(default_factory=set)

    def add_exception(self, name: str, *, viewer: int, tag: str, seconds: float) -> None:
        """Count a missed post once per viewer, however often the viewer reads."""
        if (name, viewer, tag) not in self._excused:
            self._excused.add((name, viewer, tag))
            self.exceptions[name] += 1
        self.longest[name] = max(seconds, self.longest.get(name, 0.0))

    def add_violation(self, promise: str, kind: str, text: str, *ops: Operation) -> None:
        """Add a violation that `ops` prove, with the time at which the last of them ended."""
        last = ops[-1]
        at = last.start if math.isinf(last.end) else last.end
        numbers = tuple(dict.fromkeys(op.number for op in ops))
        self.violations.append(
            Violation(promise=promise, kind=kind, text=text, at=at, numbers=numbers)
        )
