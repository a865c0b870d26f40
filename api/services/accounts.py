"""Sign-up, sign-in and password changes."""

import contextlib

from api.services import sessions
from api.services.errors import (
    AccountSuspendedError,
    NotSignedInError,
    TooBusyError,
    WrongCredentialsError,
    WrongPasswordError,
)
from api.services.passwords import Passwords, is_nfc
from api.services.sessions import NOBODY, Client, Lifetime, NewSession, Viewer
from api.services.tokens import new_token
from api.services.weak_passwords import require_strong
from graph import Graph
from graph.errors import GraphUnavailableError, NotFoundError
from graph.ids import MAX_ID, unguessable_id, with_new_id
from graph.users import Credentials, EndedSessions, FirstSession, User
from storage import Storage, changes

_MAX_ATTEMPTS = 2
"""A sign-in or password change is tried again if another request replaces the hash meanwhile."""

ENDED_PAGE = 10_000
"""Ended sessions whose copies are dropped after one read of the graph."""


def sign_up(
    graph: Graph,
    passwords: Passwords,
    *,
    username: str,
    password: str,
    name: str | None,
    lifetime: Lifetime,
    client: Client,
) -> tuple[User, NewSession]:
    """A new user and their first session, created in one transaction.

    Raises WeakPasswordError, UsernameTakenError, TooBusyError.
    """
    require_strong(password, username)
    password_hash = passwords.hash(password)
    expires_at, ends_at = lifetime.from_now()

    def create(user_id: int) -> tuple[User, NewSession]:
        token = new_token(user_id=user_id, session_id=unguessable_id())
        user = graph.users.create(
            user_id=token.user_id,
            username=username,
            name=name or username,
            password_hash=password_hash,
            session=FirstSession(
                id=token.session_id,
                secret_sha256=token.secret_sha256,
                expires_at=expires_at,
                ends_at=ends_at,
                network=client.network,
                user_agent=client.user_agent,
            ),
        )
        return user, NewSession(token=token, ends_at=ends_at)

    return with_new_id(create)


def sign_in(
    graph: Graph,
    storage: Storage,
    passwords: Passwords,
    *,
    username: str,
    password: str,
    lifetime: Lifetime,
    client: Client = NOBODY,
) -> tuple[User, NewSession]:
    """The user and a new session.

    Raises WrongCredentialsError, after the same time for an unknown username as for a wrong
    password. Raises AccountSuspendedError for the right one alone, and TooBusyError.
    """
    for _ in range(_MAX_ATTEMPTS):
        credentials = graph.users.credentials(username)
        password_hash = credentials.password_hash if credentials else None
        form = passwords.form_with_hash(password, password_hash)
        if form is None or credentials is None:
            raise WrongCredentialsError(credentials.user_id if credentials else None)
        if credentials.suspended:
            raise AccountSuspendedError(credentials.user_id)
        try:
            session = sessions.create(
                graph,
                storage,
                credentials.user_id,
                lifetime=lifetime,
                client=client,
                password_hash=password_hash,
            )
        except NotFoundError:  # the hash was replaced after it was read
            continue
        if not is_nfc(form) or passwords.is_outdated(credentials.password_hash):
            _hash_anew(graph, passwords, credentials, form)
        return graph.users.by_id(credentials.user_id), session
    raise WrongCredentialsError(credentials.user_id if credentials else None)


def _hash_anew(graph: Graph, passwords: Passwords, checked: Credentials, password: str) -> None:
    """Replace a hash of another form than NFC, or of lower parameters. The sessions stay.

    If that fails, or another hash is being replaced, the next sign-in does it.
    """
    with contextlib.suppress(GraphUnavailableError, TooBusyError), passwords.rehash_turn() as free:
        if free:
            new_hash = passwords.hash(password)
            graph.users.replace_hash(checked.user_id, new_hash, checked_hash=checked.password_hash)


def change_password(
    graph: Graph,
    storage: Storage,
    passwords: Passwords,
    *,
    viewer: Viewer,
    current_password: str,
    password: str,
) -> None:
    """Change the password and end all other sessions before returning.

    Repeating the request is safe: if `password` is set already, it counts as the current one, and
    the copies of the ended sessions are dropped again. Without a repeat their event drops them.
    The password is checked again if another request changes it in between. Raises
    WeakPasswordError, WrongPasswordError, NotSignedInError, TooBusyError, StorageUnavailableError.
    """
    require_strong(password, graph.users.by_id(viewer.user_id).username)
    for _ in range(_MAX_ATTEMPTS):
        stored = graph.users.password_hash(viewer.user_id)
        if not passwords.verify(stored, current_password, password):
            raise WrongPasswordError
        ended = _replace_hash(graph, viewer, passwords.hash(password), checked_hash=stored)
        if ended is not None:
            break
    else:
        raise TooBusyError if graph.sessions.by_id(viewer.session_id) else NotSignedInError
    if ended.ids:
        _drop_copies(graph, storage, viewer.user_id, ended)
        storage.queues.wake(ended.event)


def _drop_copies(graph: Graph, storage: Storage, user_id: int, ended: EndedSessions) -> None:
    """Drop the copies of the ended sessions in the cache, then those of all processes.

    More sessions than one statement ends are read in pages: older versions allowed any number.
    """
    storage.sessions.drop(user_id, ended.ids)
    if ended.has_more:
        before = MAX_ID
        while ids := graph.sessions.ended_ids(user_id, before=before, limit=ENDED_PAGE):
            storage.sessions.drop(user_id, ids)
            before = ids[-1]
    storage.changes.announce([changes.user(user_id)])


def _replace_hash(
    graph: Graph, viewer: Viewer, password_hash: str, *, checked_hash: str
) -> EndedSessions | None:
    """The ended sessions; None if the stored hash or the viewer's session changed."""
    try:
        return graph.users.set_password(
            viewer.user_id,
            password_hash,
            checked_hash=checked_hash,
            keep_session_id=viewer.session_id,
        )
    except NotFoundError:
        return None
