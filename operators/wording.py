"""What operators read of an event, in the terminal and in the admin app alike."""

from datetime import UTC, datetime

from graph.event_kinds import KINDS
from graph.events import ATTEMPTS, Standing
from graph.ids import time_of
from operators import outbox


def facts(one: Standing) -> list[tuple[str, str]]:
    """Names and values of all that is known of an event."""
    event = one.event
    kind = KINDS.get(event.kind)
    subject, author = (kind.subject, kind.author) if kind else ("", "")
    rung = one.rung_seconds_ago
    since = time_of(event.id)
    age = (datetime.now(UTC) - since).total_seconds()
    return [
        ("event", str(event.id)),
        ("kind", event.kind),
        ("owes", kind.owes if kind else outbox.UNKNOWN),
        ("state", standing(one)),
        ("owed since", f"{since:%Y-%m-%d %H:%M:%S} UTC, {lasting(age)} ago"),
        ("subject", f"{event.subject_id} {subject and f'({subject})'}".rstrip()),
        ("author", f"{event.author_id} {author and f'({author})'}".rstrip()),
        ("attempts", f"{event.attempts} without progress ({ATTEMPTS} at most)"),
        ("cursor", f"{event.cursor} (how far its work has come)"),
        ("epoch", f"{event.epoch} (claims and requeues so far)"),
        ("queue", kind.queue if kind else "unknown to this version"),
        ("rung", "not by the sweeper" if rung is None else f"{lasting(rung)} ago"),
    ]


def standing(one: Standing) -> str:
    """Where an event stands, in words."""
    if one.due_in_seconds is None or one.quarantined:
        return "quarantined"
    if one.due_in_seconds <= 0:
        return f"due since {lasting(-one.due_in_seconds)}"
    return f"waiting, due in {lasting(one.due_in_seconds)}"


def lasting(seconds: float) -> str:
    """A length of time as people say it."""
    for unit, name in ((86_400, "days"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * unit:
            return f"{seconds / unit:.0f} {name}"
    return f"{seconds:.0f} s"
