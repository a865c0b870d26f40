"""Moderation by operators: a change is committed, then the copies of what it hides are dropped."""

from collections.abc import Callable
from dataclasses import dataclass

from feed.hiding import hide_user, refresh_post, refresh_user
from graph import Graph
from graph.accounts import NEWEST_SESSIONS, UNDO_MS
from graph.errors import GraphUnavailableError
from graph.events import Event
from graph.ids import MAX_ID
from graph.moderation import ModeratedPost, ModeratedUser
from observing import security_events
from storage import Storage
from storage.errors import StorageUnavailableError


class UnknownSubjectError(Exception):
    """There is no such post, user or report, or it cannot be changed. The text says so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a change has done."""

    event: Event | None
    """Owes what could not be dropped. None if nothing was to be changed."""
    failure: Exception | None
    """Why copies could not be dropped. None if all are."""

    @property
    def changed(self) -> bool:
        """False if it was so already."""
        return self.event is not None


def hide_post(
    graph: Graph, storage: Storage, post_id: int, *, operator: str, reason: str | None
) -> Outcome:
    """Hide a post from everybody, its author too. Raises UnknownSubjectError."""
    author_id = _require_post(graph, post_id).author_id
    event = graph.moderation.hide_post(
        post_id, author_id=author_id, operator=operator, reason=reason
    )
    return _refresh(storage, "post-hidden", event, operator, post_id)


def show_post(
    graph: Graph, storage: Storage, post_id: int, *, operator: str, reason: str | None
) -> Outcome:
    """Show a hidden post again, where it was. Raises UnknownSubjectError."""
    author_id = _require_post(graph, post_id).author_id
    event = graph.moderation.show_post(
        post_id, author_id=author_id, operator=operator, reason=reason
    )
    return _refresh(storage, "post-shown", event, operator, post_id)


def suspend(
    graph: Graph, storage: Storage, user_id: int, *, operator: str, reason: str | None
) -> Outcome:
    """Hide a user and end all sessions. Raises UnknownSubjectError."""
    _require_user(graph, user_id)
    event = graph.moderation.suspend(user_id, operator=operator, reason=reason)
    _record("account-suspended", event, operator, account_id=user_id)
    return _hide(graph, storage, event, user_id)


def unsuspend(
    graph: Graph, storage: Storage, user_id: int, *, operator: str, reason: str | None
) -> Outcome:
    """End a suspension: posts and follows are back. Raises UnknownSubjectError."""
    _require_user(graph, user_id)
    event = graph.moderation.unsuspend(user_id, operator=operator, reason=reason)
    _record("account-unsuspended", event, operator, account_id=user_id)
    return _drop(storage, event, lambda: refresh_user(graph, storage, user_id))


def delete_account(
    graph: Graph, storage: Storage, user_id: int, *, operator: str, reason: str | None
) -> Outcome:
    """Hide a user, end all sessions, and delete the account a week later.

    For an owner who cannot do it: who is suspended, or has lost the password. Raises
    UnknownSubjectError.
    """
    _require_user(graph, user_id)
    event = graph.moderation.delete_account(
        user_id, undo_ms=UNDO_MS, operator=operator, reason=reason
    )
    _record("account-deletion-begun", event, operator, account_id=user_id)
    return _hide(graph, storage, event, user_id)


def _hide(graph: Graph, storage: Storage, event: Event | None, user_id: int) -> Outcome:
    """Drop the copies of a user's posts and sessions."""

    def hide() -> None:
        session_ids = graph.sessions.ended_ids(user_id, before=MAX_ID, limit=NEWEST_SESSIONS)
        hide_user(graph, storage, user_id, session_ids)

    return _drop(storage, event, hide)


def _refresh(
    storage: Storage, name: str, event: Event | None, operator: str, post_id: int
) -> Outcome:
    """Record the change of a post, and drop its body or tombstone."""
    _record(name, event, operator, post_id=post_id)
    return _drop(storage, event, lambda: refresh_post(storage, post_id))


def _drop(storage: Storage, event: Event | None, drop: Callable[[], None]) -> Outcome:
    """Drop the copies, on a repeat too: the first try may have failed here.

    The event drops them if a store does not answer.
    """
    failure = None
    try:
        drop()
    except (StorageUnavailableError, GraphUnavailableError) as error:
        failure = error
    storage.queues.wake(event)
    return Outcome(event=event, failure=failure)


def _record(name: str, event: Event | None, operator: str, **facts: object) -> None:
    """Record the change, and a repeat as `already`: the first try may have ended before this."""
    security_events.record(name, operator=operator, already=event is None, **facts)


def _require_post(graph: Graph, post_id: int) -> ModeratedPost:
    post = graph.moderation.post(post_id)
    if post is None:
        raise UnknownSubjectError(f"There is no post {post_id}: it is deleted, or never existed.")
    return post


def _require_user(graph: Graph, user_id: int) -> ModeratedUser:
    user = graph.moderation.user(user_id)
    if user is None:
        raise UnknownSubjectError(f"There is no user {user_id}.")
    if user.state in {"deleting", "deleted"}:
        raise UnknownSubjectError(f"The account of user {user_id} is {user.state}.")
    return user
