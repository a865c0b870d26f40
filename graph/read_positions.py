"""How far people have read their feeds, and what is newer than that."""

from graph.connection import Connection
from graph.errors import NotFoundError
from graph.queries import load

READ_POSITION = load("users/read_position")
SET_READ_POSITION = load("users/set_read_position")
UNREAD = load("posts/unread")


class ReadPositions:
    """Reads and raises positions, and counts what is above them."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def read(self, user_id: int) -> int:
        """The newest post id that the user has read, 0 where they never said so."""
        rows = self._connection.read(READ_POSITION, user_id=user_id)
        return int(rows[0]["position"]) if rows else 0

    def set(self, user_id: int, post_id: int) -> None:
        """Move the position forward; a lower one changes nothing. Raises NotFoundError."""
        if not self._connection.write(SET_READ_POSITION, user_id=user_id, post_id=post_id):
            raise NotFoundError

    def count_unread(self, viewer_id: int, *, after: int, limit: int) -> int:
        """How many posts of others in the viewer's feed are above an id, `limit` at most."""
        rows = self._connection.read(UNREAD, viewer_id=viewer_id, after=after, limit=limit)
        return int(rows[0]["count"]) if rows else 0
