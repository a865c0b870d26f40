"""Who follows whom, and who is leaving whom."""

from collections.abc import Sequence

from graph.connection import Connection
from graph.errors import NotFoundError
from graph.events import HOLD_MS, Event, event_of
from graph.queries import Query, load
from graph.users import User, Users

CREATE = load("follows/create")
DELETE = load("follows/delete")
FINISH_LEAVING = load("follows/finish_leaving")
FOLLOWERS_PAGE = load("follows/followers_page")
FOLLOWERS_BEFORE = load("follows/followers_before")
FOLLOWING_BEFORE = load("follows/following_before")


class Follows:
    """Creates, ends and lists follows."""

    def __init__(self, connection: Connection, users: Users) -> None:
        self._connection = connection
        self._users = users

    def create(self, *, follower_id: int, followee_id: int) -> Event | None:
        """Follow somebody; None if that is so already.

        Raises NotFoundError where the followee is absent or a block stands either way.
        """
        rows = self._connection.write_with_event(
            CREATE,
            follower_id=follower_id,
            followee_id=followee_id,
        )
        if not rows:
            raise NotFoundError
        return event_of(rows[0])

    def delete(self, *, follower_id: int, followee_id: int) -> Event | None:
        """End a follow: it becomes a LEFT until its event, due in 30 s, is done.

        A repeat puts that off with an event of its own. None if there was neither.
        """
        rows = self._connection.write_with_event(
            DELETE,
            follower_id=follower_id,
            followee_id=followee_id,
            hold_ms=HOLD_MS,
        )
        return event_of(rows[0]) if rows else None

    def finish_leaving(self, *, pairs: Sequence[tuple[int, int]]) -> None:
        """Delete the LEFT of each (follower, followee) that has not been put off since."""
        self._connection.write(
            FINISH_LEAVING, pairs=[list(pair) for pair in pairs], hold_ms=HOLD_MS
        )

    def followers_page(self, followee_id: int, *, after: int, limit: int) -> list[int]:
        """The ids of an author's followers above `after`, ascending."""
        rows = self._connection.read(
            FOLLOWERS_PAGE, followee_id=followee_id, after=after, limit=limit
        )
        return list(rows[0]["follower_ids"])

    def followers(
        self, user_id: int, *, viewer_id: int, before: int, limit: int
    ) -> tuple[list[User], int | None]:
        """Followers whom the viewer may see, ids falling, and before which id the next start.

        A page may be short, as hidden users are left out; None is the end.
        """
        return self._page(FOLLOWERS_BEFORE, viewer_id, limit, followee_id=user_id, before=before)

    def following(
        self, user_id: int, *, viewer_id: int, before: int, limit: int
    ) -> tuple[list[User], int | None]:
        """Followees whom the viewer may see; else as followers()."""
        return self._page(FOLLOWING_BEFORE, viewer_id, limit, follower_id=user_id, before=before)

    def _page(
        self, query: Query, viewer_id: int, limit: int, **parameters: int
    ) -> tuple[list[User], int | None]:
        rows = self._connection.read(query, limit=limit + 1, **parameters)
        user_ids = rows[0]["user_ids"] if rows else []
        next_before = user_ids[limit - 1] if len(user_ids) > limit else None
        return self._users.visible(user_ids[:limit], viewer_id=viewer_id), next_before
