"""The operations and faults of a history, each with its start and its end."""

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from drill.history import FAULT, Line, Phase

PENDING_SECONDS = 120.0
"""How long after its start a request with an unknown end may still take effect: it may wait in a
frozen process, in a half-open connection, or in a statement that waits for a lock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """An operation of a client. Without an end in the history its end is unknown."""

    number: int
    session: str
    op: str
    phase: Phase
    start: float
    end: float
    facts: dict[str, Any]

    @property
    def latest_effect(self) -> float:
        """The latest time at which it can take effect."""
        return self.end if self.phase == "ok" else self.start + PENDING_SECONDS


@dataclass(frozen=True, slots=True, kw_only=True)
class InjectedFault:
    """A fault and its duration. `error` is set if it could not be injected."""

    name: str
    cases: tuple[int, ...]
    start: float
    end: float
    error: str = ""


def operations(lines: Iterable[Line]) -> list[Operation]:
    """All operations of clients, by their start."""
    starts: dict[int, Line] = {}
    ops: list[Operation] = []
    for line in lines:
        if line.session == FAULT:
            continue
        if line.phase == "invoke":
            starts[line.number] = line
        else:
            ops.append(_operation(starts.pop(line.number), line))
    ops += [_operation(line, None) for line in starts.values()]
    return sorted(ops, key=lambda op: op.start)


def injected_faults(lines: Iterable[Line]) -> list[InjectedFault]:
    """All faults, by their start. A fault without an end in the history lasts forever."""
    starts: dict[str, list[Line]] = defaultdict(list)
    faults: list[InjectedFault] = []
    for line in lines:
        if line.session != FAULT:
            continue
        if line.facts["fault"] == "begin":
            starts[line.op].append(line)
            continue
        start = starts[line.op].pop(0) if starts[line.op] else line
        error = str(line.facts.get("error", "?")) if line.facts["fault"] == "failed" else ""
        faults.append(_fault(start, line.at, error))
    faults += [_fault(line, math.inf, "") for left in starts.values() for line in left]
    return sorted(faults, key=lambda fault: fault.start)


def _operation(start: Line, end: Line | None) -> Operation:
    return Operation(
        number=start.number,
        session=start.session,
        op=start.op,
        phase=end.phase if end else "info",
        start=start.at,
        end=end.at if end else math.inf,
        facts=start.facts | (end.facts if end else {}),
    )


def _fault(start: Line, end: float, error: str) -> InjectedFault:
    return InjectedFault(
        name=start.op, cases=tuple(start.facts["cases"]), start=start.at, end=end, error=error
    )
