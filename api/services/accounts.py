"""Signing up, signing in, and changing a password."""

from datetime import UTC, datetime, timedelta

from api.services import sessions
from api.services.errors import (
    NotSignedInError,
    TooBusyError,
    WrongCredentialsError,
    WrongPasswordError,
)
from api.services.passwords import Passwords
from api.services.sessions import SignedIn, Viewer
from api.services.tokens import new_token
from graph import Graph
from graph.errors import NotFoundError
from graph.ids import new_id, with_new_id
from graph.users import FirstSession, User
from storage import Storage

_CHECKS = 2
"""How often a password change is checked against the password that is in force by then."""


def sign_up(
    graph: Graph,
    passwords: Passwords,
    *,
    username: str,
    password: str,
    name: str | None,
    session_days: int,
) -> tuple[User, SignedIn]:
    """A new user and their first session, both or neither.

    Raises UsernameTakenError, TooBusyError.
    """
    password_hash = passwords.hashed(password)
    expires_at = datetime.now(UTC) + timedelta(days=session_days)

    def create(user_id: int) -> tuple[User, SignedIn]:
        token = new_token(user_id=user_id, session_id=new_id())
        user = graph.users.create(
            user_id=token.user_id,
            username=username,
            name=name or username,
            password_hash=password_hash,
            session=FirstSession(
                id=token.session_id, secret_sha256=token.secret_sha256, expires_at=expires_at
            ),
        )
        return user, SignedIn(token=token, expires_at=expires_at)

    return with_new_id(create)


def sign_in(
    graph: Graph, passwords: Passwords, *, username: str, password: str, session_days: int
) -> tuple[User, SignedIn]:
    """The user and a new session. Raises WrongCredentialsError, no sooner for nobody."""
    known = graph.users.credentials(username)
    if not passwords.fits(password, known.password_hash if known else None) or known is None:
        raise WrongCredentialsError
    try:
        session = sessions.begin(
            graph, known.user_id, days=session_days, password_hash=known.password_hash
        )
    except NotFoundError:  # the password was changed while this one was checked
        raise WrongCredentialsError from None
    return graph.users.by_id(known.user_id), session


def change_password(
    graph: Graph,
    storage: Storage,
    passwords: Passwords,
    *,
    viewer: Viewer,
    current_password: str,
    password: str,
) -> None:
    """Change the password and end all other sessions; once this returns nobody accepts those.

    The same request again finishes the job where the first could not reach the cache: a password
    that is in force already counts as changed. One that another request has replaced while it was
    checked does not: it is checked anew. Raises WrongPasswordError, NotSignedInError, TooBusyError,
    StorageUnavailableError.
    """
    for _ in range(_CHECKS):
        stored = graph.users.password_hash(viewer.user_id)
        if not passwords.fits(current_password, stored) and not passwords.fits(password, stored):
            raise WrongPasswordError
        ended = _changed(graph, viewer, passwords.hashed(password), checked_hash=stored)
        if ended is not None:
            break
    else:
        raise TooBusyError if graph.sessions.by_id(viewer.session_id) else NotSignedInError
    if ended:
        storage.sessions.drop(ended)


def _changed(
    graph: Graph, viewer: Viewer, password_hash: str, *, checked_hash: str
) -> list[int] | None:
    """The sessions that ended; None where the password or the session is no longer the one."""
    try:
        return graph.users.set_password(
            viewer.user_id,
            password_hash,
            checked_hash=checked_hash,
            keep_session_id=viewer.session_id,
        )
    except NotFoundError:
        return None
