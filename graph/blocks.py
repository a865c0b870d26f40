"""Who wants to see nothing of whom."""

from graph.connection import Connection
from graph.errors import NotFoundError
from graph.events import HOLD_MS, Event, event_of
from graph.queries import load
from graph.users import User, user_of

CREATE = load("blocks/create")
DELETE = load("blocks/delete")
PAGE = load("blocks/page")


class Blocks:
    """Creates, ends and lists blocks."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def create(self, *, blocker_id: int, blocked_id: int) -> Event | None:
        """Block somebody: the follows between the two end, in the same statement.

        None if the block stood already and nothing was being left. Raises NotFoundError where
        one of them is absent.
        """
        rows = self._connection.write_with_event(
            CREATE,
            blocker_id=blocker_id,
            blocked_id=blocked_id,
            lower_id=min(blocker_id, blocked_id),
            upper_id=max(blocker_id, blocked_id),
            hold_ms=HOLD_MS,
        )
        if not rows:
            raise NotFoundError
        return event_of(rows[0])

    def delete(self, *, blocker_id: int, blocked_id: int) -> None:
        """End a block, if there is one."""
        self._connection.write(DELETE, blocker_id=blocker_id, blocked_id=blocked_id)

    def list(self, blocker_id: int, *, before: int, limit: int) -> tuple[list[User], int | None]:
        """Whom a user blocks, ids falling, and before which id the next start; None is the end."""
        rows = self._connection.read(PAGE, blocker_id=blocker_id, before=before, limit=limit + 1)
        users = [user_of(row) for row in rows]
        return users[:limit], users[limit - 1].id if len(users) > limit else None
