"""What a drill has tested of notices: messages, events of streams, and how late ticks were."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from drill.checking.evidence import Evidence
from drill.checking.live_streams import tick_lags
from drill.checking.operations import Operation

MIN_SECONDS = 300.0
"""A shorter drill may have few."""
MIN_MESSAGES, MIN_TICKS = 20, 20


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeCounts:
    """The notices of a history."""

    messages: dict[str, int] = field(default_factory=dict)
    """Push messages by the answer of the push service."""
    events: dict[str, int] = field(default_factory=dict)
    """Events of live streams by name."""
    streams: dict[str, int] = field(default_factory=dict)
    """Streams by how they ended."""
    tick_lag: Sequence[float] = ()
    """Seconds from a post's 201 to the first tick that tells of it, in order."""

    def shortfalls(self, seconds: float) -> list[str]:
        """A sentence for each count that is too small for a drill of this length."""
        if seconds < MIN_SECONDS:
            return []
        counts = (
            (sum(self.messages.values()), MIN_MESSAGES, "push messages"),
            (len(self.tick_lag), MIN_TICKS, "ticks of a post that must have one"),
        )
        return [
            f"only {count} {what}: a drill must have at least {least}"
            for count, least, what in counts
            if count < least
        ]


def count_notices(evidence: Evidence) -> NoticeCounts:
    """The counts of one history."""
    ops = evidence.ops
    return NoticeCounts(
        messages=_by(str(op.facts["answer"]) for op in ops if op.op == "push"),
        events=_by(op.facts["name"] for op in ops if op.op == "event"),
        streams=_by(_end_of(op) for op in ops if op.op == "stream"),
        tick_lag=tick_lags(evidence),
    )


def _by(names: Iterable[str]) -> dict[str, int]:
    return dict(Counter(names).most_common())


def _end_of(stream: Operation) -> str:
    """How a stream ended, or why there was none."""
    facts = stream.facts
    return str(facts.get("why") or facts.get("error") or facts.get("status"))
