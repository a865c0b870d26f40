"""Who is signed in: sessions are made, checked, listed and ended here."""

import hmac
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from api.services.errors import NotSignedInError
from api.services.tokens import Token, new_token, read_token
from graph import Graph
from graph.errors import NotFoundError
from graph.ids import with_new_id
from storage import Storage
from storage.admissions import Admissions, Claimant
from storage.errors import StorageUnavailableError
from storage.limits import Taken
from storage.sessions import SessionCopy


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedIn:
    """What the client of a new session gets."""

    token: Token
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewer:
    """Who asks, and by which session."""

    user_id: int
    session_id: int


class Admitted(NamedTuple):
    """Who asks, and a use of theirs that has been counted."""

    viewer: Viewer
    taken: Taken


def begin(graph: Graph, user_id: int, *, days: int, password_hash: str | None = None) -> SignedIn:
    """A new session of the user; nothing but its secret's hash is kept.

    With `password_hash` only while that is still the user's. Raises NotFoundError.
    """
    expires_at = datetime.now(UTC) + timedelta(days=days)
    return with_new_id(
        lambda session_id: _begin(
            graph, new_token(user_id=user_id, session_id=session_id), expires_at, password_hash
        )
    )


def admitted(admissions: Admissions, text: str) -> Admitted | None:
    """Whose token it is, counted, by one question to the cache; None where that cannot tell."""
    token = read_token(text)
    if token is None:
        return None
    try:
        admission = admissions.admit(claimant(token))
    except StorageUnavailableError:
        return None
    return Admitted(viewer(token), admission.taken) if admission.proved else None


def claimant(token: Token) -> Claimant:
    """Who the token says it is of."""
    return Claimant(token.user_id, token.session_id, token.secret_sha256)


def viewer(token: Token) -> Viewer:
    """Who asks by a token that has been proved."""
    return Viewer(user_id=token.user_id, session_id=token.session_id)


def authenticate(graph: Graph, storage: Storage, text: str) -> Viewer:
    """Whose token it is. Raises NotSignedInError, GraphUnavailableError.

    One read of the cache; the graph where the cache has no copy or does not answer.
    """
    token = read_token(text)
    if token is None:
        raise NotSignedInError
    copy = _cached(storage, token.session_id) or _filled(graph, storage, token.session_id)
    if copy is None or not proves(token, copy):
        raise NotSignedInError
    return viewer(token)


def end(graph: Graph, storage: Storage, session_id: int, *, user_id: int) -> None:
    """End a session of the user's: once this returns nobody accepts it.

    The copy is dropped also when the graph has ended the session already: an earlier try may have
    died between the two. Raises NotFoundError, GraphUnavailableError, StorageUnavailableError.
    """
    if not graph.sessions.delete(session_id, user_id=user_id):
        raise NotFoundError
    storage.sessions.drop([session_id])


def forget_copy(storage: Storage, text: str) -> None:
    """Drop the copy of the session that a token speaks of, valid or not; it can be made again.

    Raises StorageUnavailableError.
    """
    token = read_token(text)
    if token is not None:
        storage.sessions.drop([token.session_id])


def _begin(graph: Graph, token: Token, expires_at: datetime, password_hash: str | None) -> SignedIn:
    graph.sessions.create(
        session_id=token.session_id,
        user_id=token.user_id,
        secret_sha256=token.secret_sha256,
        expires_at=expires_at,
        password_hash=password_hash,
    )
    return SignedIn(token=token, expires_at=expires_at)


def _cached(storage: Storage, session_id: int) -> SessionCopy | None:
    try:
        return storage.sessions.read(session_id)
    except StorageUnavailableError:
        return None


def _filled(graph: Graph, storage: Storage, session_id: int) -> SessionCopy | None:
    """The session as the graph has it, copied unless it was ended while we read."""
    claim = _claimed(storage, session_id)  # the mark first, then the reading
    session = graph.sessions.by_id(session_id)
    if session is None:
        return None
    copy = SessionCopy(
        user_id=session.user_id,
        secret_sha256=session.secret_sha256,
        expires_at=int(session.expires_at.timestamp()),
    )
    if claim is not None:
        _fill(storage, session_id, claim, copy)
    return copy


def _claimed(storage: Storage, session_id: int) -> str | None:
    try:
        return storage.sessions.claim(session_id)
    except StorageUnavailableError:
        return None


def _fill(storage: Storage, session_id: int, claim: str, copy: SessionCopy) -> None:
    try:
        storage.sessions.fill(session_id, claim, copy)
    except StorageUnavailableError:
        return  # the next request asks the graph again


def proves(token: Token, copy: SessionCopy) -> bool:
    """Compares in constant time before it looks at anything that a client could vary."""
    knows = hmac.compare_digest(token.secret_sha256, copy.secret_sha256)
    return knows and token.user_id == copy.user_id and copy.expires_at > time.time()
