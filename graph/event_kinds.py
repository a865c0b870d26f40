"""The kinds of events: the only list of them.

Each kind has a function in workers/handlers.py, which a test holds equal to this table. The
operators' pages and `flask events` read it, and docs/operating is tested against it.
"""

from dataclasses import dataclass

PHOTOS, FANOUT, FANOUT_LARGE = "photos", "fanout", "fanout-large"
TIMELINES, REMOVAL = "timelines", "removal"
QUEUES = (PHOTOS, FANOUT, FANOUT_LARGE, TIMELINES, REMOVAL)
"""Every queue; one worker process serves one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventKind:
    """What an event of this kind is about. The texts are for operators."""

    queue: str
    owes: str
    """The work that is still to be done."""
    subject: str
    """What `Event.subject_id` is."""
    author: str
    """What `Event.author_id` is."""


KINDS = {
    "photo-uploaded": EventKind(
        queue=PHOTOS,
        owes="examine the photo, make its renditions",
        subject="photo",
        author="owner",
    ),
    "post-published": EventKind(
        queue=FANOUT,
        owes="put the post's body into the cache, and its id into timelines",
        subject="post",
        author="author",
    ),
    "post-published-widely": EventKind(
        queue=FANOUT_LARGE,
        owes="the same as post-published, for very many followers",
        subject="post",
        author="author",
    ),
    "post-deleted": EventKind(
        queue=REMOVAL,
        owes="remove the deleted post's objects",
        subject="post",
        author="author",
    ),
    "profile-changed": EventKind(
        queue=REMOVAL,
        owes="discard bodies that show the old profile",
        subject="user",
        author="user",
    ),
    "followed": EventKind(
        queue=TIMELINES,
        owes="drop the follower's timeline, so that it is built with the new followee",
        subject="follower",
        author="followee",
    ),
    "left": EventKind(
        queue=TIMELINES,
        owes="drop the follower's timeline once more, and end the leaving",
        subject="follower",
        author="followee",
    ),
    "blocked": EventKind(
        queue=TIMELINES,
        owes="drop both people's timelines once more, and end the leavings",
        subject="blocker",
        author="blocked",
    ),
}
"""By the name that stands in `Event.kind`, in the logs and in the metrics."""


def kinds_of(queue: str) -> list[str]:
    """The kinds of events whose work one queue does."""
    return [name for name, kind in KINDS.items() if kind.queue == queue]
