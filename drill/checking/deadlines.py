"""How long a promise may take, in view of the faults that were injected."""

from collections.abc import Container, Iterable

from drill.checking.operations import InjectedFault, Operation

B_SECONDS = 90.0
"""B of docs/promises.md: the longest time from a crash until everything is delivered."""

CACHE_SLACK_SECONDS = 8.0
"""How long after a fault of the cache a process may still not use it: time-outs, open circuit."""

STORES = ("neo4j", "queue", "cache")
OUTAGES = frozenset(
    {"tear-aof", "queue-full", "cache-from-old-snapshot"}
    | {name for store in STORES for name in (f"kill-{store}", f"stop-{store}", f"{store}-down")}
)
"""Faults that make a store unavailable for everybody: their duration is added to B."""
ISOLATED = "isolate-a-process"
"""A fault of the cache too, without the word in its name."""

Span = tuple[float, float]


class Deadlines:
    """The deadlines of one history."""

    def __init__(self, faults: Iterable[InjectedFault]) -> None:
        self._faults = list(faults)
        self._outages = _merge(
            (fault.start, fault.end) for fault in self._faults if _is_outage(fault)
        )
        self._cache_faults = _merge(
            (fault.start, fault.end + CACHE_SLACK_SECONDS)
            for fault in self._faults
            if _is_cache_fault(fault)
        )

    def delivery(self, since: float) -> float:
        """B after `since`, and later by the time in which a store was unavailable meanwhile."""
        deadline = since + B_SECONDS
        for start, end in self._outages:
            if start > deadline:
                break
            if end > since:
                deadline += end - max(start, since)
        return deadline

    def has_cache_fault(self, op: Operation) -> bool:
        """Whether the cache may have been unavailable for a process during the operation."""
        return any(start <= op.end and end >= op.start for start, end in self._cache_faults)

    def faults_within(self, names: Container[str], since: float, until: float) -> bool:
        """Whether one of the faults of these names overlaps the time between the two."""
        return bool(self._begins(names, since, until))

    def begin_of_faults(self, names: Container[str], since: float, until: float) -> float:
        """`since`, or the earlier begin of a fault of these names that overlaps the time."""
        return min([since, *self._begins(names, since, until)])

    def _begins(self, names: Container[str], since: float, until: float) -> list[float]:
        """The begins of the faults of these names that overlap the time between the two."""
        return [
            fault.start
            for fault in self._faults
            if fault.name in names and fault.start <= until and fault.end >= since
        ]


def _is_outage(fault: InjectedFault) -> bool:
    return fault.name in OUTAGES


def _is_cache_fault(fault: InjectedFault) -> bool:
    return "cache" in fault.name or fault.name == ISOLATED


def _merge(spans: Iterable[Span]) -> list[Span]:
    """The same time as spans that do not overlap, in order."""
    merged: list[Span] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(merged[-1][1], end)
        else:
            merged.append((start, end))
    return merged
