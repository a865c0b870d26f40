"""The only list of the kinds of notifications.

Each kind is a row: the text, what `Notification.subject_id` is, and whether the fact must still
exist. docs/developing.md has the steps for a new kind.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

MAX_NAMES = 2
"""Names in a text; other people are counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationKind:
    """A kind of notification."""

    text: str
    """The sentence, with `{people}` for those who did it."""
    subject: Literal["user", "post"]
    """The object whose id is `Notification.subject_id`; "user": the user who is notified.

    Notifications of one day, kind and subject are one group.
    """
    needs_fact: bool
    """Whether it is shown only while its fact exists: the queries check that by the kind's name."""


KINDS = {
    "followed": NotificationKind(text="{people} followed you", subject="user", needs_fact=True),
}
"""The kinds by name, as in `Notification.kind`, in the API, and in the settings of pushes."""


def text_of(kind: str, names: Sequence[str], others: int) -> str:
    """The sentence of a group: up to two names, and the number of other people."""
    return KINDS[kind].text.replace("{people}", people_in(names, others))


def people_in(names: Sequence[str], others: int) -> str:
    """One or two names and the number of others: "Ana", "Ana and Bo", "Ana, Bo and 3 others"."""
    counted = [f"{others} other{'s' if others > 1 else ''}"] if others else []
    *first, last = [*names, *counted]
    return f"{', '.join(first)} and {last}" if first else last
