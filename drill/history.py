"""What happened in a drill, a line a step: every operation is invoked, then ends in one of three.

`ok`: it did happen. `fail`: it surely did not. `info`: nobody can tell (timed out, cut, 5xx): it
may have happened, or happen yet. Times are seconds since the history was begun, by one clock.
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
"""The `session` of a fault's lines; its `op` is the fault's name, its phase is in the facts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One step of one operation, or of one fault."""

    at: float
    session: str
    op: str
    phase: Phase
    number: int
    """The operation's, the same from its `invoke` to its end."""
    facts: dict[str, Any] = field(default_factory=dict)


class History:
    """Lines in the order in which they came; any thread may add some."""

    def __init__(self, lines: Iterable[Line] = ()) -> None:
        self._lock = threading.Lock()
        self._lines = list(lines)
        self._begun = time.monotonic()
        self._numbers = max((line.number for line in self._lines), default=0)
        self._open: dict[int, tuple[str, str]] = {}

    def now(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self._begun

    def invoke(self, session: str, op: str, **facts: Any) -> int:
        """An operation begins: to be called before anything of it is sent. Its number."""
        with self._lock:
            self._numbers += 1
            number = self._numbers
            self._open[number] = (session, op)
            self._add(session, op, "invoke", number, facts)
        return number

    def end(self, number: int, phase: Phase, **facts: Any) -> None:
        """An operation ends: to be called after all of its answer is there."""
        with self._lock:
            session, op = self._open.pop(number)
            self._add(session, op, phase, number, facts)

    def fault(self, name: str, cases: tuple[int, ...], phase: FaultPhase, **facts: Any) -> None:
        """A fault begins, ends, or could not be done (`failed`)."""
        told = facts | {"cases": list(cases), "fault": phase}
        with self._lock:
            self._add(FAULT, name, "invoke" if phase == "begin" else "ok", 0, told)

    def lines(self) -> list[Line]:
        """All of them so far."""
        with self._lock:
            return list(self._lines)

    def save(self, path: Path) -> None:
        """One JSON object a line."""
        with path.open("w", encoding="utf-8") as file:
            file.writelines(json.dumps(asdict(line)) + "\n" for line in self.lines())

    @classmethod
    def load(cls, path: Path) -> "History":
        """What `save` has written."""
        with path.open(encoding="utf-8") as file:
            return cls(Line(**json.loads(text)) for text in file)

    def _add(self, session: str, op: str, phase: Phase, number: int, facts: dict[str, Any]) -> None:
        line = Line(at=self.now(), session=session, op=op, phase=phase, number=number, facts=facts)
        self._lines.append(line)
