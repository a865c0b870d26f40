"""Sessions: each sign-in creates one."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from graph.connection import Connection
from graph.errors import ConstraintViolatedError, IdTakenError, NotFoundError
from graph.events import Event, event_of
from graph.ids import from_ms, to_ms
from graph.queries import load

CREATE = load("sessions/create")
BY_ID = load("sessions/by_id")
BY_IDS = load("sessions/by_ids")
BY_ID_OR_ENDED = load("sessions/by_id_or_ended")
OF_USER = load("sessions/of_user")
END = load("sessions/end")
SET_USED = load("sessions/set_used")
DELETE_EXPIRED = load("sessions/delete_expired")
ENDED_PAGE = load("sessions/ended_page")
DELETE_OUTDATED = load("sessions/delete_outdated")

MOST = 50
"""Sessions of one user. A sign-in ends the oldest beyond them."""
MOST_NETWORKS = 20
"""Networks that a user is known from: those of the latest sign-ins."""
MOST_ENDED = 1_000
"""Sessions that one sign-in ends. Older versions allowed any number; the next sign-in ends more."""

TIMES = ("created_at", "expires_at", "ends_at", "last_used_at")
"""The fields of a session that are times."""

USED_LEAST_MS = 3_600_000
"""The last use of a session is written again after this time, in milliseconds."""

DAY_MS = 86_400_000

ENDED_LIFE_MS = DAY_MS
"""Time for which an ended session is stored, in milliseconds: a repeat succeeds for a day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A session; only the SHA-256 of its secret is stored, in hex."""

    id: int
    user_id: int
    secret_sha256: str
    created_at: datetime
    expires_at: datetime
    """When it ends, unless it is used before."""
    ends_at: datetime | None
    """When it ends at the latest. None in a session of an older version: at `expires_at`."""
    last_used_at: datetime | None
    """Written once an hour; None in a session of an older version, until it is used."""
    network: str | None
    """Where it began, as a text; None in a session of an older version."""
    user_agent: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSession:
    """A session, and those of its user that it has ended: their copies must be dropped.

    The event drops them too. None if no session is ended.
    """

    session: Session
    ended_ids: tuple[int, ...]
    event: Event | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedSession:
    """A session has ended: its copies must be dropped.

    The event drops them too, as the request may die. None if it had ended before.
    """

    event: Event | None


def _session_of(row: dict[str, Any]) -> Session:
    fields = row["session"]
    times = {name: from_ms(ms) if (ms := fields[name]) is not None else None for name in TIMES}
    return Session(**fields | times)


class Sessions:
    """Creates, finds and ends sessions."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def create(
        self,
        *,
        session_id: int,
        user_id: int,
        secret_sha256: str,
        expires_at: datetime,
        ends_at: datetime | None = None,
        network: str | None = None,
        user_agent: str | None = None,
        password_hash: str | None = None,
    ) -> NewSession:
        """A new session of an active user; it ends the oldest of more than MOST.

        It lasts to `expires_at`, and with its use to `ends_at`. The user is known from the network
        from now on.

        With `password_hash`, the session is created only if that is still the user's hash: a
        concurrent password change also ends this sign-in. Raises NotFoundError, IdTakenError.
        """
        try:
            rows = self._connection.write_with_event(
                CREATE,
                session_id=session_id,
                user_id=user_id,
                secret_sha256=secret_sha256,
                expires_at=to_ms(expires_at),
                ends_at=to_ms(ends_at) if ends_at else None,
                network=network,
                user_agent=user_agent,
                most_networks=MOST_NETWORKS,
                password_hash=password_hash,
                most=MOST,
                most_ended=MOST_ENDED,
            )
        except ConstraintViolatedError as error:
            session = self.by_id(session_id)
            if session and (session.user_id, session.secret_sha256) == (user_id, secret_sha256):
                return NewSession(session=session, ended_ids=(), event=None)
            raise IdTakenError(session_id) from error
        if not rows:
            raise NotFoundError
        return NewSession(
            session=_session_of(rows[0]),
            ended_ids=tuple(rows[0]["ended_ids"]),
            event=event_of(rows[0]),
        )

    def by_id(self, session_id: int) -> Session | None:
        """A session that has not ended, else None."""
        rows = self._connection.read(BY_ID, session_id=session_id)
        return _session_of(rows[0]) if rows else None

    def by_ids(self, session_ids: Sequence[int]) -> list[Session]:
        """Those of the sessions that have not ended, in any order."""
        rows = self._connection.read(BY_IDS, session_ids=list(session_ids))
        return [_session_of(row) for row in rows]

    def by_id_or_ended(self, session_id: int) -> Session | None:
        """A session that has not ended or that ended within a day, else None."""
        rows = self._connection.read(BY_ID_OR_ENDED, session_id=session_id)
        return _session_of(rows[0]) if rows else None

    def of_user(self, user_id: int) -> list[Session]:
        """A user's newest sessions that have not ended, newest first; at most MOST."""
        rows = self._connection.read(OF_USER, user_id=user_id, limit=MOST)
        return [_session_of(row) for row in rows]

    def ended_ids(self, user_id: int, *, before: int, limit: int, since_ms: int = 0) -> list[int]:
        """A page of the ids of the user's sessions that ended since then, descending.

        Those that a password change has ended all at once are among them, whenever that was.
        """
        rows = self._connection.read(
            ENDED_PAGE, user_id=user_id, before=before, limit=limit, ended_since=since_ms
        )
        return list(rows[0]["session_ids"]) if rows else []

    def delete_outdated(self, user_id: int, session_ids: Sequence[int]) -> None:
        """Delete those of the sessions that a password change has ended all at once.

        The caller has dropped their copies.
        """
        self._connection.write(DELETE_OUTDATED, user_id=user_id, session_ids=list(session_ids))

    def set_used(self, session_ids: Sequence[int], *, idle_days: int) -> dict[int, datetime]:
        """Note that the sessions are used now: each lasts so many days more, to its latest end.

        Returns when each would have ended otherwise. Those that have ended, or whose use was noted
        within USED_LEAST_MS, are left out.
        """
        rows = self._connection.write(
            SET_USED,
            session_ids=sorted(session_ids),
            least_ms=USED_LEAST_MS,
            idle_ms=idle_days * DAY_MS,
        )
        return {row["session_id"]: from_ms(row["expired_at"]) for row in rows}

    def delete(self, session_id: int, *, user_id: int) -> EndedSession | None:
        """End a session, also one that ended within a day; None if it is not the user's."""
        rows = self._connection.write_with_event(END, session_id=session_id, user_id=user_id)
        return EndedSession(event=event_of(rows[0])) if rows else None

    def delete_expired(self, limit: int) -> int:
        """Delete up to `limit` sessions that ended more than a day ago; returns how many."""
        rows = self._connection.write(DELETE_EXPIRED, limit=limit, life_ms=ENDED_LIFE_MS)
        return int(rows[0]["deleted"])
