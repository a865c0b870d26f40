"""Users: names, profiles, password hashes, and who may see whom."""

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from graph.connection import Connection
from graph.errors import (
    ConstraintViolatedError,
    IdTakenError,
    NotFoundError,
    UsernameTakenError,
)
from graph.events import Event, event_of
from graph.ids import MAX_ID, from_ms, to_ms
from graph.queries import load

CREATE = load("users/create")
BY_ID = load("users/by_id")
VISIBLE = load("users/visible")
ID_BY_USERNAME = load("users/id_by_username")
FACTS = load("users/facts")
CREDENTIALS = load("users/credentials")
KNOWS_NETWORK = load("users/knows_network")
PASSWORD_HASH = load("users/password_hash")
UPDATE = load("users/update")
SET_PASSWORD = load("users/set_password")
REPLACE_HASH = load("users/replace_hash")
IDS = load("users/ids")
COUNT_AFTER = load("users/count_after")

COUNT_PAGE = 100_000
"""Users that one statement counts, in about 50 ms."""
SESSIONS_ENDED_ONE_BY_ONE = 200
"""Sessions that a password change ends one by one, some of them ended before. All further ones end
at once, and are deleted by an event."""

ABSENT_USER_ID = 0
"""An id that no user has."""

MOST_HIDDEN = 500
"""Blocks of a viewer that a profile's counts respect. Beyond them a count is a little too high."""

PROFILE_FIELDS = frozenset({"name", "bio", "location"})
"""The fields that update() may change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """The public fields of a user."""

    id: int
    username: str
    name: str
    bio: str | None
    location: str | None
    state: str
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A user with counts and the relationships between the viewer and the user."""

    user: User
    follower_count: int
    following_count: int
    post_count: int
    following: bool
    followed_by: bool
    blocking: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """The user id and the password hash that a sign-in is checked with."""

    user_id: int
    password_hash: str
    suspended: bool
    """The right password does not sign in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedSessions:
    """The sessions that a password change has ended: their copies must be dropped.

    `ids` has the newest. If it `has_more`, `Sessions.ended_ids` finds the others. The event drops
    the copies too, as the request may die; None if a repeat has ended nothing.
    """

    ids: tuple[int, ...]
    has_more: bool
    event: Event | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstSession:
    """The session of a sign-up; only the SHA-256 of its secret is stored, in hex.

    It lasts to `expires_at`, and with its use to `ends_at`.
    """

    id: int
    secret_sha256: str
    expires_at: datetime
    ends_at: datetime | None = None
    network: str | None = None
    user_agent: str | None = None


def user_of(row: dict[str, Any]) -> User:
    """The user of a row."""
    fields = row["user"]
    return User(**fields | {"created_at": from_ms(fields["created_at"])})


def fold_username(username: str) -> str:
    """The form in which user names are compared: case-folded, in Unicode's NFKC."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", username).casefold())


def _session_parameters(session: FirstSession | None) -> dict[str, Any]:
    """The parameters of CREATE for the session, all None without one."""
    return {
        "session_id": session and session.id,
        "secret_sha256": session and session.secret_sha256,
        "expires_at": session and to_ms(session.expires_at),
        "ends_at": session and session.ends_at and to_ms(session.ends_at),
        "network": session and session.network,
        "user_agent": session and session.user_agent,
    }


class Users:
    """Creates, reads and changes users."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def create(
        self,
        *,
        user_id: int,
        username: str,
        name: str,
        password_hash: str,
        session: FirstSession | None = None,
    ) -> User:
        """A new user; the session is created in the same statement.

        Raises UsernameTakenError, IdTakenError.
        """
        try:
            rows = self._connection.write(
                CREATE,
                user_id=user_id,
                username=username,
                username_ci=fold_username(username),
                name=name,
                password_hash=password_hash,
                **_session_parameters(session),
            )
        except ConstraintViolatedError as error:
            return self._find_committed_or_raise(user_id, username, password_hash, error)
        return user_of(rows[0])

    def _find_committed_or_raise(
        self, user_id: int, username: str, password_hash: str, error: ConstraintViolatedError
    ) -> User:
        """The user of an earlier attempt that was committed although its answer was lost."""
        holder = self.credentials(username)
        if holder and (holder.user_id, holder.password_hash) == (user_id, password_hash):
            return self.by_id(user_id)
        if error.entity == "Session" or (holder is None and self._find(user_id)):
            raise IdTakenError(user_id) from error
        raise UsernameTakenError(username) from error

    def credentials(self, username: str) -> Credentials | None:
        """The credentials to check a sign-in with; None if nobody with this name is here.

        A suspended user is.
        """
        rows = self._connection.read(CREDENTIALS, username_ci=fold_username(username))
        return Credentials(**rows[0]) if rows else None

    def knows_network(self, username: str, network: str) -> bool:
        """Whether the user with this name has signed in from the network lately."""
        rows = self._connection.read(
            KNOWS_NETWORK, username_ci=fold_username(username), network=network
        )
        return bool(rows and rows[0]["known"])

    def id_of(self, username: str) -> int | None:
        """The id of the user with this name, in any state; None if there is none."""
        rows = self._connection.read(ID_BY_USERNAME, username_ci=fold_username(username))
        return int(rows[0]["user_id"]) if rows else None

    def password_hash(self, user_id: int) -> str:
        """The hash of a user's password. Raises NotFoundError."""
        rows = self._connection.read(PASSWORD_HASH, user_id=user_id)
        if not rows:
            raise NotFoundError
        return str(rows[0]["password_hash"])

    def ids(self, *, after: int, limit: int) -> list[int]:
        """The ids of users above `after`, ascending, in any state."""
        rows = self._connection.read(IDS, after=after, limit=limit)
        return list(rows[0]["user_ids"])

    def count_after(self, after: int, *, most: int = MAX_ID) -> int:
        """The number of users above `after`, counted up to `most`.

        Counts in pages: a statement that counted millions of users would exceed its time.
        """
        counted = 0
        while counted < most:
            limit = min(COUNT_PAGE, most - counted)
            [page] = self._connection.read(COUNT_AFTER, after=after, limit=limit)
            counted += page["count"]
            if page["count"] < limit:
                break
            after = page["last_id"]
        return counted

    def by_id(self, user_id: int) -> User:
        """A user, for the user's own request or a worker: this does not check a viewer.

        Raises NotFoundError.
        """
        if user := self._find(user_id):
            return user
        raise NotFoundError

    def _find(self, user_id: int) -> User | None:
        rows = self._connection.read(BY_ID, user_id=user_id)
        return user_of(rows[0]) if rows else None

    def visible(self, user_ids: Sequence[int], *, viewer_id: int) -> list[User]:
        """Those of these users whom the viewer may see, in the order of `user_ids`."""
        rows = self._connection.read(VISIBLE, user_ids=list(user_ids), viewer_id=viewer_id)
        by_id = {user.id: user for user in map(user_of, rows)}
        return [by_id[user_id] for user_id in user_ids if user_id in by_id]

    def require_visible(self, user_id: int, *, viewer_id: int) -> None:
        """Return if the viewer may see the user, else raise NotFoundError."""
        self._get_visible(user_id, viewer_id)

    def _get_visible(self, user_id: int, viewer_id: int) -> User:
        for user in self.visible([user_id], viewer_id=viewer_id):
            return user
        raise NotFoundError

    def profile(self, user_id: int, *, viewer_id: int) -> Profile:
        """A user's profile for a viewer. Raises NotFoundError."""
        user = self._get_visible(user_id, viewer_id)
        rows = self._connection.read(
            FACTS, user_id=user_id, viewer_id=viewer_id, most_hidden=MOST_HIDDEN
        )
        return Profile(user=user, **rows[0])

    def profile_by_username(self, username: str, *, viewer_id: int) -> Profile:
        """The profile of the user with this name, for a viewer. Raises NotFoundError."""
        user_id = self.id_of(username)
        # An absent user costs the same look-ups as a hidden one, so the time shows no difference
        return self.profile(ABSENT_USER_ID if user_id is None else user_id, viewer_id=viewer_id)

    def update(
        self, user_id: int, *, changes: Mapping[str, str | None]
    ) -> tuple[User, Event | None]:
        """The changed user, and an event if the name changed: bodies of posts contain the name.

        Raises NotFoundError.
        """
        if unknown := changes.keys() - PROFILE_FIELDS:
            raise ValueError(f"not fields of a profile: {sorted(unknown)}")
        rows = self._connection.write_with_event(UPDATE, user_id=user_id, changes=dict(changes))
        if not rows:
            raise NotFoundError
        return user_of(rows[0]), event_of(rows[0])

    def set_password(
        self, user_id: int, password_hash: str, *, checked_hash: str, keep_session_id: int
    ) -> EndedSessions:
        """Change the password and end all other sessions; returns those sessions.

        They include sessions that ended within the last day. So a repeat returns them again if
        the first call could not delete their cached copies. Raises NotFoundError if the password
        is no longer the checked one, or if the session to keep has ended.
        """
        rows = self._connection.write_with_event(
            SET_PASSWORD,
            user_id=user_id,
            password_hash=password_hash,
            checked_hash=checked_hash,
            keep_session_id=keep_session_id,
            most=SESSIONS_ENDED_ONE_BY_ONE,
        )
        if not rows:
            raise NotFoundError
        return EndedSessions(
            ids=tuple(rows[0]["session_ids"]),
            has_more=rows[0]["has_more"],
            event=event_of(rows[0]),
        )

    def replace_hash(self, user_id: int, password_hash: str, *, checked_hash: str) -> None:
        """Store another hash of the same password. Nothing changes if the hash is another now."""
        self._connection.write(
            REPLACE_HASH, user_id=user_id, password_hash=password_hash, checked_hash=checked_hash
        )
