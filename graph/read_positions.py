"""Read positions: the newest post id that a user has read in the feed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter

from graph.connection import Connection
from graph.errors import NotFoundError
from graph.queries import load

READ_POSITION = load("users/read_position")
SET_READ_POSITION = load("users/set_read_position")
UNREAD = load("posts/unread")
NEWS = load("posts/news")


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPost:
    """A post that its viewer has not read, with its author."""

    id: int
    author_id: int
    author_name: str


class ReadPositions:
    """Reads and raises positions, and counts the posts above them."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def read(self, user_id: int) -> int:
        """The user's read position; 0 if none was set."""
        rows = self._connection.read(READ_POSITION, user_id=user_id)
        return int(rows[0]["position"]) if rows else 0

    def set(self, user_id: int, post_id: int) -> None:
        """Raise the position; a lower one changes nothing. Raises NotFoundError."""
        if not self._connection.write(SET_READ_POSITION, user_id=user_id, post_id=post_id):
            raise NotFoundError

    def count_unread(self, viewer_id: int, *, after: int, limit: int) -> int:
        """The number of posts above `after` of the viewer's followees, at most `limit`."""
        rows = self._connection.read(UNREAD, viewer_id=viewer_id, after=after, limit=limit)
        return int(rows[0]["count"]) if rows else 0

    def news(self, ids_by_viewer: Mapping[int, Sequence[int]]) -> dict[int, list[NewPost]]:
        """Those of the posts that are unread and of followees of an active viewer, newest first.

        Takes up to 10,000 ids together. A viewer without news is left out.
        """
        pairs = [[viewer, post] for viewer, posts in ids_by_viewer.items() for post in posts]
        news: dict[int, list[NewPost]] = {}
        for row in self._connection.read(NEWS, pairs=pairs) if pairs else ():
            news.setdefault(row.pop("viewer_id"), []).append(NewPost(**row))
        return {
            viewer_id: sorted(posts, key=attrgetter("id"), reverse=True)
            for viewer_id, posts in news.items()
        }
