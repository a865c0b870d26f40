"""The only list of the kinds of events.

workers/handlers.py has a function for each kind; a test compares the two. The operators' pages and
`flask events` show the texts of this table, and a test compares docs/operating with it.
"""

from dataclasses import dataclass

PHOTOS, FANOUT, FANOUT_LARGE = "photos", "fanout", "fanout-large"
TIMELINES, REMOVAL, EXPORTS = "timelines", "removal", "exports"
QUEUES = (PHOTOS, FANOUT, FANOUT_LARGE, TIMELINES, REMOVAL, EXPORTS)
"""All queues; a worker process serves one queue."""
PROMPT_QUEUES = tuple(name for name in QUEUES if name != EXPORTS)
"""Those whose events are done as soon as they are due. Exports take turns of up to 45 s, so they
wait for each other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventKind:
    """A kind of event; operators read its texts."""

    queue: str
    owes: str
    """The owed work."""
    subject: str
    """The object whose id is `Event.subject_id`."""
    author: str
    """The user whose id is `Event.author_id`."""


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
    "photo-deleted": EventKind(
        queue=REMOVAL,
        owes="remove the deleted photo's objects",
        subject="photo",
        author="owner",
    ),
    "profile-changed": EventKind(
        queue=REMOVAL,
        owes="discard bodies that show the old profile",
        subject="user",
        author="user",
    ),
    "sessions-ended": EventKind(
        queue=REMOVAL,
        owes="drop the copies of the user's ended sessions; delete those of an older epoch",
        subject="user",
        author="user",
    ),
    "account-left": EventKind(
        queue=REMOVAL,
        owes="hide the user's posts and sessions; delete the account when its week is over",
        subject="user",
        author="user",
    ),
    "account-suspended": EventKind(
        queue=REMOVAL,
        owes="hide the suspended user's posts and sessions",
        subject="user",
        author="user",
    ),
    "post-moderated": EventKind(
        queue=REMOVAL,
        owes="discard the body of a post that an operator has hidden, or shows again",
        subject="post",
        author="author",
    ),
    "followed": EventKind(
        queue=TIMELINES,
        owes="drop the follower's timeline; raise the id of the followee's newest notification",
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
        owes="drop the timeline of who followed the other once more, and end the leavings",
        subject="blocker",
        author="blocked",
    ),
    "export-asked": EventKind(
        queue=EXPORTS,
        owes="make the parts of the export of a user's data",
        subject="export",
        author="user",
    ),
}
"""The kinds by name, as in `Event.kind`, the logs and the metrics."""
