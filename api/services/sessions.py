"""Sessions: created, authenticated and ended.

The graph holds the sessions. The cache holds copies, so that authentication needs no query.
"""

import hmac
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from api.services.best_effort import drop_copies_of_ended
from api.services.errors import NotSignedInError
from api.services.tokens import Token, new_token
from graph import Graph
from graph.errors import NotFoundError
from graph.ids import unguessable_id, with_new_id
from graph.sessions import NewSession as CreatedSession
from graph.sessions import Session
from storage import Storage, changes
from storage.admissions import Admissions, UnverifiedSession
from storage.errors import StorageUnavailableError
from storage.limits import LimitUse
from storage.sessions import SessionCopy

LONGEST_USER_AGENT = 200
"""Characters that are kept of a User-Agent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSession:
    """The token of a new session and its latest end."""

    token: Token
    ends_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifetime:
    """How long a session lasts, and for how long it may be unused, in days."""

    days: int
    idle_days: int = 365

    def from_now(self) -> tuple[datetime, datetime]:
        """When a session that begins now ends without any use, and at the latest."""
        now = datetime.now(UTC)
        ends_at = now + timedelta(days=self.days)
        return min(ends_at, now + timedelta(days=self.idle_days)), ends_at


class Client(NamedTuple):
    """Where a session begins: shown to its user, who looks for what is not theirs."""

    network: str | None = None
    user_agent: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewer:
    """The authenticated user of a request, and the session."""

    user_id: int
    session_id: int


NOBODY = Client()
"""The client of a session that began without a request."""


class AdmittedViewer(NamedTuple):
    """The viewer of a request, and its use of the general limit, which is counted already."""

    viewer: Viewer
    limit_use: LimitUse


def create(
    graph: Graph,
    storage: Storage,
    user_id: int,
    *,
    lifetime: Lifetime,
    client: Client = NOBODY,
    password_hash: str | None = None,
) -> NewSession:
    """A new session of the user. Only the hash of its secret is stored.

    It ends the oldest of too many sessions. Dropping their copies fails open, as their event
    repeats it. With `password_hash` only if it is still the user's. Raises NotFoundError.
    """
    expires_at, ends_at = lifetime.from_now()

    def begin(session_id: int) -> tuple[Token, CreatedSession]:
        token = new_token(user_id=user_id, session_id=session_id)
        return token, graph.sessions.create(
            session_id=token.session_id,
            user_id=token.user_id,
            secret_sha256=token.secret_sha256,
            expires_at=expires_at,
            ends_at=ends_at,
            network=client.network,
            user_agent=client.user_agent,
            password_hash=password_hash,
        )

    token, created = with_new_id(begin, unguessable_id)
    if created.event is not None:
        drop_copies_of_ended(storage, user_id, created.ended_ids)
        storage.queues.wake(created.event)
    return NewSession(token=token, ends_at=ends_at)


def end(graph: Graph, storage: Storage, session_id: int, *, user_id: int) -> None:
    """End a session of the user: no request that begins after the return is authenticated by it.

    Repeating it is safe: the copies are dropped also if the graph has ended the session, as the
    first try may have failed in between. Without a repeat its event drops them. Raises
    NotFoundError, GraphUnavailableError, StorageUnavailableError.
    """
    ended = graph.sessions.delete(session_id, user_id=user_id)
    if ended is None:
        raise NotFoundError
    drop_copies(storage, user_id, session_id)
    storage.queues.wake(ended.event)


def proves_session(graph: Graph, token: Token) -> bool:
    """Whether the token proves a session that may have ended within a day.

    Raises GraphUnavailableError.
    """
    session = graph.sessions.by_id_or_ended(token.session_id)
    return session is not None and _proves(token, session.secret_sha256, session.user_id)


def admit(admissions: Admissions, token: Token) -> AdmittedViewer | None:
    """The token's viewer, with the request counted, in one round trip to the cache.

    None if the cache is down or has no copy for this token: then `authenticate` decides.
    """
    try:
        admission = admissions.admit(unverified_session(token))
    except StorageUnavailableError:
        return None
    if not admission.is_authenticated:
        return None
    return AdmittedViewer(viewer_of(token), admission.limit_use)


def authenticate(graph: Graph, storage: Storage, token: Token) -> Viewer:
    """The token's viewer. Raises NotSignedInError, GraphUnavailableError.

    It reads the cache once, and the graph if the cache is down or has no copy.
    """
    copy = _read_copy(storage, token) or _copy_from_graph(graph, storage, token)
    if copy is None or not token_matches(token, copy):
        raise NotSignedInError
    return viewer_of(token)


def unverified_session(token: Token) -> UnverifiedSession:
    """The session that the token names, to be checked by the cache."""
    return UnverifiedSession(token.user_id, token.session_id, token.secret_sha256)


def viewer_of(token: Token) -> Viewer:
    """The viewer of a token that is verified."""
    return Viewer(user_id=token.user_id, session_id=token.session_id)


def token_matches(token: Token, copy: SessionCopy) -> bool:
    """Whether the token is of this session, which has not expired."""
    return _is_of(token, copy) and copy.expires_at > time.time()


def _is_of(token: Token, copy: SessionCopy) -> bool:
    """Whether the token is of this session, which may have expired.

    The secret is compared in constant time, and before any other value of the client's.
    """
    return _proves(token, copy.secret_sha256, copy.user_id)


def _proves(token: Token, secret_sha256: str, user_id: int) -> bool:
    return hmac.compare_digest(token.secret_sha256, secret_sha256) and token.user_id == user_id


def drop_copies(storage: Storage, user_id: int, session_id: int) -> None:
    """Drop the copy in the cache, then those of all processes. Raises StorageUnavailableError."""
    storage.sessions.drop(user_id, [session_id])
    storage.changes.announce([changes.session(session_id)])


def load_copies(
    graph: Graph, storage: Storage, viewers: Sequence[Viewer]
) -> dict[int, SessionCopy]:
    """The sessions that have not ended, by id, from the graph. The cache gets their copies.

    Raises GraphUnavailableError.
    """
    user_ids = {viewer.session_id: viewer.user_id for viewer in viewers}
    reservations = {i: _reserve_copy(storage, u, i) for i, u in user_ids.items()}
    copies = {
        session.id: _copy_of(session)
        for session in graph.sessions.by_ids(list(user_ids))
        if session.user_id == user_ids[session.id]
    }
    for session_id, copy in copies.items():
        if reservation := reservations[session_id]:
            _fill_copy(storage, session_id, reservation, copy)
    return copies


def _copy_from_graph(graph: Graph, storage: Storage, token: Token) -> SessionCopy | None:
    """The session in the graph; it is cached unless it ends in the meantime.

    None also if it is not a session of the token's user: the token's key is not the session's.
    """
    reservation = _reserve_copy(storage, token.user_id, token.session_id)  # before the read
    session = graph.sessions.by_id(token.session_id)
    if session is None or session.user_id != token.user_id:
        return None
    copy = _copy_of(session)
    if reservation is not None:
        _fill_copy(storage, token.session_id, reservation, copy)
    return copy


def _read_copy(storage: Storage, token: Token) -> SessionCopy | None:
    """The copy; None without one, or if it has expired: its session may have been prolonged."""
    try:
        copy = storage.sessions.read(token.user_id, token.session_id)
    except StorageUnavailableError:
        return None
    return copy if copy and copy.expires_at > time.time() else None


def _copy_of(session: Session) -> SessionCopy:
    return SessionCopy(
        user_id=session.user_id,
        secret_sha256=session.secret_sha256,
        expires_at=int(session.expires_at.timestamp()),
    )


def _reserve_copy(storage: Storage, user_id: int, session_id: int) -> str | None:
    try:
        return storage.sessions.reserve(user_id, session_id)
    except StorageUnavailableError:
        return None


def _fill_copy(storage: Storage, session_id: int, reservation: str, copy: SessionCopy) -> None:
    try:
        storage.sessions.fill(session_id, reservation, copy)
    except StorageUnavailableError:
        return  # the next request reads the graph again
