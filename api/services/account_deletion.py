"""The deletion of one's account: at once for everybody else, for good a week later."""

from collections.abc import Callable
from datetime import datetime

from api.services import accounts
from api.services.best_effort import discard_bodies
from api.services.errors import (
    AccountSuspendedError,
    WrongCredentialsError,
    WrongOwnPasswordError,
)
from api.services.passwords import Passwords
from api.services.sessions import Client, Lifetime, NewSession
from feed.hiding import hide_user
from graph import Graph
from graph.accounts import NEWEST_SESSIONS
from graph.errors import NotFoundError
from graph.ids import MAX_ID
from graph.users import Credentials, User
from storage import Storage

_MAX_ATTEMPTS = 2
"""Looks at an account that changes while its password is checked."""


def leave(
    graph: Graph,
    storage: Storage,
    passwords: Passwords,
    *,
    user_id: int,
    password: str,
    count: Callable[[], None] = lambda: None,
) -> datetime:
    """Hide the user and end all sessions before returning; returns until when it can be undone.

    `count` is called once the password is known to be right, and can refuse by an error.

    Repeating it is safe: a repeat hides and drops again what the first try may not have reached.
    The sessions' copies are dropped last, so that a repeat is authenticated by its copy as long as
    something is left to do. Raises WrongOwnPasswordError, TooBusyError, StorageUnavailableError.
    """
    stored = graph.accounts.password_hash(user_id)
    if stored is None or not passwords.verify(stored, password):
        raise WrongOwnPasswordError
    count()
    try:
        leaving = graph.accounts.leave(user_id, checked_hash=stored)
    except NotFoundError:  # the password was changed meanwhile
        raise WrongOwnPasswordError from None
    hide_user(graph, storage, user_id, leaving.session_ids)
    if leaving.event is not None:
        storage.queues.wake(leaving.event)
    return leaving.leaves_at


def hide_again(graph: Graph, storage: Storage, user_id: int) -> None:
    """Complete what a first try of `leave` has not reached, if there was one.

    Raises StorageUnavailableError, GraphUnavailableError.
    """
    if graph.accounts.is_leaving(user_id):
        session_ids = graph.sessions.ended_ids(user_id, before=MAX_ID, limit=NEWEST_SESSIONS)
        hide_user(graph, storage, user_id, session_ids)


def restore(
    graph: Graph,
    storage: Storage,
    passwords: Passwords,
    *,
    username: str,
    password: str,
    lifetime: Lifetime,
    client: Client,
) -> tuple[User, NewSession]:
    """Undo the deletion, and sign in.

    For an active user it is a sign-in alone, as the first try may have succeeded. Posts come back
    at once; if the cache is down, with the event. Raises WrongCredentialsError, TooBusyError, and
    AccountSuspendedError: the deletion goes on.
    """
    for _ in range(_MAX_ATTEMPTS):
        credentials = graph.accounts.leaving_credentials(username)
        if credentials is None or _undo(graph, storage, passwords, credentials, password):
            break
    return accounts.sign_in(
        graph,
        storage,
        passwords,
        username=username,
        password=password,
        lifetime=lifetime,
        client=client,
    )


def _undo(
    graph: Graph,
    storage: Storage,
    passwords: Passwords,
    credentials: Credentials,
    password: str,
) -> bool:
    """Make the user active again; False if the account has changed since its password was read.

    Another request may have restored it. Raises WrongCredentialsError, AccountSuspendedError.
    """
    if not passwords.verify(credentials.password_hash, password):
        raise WrongCredentialsError(credentials.user_id)
    if credentials.suspended:
        raise AccountSuspendedError(credentials.user_id)
    try:
        event = graph.accounts.restore(credentials.user_id, checked_hash=credentials.password_hash)
    except NotFoundError:
        return False
    discard_bodies(graph, storage, credentials.user_id)
    storage.queues.wake(event)
    return True
