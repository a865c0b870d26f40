"""Cache updates around a commit that fail open: log line, counter, and no error for the client.

The fact is committed, so the response is 2xx whether the cache answers or not. The fact's event, or
the next reader, repeats the update.
"""

from collections.abc import Sequence

from feed.bodies import discard_bodies_of
from graph import Graph
from graph.follows import NewFollow
from storage import Storage, changes
from storage.bodies import NewBodyReservation
from storage.fail_open import fail_open, return_none
from storage.timelines import DropForFollow

DONE_MS = 90_000
"""The age at which the event of a fact is done, in milliseconds: B of docs/promises.md."""


@fail_open("drop timeline", return_none)
def drop_timeline(storage: Storage, user_id: int) -> None:
    """Drop the user's timeline: their next page is read from the graph."""
    storage.timelines.drop(user_id)


@fail_open("drop timeline", return_none)
def drop_timeline_for_follow(
    storage: Storage, follower_id: int, followee_id: int, follow: NewFollow
) -> None:
    """Drop the follower's timeline, once a follow: their next page is read from the graph.

    On a repeat only if the first try has failed here, and the follow's event may not be done.
    """
    is_repeat = follow.event is None
    if is_repeat and follow.age_ms > DONE_MS:
        return
    dropped = DropForFollow(follower_id, followee_id, follow.followed_at_ms)
    if not (is_repeat and storage.timelines.dropped_for([dropped])):
        storage.timelines.drop_for(dropped)


@fail_open("raise newest notification", return_none)
def raise_newest_notification(storage: Storage, user_id: int, notification_id: int) -> None:
    """Raise the number that tells streams and the notifier of a new notification."""
    storage.newest_notifications.raise_to({user_id: notification_id})


@fail_open("discard bodies", return_none)
def discard_bodies(graph: Graph, storage: Storage, author_id: int) -> None:
    """Discard the copies of the author's posts, in the cache and then in all processes.

    They hold the author's old profile.
    """
    discard_bodies_of(graph, storage, author_id)
    storage.changes.announce([changes.author(author_id)])


@fail_open("expect body", return_none)
def reserve_body(storage: Storage, post_id: int, author_id: int) -> NewBodyReservation | None:
    """The reservation that `fill_body` needs. To be called before the post is committed."""
    return storage.bodies.reserve_new(post_id, author_id)


@fail_open("fill body", return_none)
def fill_body(storage: Storage, reservation: NewBodyReservation, body: bytes) -> None:
    """Cache the new post's body, unless the post was deleted or its author's profile changed."""
    storage.bodies.fill_new(reservation, body)


@fail_open("drop sessions", return_none)
def drop_copies_of_ended(storage: Storage, user_id: int, session_ids: Sequence[int]) -> None:
    """Drop the copies of sessions that a sign-in has ended, in the cache and then everywhere."""
    storage.sessions.drop(user_id, session_ids)
    storage.changes.announce([changes.user(user_id)])
