"""Push subscriptions: how a browser of a user is reached through its push service.

A subscription belongs to a session, and the queries that end a session delete it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from typing import Any

from graph.connection import Connection
from graph.errors import (
    ConstraintViolatedError,
    IdTakenError,
    NotFoundError,
    PushSubscriptionTakenError,
)
from graph.ids import ID_ATTEMPTS, from_ms, new_id, to_ms
from graph.queries import load

CREATE = load("push_subscriptions/create")
OF_USERS = load("push_subscriptions/of_users")
SUBSCRIBED_USERS = load("push_subscriptions/subscribed_users")
END = load("push_subscriptions/end")
DELETE = load("push_subscriptions/delete")
DELETE_ENDED = load("push_subscriptions/delete_ended")

PARTITIONS = 64
"""Partitions of the users: as in storage/redis/partitions.py, which a test compares."""

MOST = 20
"""Subscriptions of one user. A further one replaces the oldest."""

ENDED_LIFE_MS = 86_400_000
"""Time for which an ended subscription is stored, in milliseconds: a repeat succeeds for a day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPushSubscription:
    """What a browser sends: the endpoint of its push service and its keys, as base64url."""

    endpoint: str = field(repr=False)
    endpoint_sha256: str
    """In hex."""
    p256dh: str = field(repr=False)
    auth: str = field(repr=False)
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PushSubscription:
    """A subscription. Its endpoint is a secret too: who has it can send to it."""

    id: int
    """Also the floor of its notices: what is older was there before it."""
    user_id: int
    session_id: int
    endpoint: str = field(repr=False)
    p256dh: str = field(repr=False)
    auth: str = field(repr=False)
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscribedUser:
    """A user who can be sent to, with the ids of the subscriptions, in ascending order."""

    user_id: int
    subscription_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscribedUsersPage:
    """A part of a partition's users; `next_after` is None at the partition's end."""

    users: list[SubscribedUser]
    next_after: int | None


def _subscription_of(row: dict[str, Any]) -> PushSubscription:
    fields = row["subscription"]
    return PushSubscription(**fields | {"created_at": from_ms(fields["created_at"])})


class PushSubscriptions:
    """Creates, finds and ends push subscriptions."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def create(
        self, new: NewPushSubscription, *, user_id: int, session_id: int
    ) -> tuple[PushSubscription, bool]:
        """The subscription, now of this session, and whether it is new for its user.

        Raises NotFoundError if the session has ended, PushSubscriptionTakenError if the endpoint
        is another user's and the keys are not the same.
        """
        for _ in range(ID_ATTEMPTS):  # its id or, in a concurrent request, its endpoint is taken
            subscription_id = new_id()
            try:
                return self._create(new, subscription_id, user_id, session_id)
            except ConstraintViolatedError as error:
                if error.entity != "PushSubscription":
                    raise
        raise IdTakenError(subscription_id)

    def _create(
        self, new: NewPushSubscription, subscription_id: int, user_id: int, session_id: int
    ) -> tuple[PushSubscription, bool]:
        rows = self._connection.write(
            CREATE,
            id=subscription_id,
            user_id=user_id,
            session_id=session_id,
            partition=user_id % PARTITIONS,
            endpoint=new.endpoint,
            endpoint_sha256=new.endpoint_sha256,
            p256dh=new.p256dh,
            auth=new.auth,
            expires_at=to_ms(new.expires_at) if new.expires_at else None,
            most=MOST,
        )
        if not rows:
            raise NotFoundError
        if rows[0]["subscription"] is None:
            raise PushSubscriptionTakenError
        return _subscription_of(rows[0]), bool(rows[0]["created"])

    def of_user(self, user_id: int) -> list[PushSubscription]:
        """A user's subscriptions that may be sent to, newest first.

        None that has ended or expired, and none of a session that has.
        """
        return self.of_users([user_id]).get(user_id, [])

    def of_users(self, user_ids: Sequence[int]) -> dict[int, list[PushSubscription]]:
        """Likewise the subscriptions of up to 1,000 users; those without any are left out."""
        rows = self._connection.read(OF_USERS, user_ids=list(user_ids))
        subscriptions: dict[int, list[PushSubscription]] = {}
        for subscription in map(_subscription_of, rows):
            subscriptions.setdefault(subscription.user_id, []).append(subscription)
        return subscriptions

    def subscribed_users(self, partition: int, *, after: int, limit: int) -> SubscribedUsersPage:
        """The users of a partition above the id `after` who can be sent to, ascending.

        `limit` bounds the subscriptions that are read; it is more than one user can have. A page
        may have few users or none although there are more.
        """
        if limit <= 2 * MOST:  # concurrent requests can leave a few more than MOST
            raise ValueError(f"read more than {2 * MOST} subscriptions at once, not {limit}")
        rows = self._connection.read(
            SUBSCRIBED_USERS, partition=partition, after=after, limit=limit
        )
        is_last_page = len(rows) < limit
        by_user = [(user_id, list(of)) for user_id, of in groupby(rows, itemgetter("user_id"))]
        whole = by_user if is_last_page else by_user[:-1] or by_user  # the last may have more rows
        return SubscribedUsersPage(
            users=list(_live_users(whole)), next_after=None if is_last_page else whole[-1][0]
        )

    def end(self, subscription_id: int, *, user_id: int) -> bool:
        """End a subscription of a user. True also if it ended within a day.

        False if it is not the user's.
        """
        return bool(self._connection.write(END, id=subscription_id, user_id=user_id))

    def delete(self, subscription_ids: Sequence[int]) -> int:
        """Delete subscriptions that their push services no longer know; returns how many."""
        rows = self._connection.write(DELETE, ids=list(subscription_ids))
        return int(rows[0]["deleted"])

    def delete_ended(self, limit: int) -> int:
        """Delete up to `limit` subscriptions that ended more than a day ago; returns how many."""
        rows = self._connection.write(DELETE_ENDED, limit=limit, life_ms=ENDED_LIFE_MS)
        return int(rows[0]["deleted"])


def _live_users(
    rows_by_user: list[tuple[int, list[dict[str, Any]]]],
) -> Iterator[SubscribedUser]:
    for user_id, rows in rows_by_user:
        if ids := sorted(row["subscription_id"] for row in rows if row["is_live"]):
            yield SubscribedUser(user_id=user_id, subscription_ids=tuple(ids))
