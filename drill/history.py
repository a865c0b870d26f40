"""The history of a drill: two lines for each operation, one when it starts and one when it ends.

An operation starts with the phase `invoke` and ends in one of three. `ok`: it took effect. `fail`:
it certainly had no effect. `info`: unknown, because of a time-out, a reset connection or a 5xx; it
may have taken effect, or may do so later. Times are seconds since the start of the history, on one
monotonic clock.
"""

import json
import threading
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

Phase = Literal["invoke", "ok", "fail", "info"]
FaultPhase = Literal["begin", "end", "failed"]
FAULT = "fault"
"""The `session` of the lines of faults. Their `op` is the fault's name; `facts` holds the phase."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """The start or the end of an operation or of a fault."""

    at: float
    session: str
    op: str
    phase: Phase
    number: int
    """The number of the operation, the same in both of its lines."""
    facts: dict[str, Any] = field(default_factory=dict)


class History:
    """Lines in the order in which they were recorded. Thread-safe."""

    def __init__(self, lines: Iterable[Line] = ()) -> None:
        self._lock = threading.Lock()
        self._lines = list(lines)
        self._start = time.monotonic()
        self._last_number = max((line.number for line in self._lines), default=0)
        self._open: dict[int, tuple[str, str]] = {}

    def now(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._start

    def invoke(self, session: str, op: str, **facts: Any) -> int:
        """Record the start of an operation; returns its number. Call it before sending."""
        with self._lock:
            self._last_number += 1
            number = self._last_number
            self._open[number] = (session, op)
            self._add(session, op, "invoke", number, facts)
        return number

    def end(self, number: int, phase: Phase, **facts: Any) -> None:
        """Record the end of an operation. Call it after the whole response has been read."""
        with self._lock:
            session, op = self._open.pop(number)
            self._add(session, op, phase, number, facts)

    def fault(self, name: str, cases: tuple[int, ...], phase: FaultPhase, **facts: Any) -> None:
        """Record that a fault begins, ends, or could not be injected (`failed`)."""
        all_facts = facts | {"cases": list(cases), "fault": phase}
        with self._lock:
            self._add(FAULT, name, "invoke" if phase == "begin" else "ok", 0, all_facts)

    def lines(self) -> list[Line]:
        """A copy of all lines recorded so far."""
        with self._lock:
            return list(self._lines)

    def save(self, path: Path) -> None:
        """Write one JSON object per line."""
        with path.open("w", encoding="utf-8") as file:
            file.writelines(json.dumps(asdict(line)) + "\n" for line in self.lines())

    @classmethod
    def load(cls, path: Path) -> "History":
        """Read a file written by `save`."""
        with path.open(encoding="utf-8") as file:
            return cls(Line(**json.loads(text)) for text in file)

    def _add(self, session: str, op: str, phase: Phase, number: int, facts: dict[str, Any]) -> None:
        line = Line(at=self.now(), session=session, op=op, phase=phase, number=number, facts=facts)
        self._lines.append(line)
