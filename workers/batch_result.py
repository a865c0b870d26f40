"""What the common work of several events returns."""

from dataclasses import dataclass, field

from graph.events import Event


@dataclass(slots=True, kw_only=True)
class BatchResult:
    """What became of the events of a batch."""

    done: list[Event] = field(default_factory=list)
    """Those whose work is done."""
    rest: list[Event] = field(default_factory=list)
    """Those that are left to be done alone, each with the cursor from which it goes on."""
