"""Blocks: two users with a block between them do not see each other."""

from dataclasses import dataclass

from graph.connection import Connection
from graph.errors import NotFoundError
from graph.events import UNFOLLOW_DELAY_MS, Event, event_of
from graph.queries import load
from graph.users import User, user_of

CREATE = load("blocks/create")
DELETE = load("blocks/delete")
PAGE = load("blocks/page")


@dataclass(frozen=True, slots=True, kw_only=True)
class NewBlock:
    """A block, and the follows that it has ended.

    The event is None if it has ended none. `leaver_ids`: the users whose follow of the other is
    ended and still exists as LEFT, also if an earlier request has ended it.
    """

    event: Event | None
    leaver_ids: tuple[int, ...]


class Blocks:
    """Creates, deletes and lists blocks."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def create(self, *, blocker_id: int, blocked_id: int) -> NewBlock:
        """Create a block; the same statement ends the follows between the two users.

        A repeat changes nothing. Raises NotFoundError if one of the users does not exist or is not
        active.
        """
        rows = self._connection.write_with_event(
            CREATE,
            blocker_id=blocker_id,
            blocked_id=blocked_id,
            lower_id=min(blocker_id, blocked_id),
            upper_id=max(blocker_id, blocked_id),
            hold_ms=UNFOLLOW_DELAY_MS,
        )
        if not rows:
            raise NotFoundError
        return NewBlock(event=event_of(rows[0]), leaver_ids=tuple(rows[0]["leaver_ids"]))

    def delete(self, *, blocker_id: int, blocked_id: int) -> None:
        """Delete a block, if it exists."""
        self._connection.write(DELETE, blocker_id=blocker_id, blocked_id=blocked_id)

    def list(self, blocker_id: int, *, before: int, limit: int) -> tuple[list[User], int | None]:
        """The blocked users in descending order of id, and `before` for the next page.

        None instead of an id means that there is no next page.
        """
        rows = self._connection.read(PAGE, blocker_id=blocker_id, before=before, limit=limit + 1)
        users = [user_of(row) for row in rows]
        return users[:limit], users[limit - 1].id if len(users) > limit else None
