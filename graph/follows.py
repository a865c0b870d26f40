"""Follows, and leavings: ended follows, which are stored as LEFT for 30 s."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from graph.connection import Connection
from graph.errors import (
    ConstraintViolatedError,
    FollowLimitReachedError,
    IdTakenError,
    NotFoundError,
)
from graph.events import UNFOLLOW_DELAY_MS, Event, event_of
from graph.ids import EPOCH_MS, RANDOM_BITS, with_new_id
from graph.queries import Query, load
from graph.users import User, Users

CREATE = load("follows/create")
DELETE = load("follows/delete")
DELETE_LEFT = load("follows/delete_left")
FIRST_FOLLOWERS = load("follows/first_followers")
LEFT_PAIRS = load("follows/left_pairs")
FOLLOWED_AT = load("follows/followed_at")
FOLLOWERS_PAGE = load("follows/followers_page")
FOLLOWERS_BEFORE = load("follows/followers_before")
FOLLOWING_BEFORE = load("follows/following_before")


@dataclass(frozen=True, slots=True, kw_only=True)
class NewFollow:
    """The event of a new follow, None if the follow exists; and the followee's notification.

    `notification_id` is that of the day's notification, which an earlier follow of the day may have
    created. None if the follow exists since an earlier day. `followed_at_ms` names the follow among
    those of the pair, earlier and later ones.
    """

    event: Event | None
    notification_id: int | None
    followed_at_ms: int
    age_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedFollow:
    """A follow that is ended and still exists as LEFT.

    The event ends the LEFT after 30 s. None if an earlier request has ended the follow: that one's
    event does.
    """

    event: Event | None


class Follows:
    """Creates, ends and lists follows."""

    def __init__(self, connection: Connection, users: Users) -> None:
        self._connection = connection
        self._users = users

    def create(self, *, follower_id: int, followee_id: int) -> NewFollow:
        """Create a follow, its event, and at most one notification of the followee a day.

        Raises NotFoundError if the followee does not exist or a block exists in either direction,
        FollowLimitReachedError if the follower has the most follows that are allowed.
        """
        return with_new_id(
            lambda notification_id: self._create(follower_id, followee_id, notification_id)
        )

    def _create(self, follower_id: int, followee_id: int, notification_id: int) -> NewFollow:
        """As create(). Raises IdTakenError too."""
        most = self._connection.settings.follow_limit
        try:
            rows = self._connection.write_with_event(
                CREATE,
                follower_id=follower_id,
                followee_id=followee_id,
                notification_id=notification_id,
                epoch_ms=EPOCH_MS,
                ids_of_ms=1 << RANDOM_BITS,
                most=most,
            )
        except ConstraintViolatedError as error:
            if error.entity == "Notification":
                raise IdTakenError(notification_id) from error
            raise
        if not rows:
            raise NotFoundError
        if rows[0]["limit_reached"]:
            raise FollowLimitReachedError(most)
        return NewFollow(
            event=event_of(rows[0]),
            notification_id=rows[0]["notification_id"],
            followed_at_ms=rows[0]["followed_at"],
            age_ms=rows[0]["age_ms"],
        )

    def delete(self, *, follower_id: int, followee_id: int) -> EndedFollow | None:
        """End a follow: FOLLOWS becomes LEFT until the event is done, after 30 s.

        A repeat changes nothing. None if neither a FOLLOWS nor a LEFT exists.
        """
        rows = self._connection.write_with_event(
            DELETE,
            follower_id=follower_id,
            followee_id=followee_id,
            hold_ms=UNFOLLOW_DELAY_MS,
        )
        return EndedFollow(event=event_of(rows[0])) if rows else None

    def followed_at_ms(self, pairs: Iterable[tuple[int, int]]) -> dict[tuple[int, int], int]:
        """When each follow was created, as NewFollow has it, by (follower id, followee id).

        A pair without a follow is left out.
        """
        rows = self._connection.read(FOLLOWED_AT, pairs=[list(pair) for pair in pairs])
        return {(row["follower_id"], row["followee_id"]): row["followed_at"] for row in rows}

    def left_pairs(self, pairs: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
        """Those of the pairs (follower id, followee id) that have a LEFT."""
        rows = self._connection.read(LEFT_PAIRS, pairs=[list(pair) for pair in pairs])
        return [(row["follower_id"], row["followee_id"]) for row in rows]

    def delete_left(self, *, pairs: Sequence[tuple[int, int]]) -> None:
        """Delete the LEFT of each (follower id, followee id) if it is at least 30 s old."""
        self._connection.write(
            DELETE_LEFT, pairs=[list(pair) for pair in pairs], hold_ms=UNFOLLOW_DELAY_MS
        )

    def first_followers(self, followee_ids: Iterable[int], *, limit: int) -> dict[int, list[int]]:
        """The first `limit` followers of each author, ascending, by the author's id."""
        rows = self._connection.read(FIRST_FOLLOWERS, followee_ids=list(followee_ids), limit=limit)
        return {row["followee_id"]: row["follower_ids"] for row in rows}

    def followers_page(self, followee_id: int, *, after: int, limit: int) -> list[int]:
        """The ids of an author's followers above `after`, ascending."""
        rows = self._connection.read(
            FOLLOWERS_PAGE, followee_id=followee_id, after=after, limit=limit
        )
        return list(rows[0]["follower_ids"])

    def followers(
        self, user_id: int, *, viewer_id: int, before: int, limit: int
    ) -> tuple[list[User], int | None]:
        """Followers in descending order of id, and `before` for the next page.

        A page omits users whom the viewer may not see, so it may be short. None instead of an id
        means that there is no next page.
        """
        return self._page(FOLLOWERS_BEFORE, viewer_id, limit, followee_id=user_id, before=before)

    def following(
        self, user_id: int, *, viewer_id: int, before: int, limit: int
    ) -> tuple[list[User], int | None]:
        """Followees of the user, in the form of followers()."""
        return self._page(FOLLOWING_BEFORE, viewer_id, limit, follower_id=user_id, before=before)

    def _page(
        self, query: Query, viewer_id: int, limit: int, **parameters: int
    ) -> tuple[list[User], int | None]:
        rows = self._connection.read(query, limit=limit + 1, **parameters)
        user_ids = rows[0]["user_ids"] if rows else []
        next_before = user_ids[limit - 1] if len(user_ids) > limit else None
        return self._users.visible(user_ids[:limit], viewer_id=viewer_id), next_before
