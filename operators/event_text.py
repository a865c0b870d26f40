"""The texts about an event, the same in the terminal and in the admin app."""

from datetime import UTC, datetime

from graph.event_kinds import KINDS
from graph.events import ATTEMPTS, EventStatus
from graph.ids import time_of
from operators import outbox


def event_facts(status: EventStatus) -> list[tuple[str, str]]:
    """All facts about an event, as names and values."""
    event = status.event
    kind = KINDS.get(event.kind)
    subject, author = (kind.subject, kind.author) if kind else ("", "")
    made_at = time_of(event.id)
    age_seconds = (datetime.now(UTC) - made_at).total_seconds()
    return [
        ("event", str(event.id)),
        ("kind", event.kind),
        ("owes", kind.owes if kind else outbox.UNKNOWN_KIND),
        ("state", state_text(status)),
        ("made", f"{made_at:%Y-%m-%d %H:%M:%S} UTC, {duration_text(age_seconds)} ago"),
        ("owed for", owed_text(status)),
        ("subject", f"{event.subject_id} {subject and f'({subject})'}".rstrip()),
        ("author", f"{event.author_id} {author and f'({author})'}".rstrip()),
        ("attempts", f"{event.attempts} without progress ({ATTEMPTS} at most)"),
        ("cursor", f"{event.cursor} (the progress of its work)"),
        ("epoch", f"{event.epoch} (claims and requeues so far)"),
        ("queue", kind.queue if kind else "unknown to this version"),
        ("shard", str(event.shard)),
    ]


def state_text(status: EventStatus) -> str:
    """The state of an event, with its time."""
    if status.due_in_seconds is None or status.quarantined:
        return "quarantined"
    if status.due_in_seconds <= 0:
        return f"due since {duration_text(-status.due_in_seconds)}"
    return f"waiting, due in {duration_text(status.due_in_seconds)}"


def owed_text(status: EventStatus) -> str:
    """The time since the event was first due, or `-`."""
    seconds = status.owed_seconds
    return "-" if seconds is None or seconds < 0 else duration_text(seconds)


def duration_text(seconds: float) -> str:
    """A duration in the largest unit of which it has two or more: `90 s`, `3 min`, `5 days`."""
    for unit, name in ((86_400, "days"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * unit:
            return f"{seconds / unit:.0f} {name}"
    return f"{seconds:.0f} s"
