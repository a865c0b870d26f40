"""People: their names, their passwords' hashes, and who may see them."""

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
from graph.ids import from_ms, to_ms
from graph.queries import load

CREATE = load("users/create")
BY_ID = load("users/by_id")
VISIBLE = load("users/visible")
ID_BY_USERNAME = load("users/id_by_username")
FACTS = load("users/facts")
CREDENTIALS = load("users/credentials")
PASSWORD_HASH = load("users/password_hash")
UPDATE = load("users/update")
SET_PASSWORD = load("users/set_password")
IDS = load("users/ids")
COUNT_AFTER = load("users/count_after")

NOBODY = 0
"""An id that no user has."""

PROFILE_FIELDS = frozenset({"name", "bio", "location"})
"""What update() may change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A person as everybody may see them."""

    id: int
    username: str
    name: str
    bio: str | None
    location: str | None
    state: str
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A user with counts, and how the viewer stands to them."""

    user: User
    follower_count: int
    following_count: int
    post_count: int
    following: bool
    followed_by: bool
    blocking: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What a sign-in is checked against."""

    user_id: int
    password_hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstSession:
    """The session that begins with its user; of its secret only the SHA-256 is kept, in hex."""

    id: int
    secret_sha256: str
    expires_at: datetime


def user_of(row: dict[str, Any]) -> User:
    """The user of a row."""
    fields = row["user"]
    return User(**fields | {"created_at": from_ms(fields["created_at"])})


def folded(username: str) -> str:
    """A user name as it is compared: written differently or looking alike, it is the same."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", username).casefold())


class Users:
    """Creates, changes and shows users."""

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
        """The new user; the session exists with them or not at all.

        Raises UsernameTakenError, IdTakenError.
        """
        try:
            rows = self._connection.write(
                CREATE,
                user_id=user_id,
                username=username,
                username_ci=folded(username),
                name=name,
                password_hash=password_hash,
                session_id=session.id if session else None,
                secret_sha256=session.secret_sha256 if session else None,
                expires_at=to_ms(session.expires_at) if session else None,
            )
        except ConstraintViolatedError as error:
            return self._created_before(user_id, username, password_hash, error)
        return user_of(rows[0])

    def _created_before(
        self, user_id: int, username: str, password_hash: str, error: ConstraintViolatedError
    ) -> User:
        """The user of a create() whose own first try had been committed after all."""
        holder = self.credentials(username)
        if holder and (holder.user_id, holder.password_hash) == (user_id, password_hash):
            return self.by_id(user_id)
        if error.of == "Session" or (holder is None and self._found(user_id)):
            raise IdTakenError(user_id) from error
        raise UsernameTakenError(username) from error

    def credentials(self, username: str) -> Credentials | None:
        """What to check a sign-in against; None if no active user has this name."""
        rows = self._connection.read(CREDENTIALS, username_ci=folded(username))
        return Credentials(**rows[0]) if rows else None

    def password_hash(self, user_id: int) -> str:
        """The hash of a user's password. Raises NotFoundError."""
        rows = self._connection.read(PASSWORD_HASH, user_id=user_id)
        if not rows:
            raise NotFoundError
        return str(rows[0]["password_hash"])

    def ids(self, *, after: int, limit: int) -> list[int]:
        """The ids of users above one, ascending; in any state."""
        rows = self._connection.read(IDS, after=after, limit=limit)
        return list(rows[0]["user_ids"])

    def count_after(self, after: int) -> int:
        """How many users have a higher id."""
        return int(self._connection.read(COUNT_AFTER, after=after)[0]["count"])

    def by_id(self, user_id: int) -> User:
        """A user, for themselves or for our own work: not checked against a viewer.

        Raises NotFoundError.
        """
        if user := self._found(user_id):
            return user
        raise NotFoundError

    def _found(self, user_id: int) -> User | None:
        rows = self._connection.read(BY_ID, user_id=user_id)
        return user_of(rows[0]) if rows else None

    def visible(self, user_ids: Sequence[int], *, viewer_id: int) -> list[User]:
        """Those of these users whom the viewer may see, in the order asked for."""
        rows = self._connection.read(VISIBLE, user_ids=list(user_ids), viewer_id=viewer_id)
        by_id = {user.id: user for user in map(user_of, rows)}
        return [by_id[user_id] for user_id in user_ids if user_id in by_id]

    def require_visible(self, user_id: int, *, viewer_id: int) -> None:
        """Return if the viewer may see the user, else raise NotFoundError."""
        self._visible_one(user_id, viewer_id)

    def _visible_one(self, user_id: int, viewer_id: int) -> User:
        for user in self.visible([user_id], viewer_id=viewer_id):
            return user
        raise NotFoundError

    def profile(self, user_id: int, *, viewer_id: int) -> Profile:
        """A user as the viewer sees them. Raises NotFoundError."""
        user = self._visible_one(user_id, viewer_id)
        rows = self._connection.read(FACTS, user_id=user_id, viewer_id=viewer_id)
        return Profile(user=user, **rows[0])

    def profile_by_username(self, username: str, *, viewer_id: int) -> Profile:
        """The user of this name, as the viewer sees them. Raises NotFoundError."""
        rows = self._connection.read(ID_BY_USERNAME, username_ci=folded(username))
        # Without one nobody is asked for, so that absent takes as long as hidden
        return self.profile(rows[0]["user_id"] if rows else NOBODY, viewer_id=viewer_id)

    def update(
        self, user_id: int, *, changes: Mapping[str, str | None]
    ) -> tuple[User, Event | None]:
        """The changed user; and an event if the name changed, as the bodies of posts carry it.

        Raises NotFoundError.
        """
        if unknown := changes.keys() - PROFILE_FIELDS:
            raise ValueError(f"not of a profile: {sorted(unknown)}")
        rows = self._connection.write_with_event(UPDATE, user_id=user_id, changes=dict(changes))
        if not rows:
            raise NotFoundError
        return user_of(rows[0]), event_of(rows[0])

    def set_password(
        self, user_id: int, password_hash: str, *, checked_hash: str, keep_session_id: int
    ) -> list[int]:
        """Change the password and end every other session; the ids of those sessions.

        They include sessions that ended within the last day, so that a repeated change, after
        one whose cached copies could not be removed, names them all again. Raises NotFoundError
        where the password is no longer the one that was checked, or the session has ended.
        """
        rows = self._connection.write(
            SET_PASSWORD,
            user_id=user_id,
            password_hash=password_hash,
            checked_hash=checked_hash,
            keep_session_id=keep_session_id,
        )
        if not rows:
            raise NotFoundError
        return list(rows[0]["session_ids"])
