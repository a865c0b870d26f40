"""Users, photos and posts for tests. Every field has a default, except what a test is about."""

import secrets
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from graph import Graph
from graph.events import Event
from graph.ids import new_id
from graph.posts import Location
from graph.queries import Query
from graph.users import User

T = TypeVar("T")

NEWEST = 2**53
"""Above every id."""


class Maker:
    """Creates a test's objects in the graph, through the repositories."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph

    def user(self, name: str = "Ana", username: str = "") -> User:
        return self._graph.users.create(
            user_id=new_id(),
            username=username or f"u{secrets.token_hex(8)}",
            name=name,
            password_hash="hash of a password",
        )

    def users(self, count: int) -> list[User]:
        return [self.user() for _ in range(count)]

    def waiting_photo(self, owner_id: int, **changes: Any) -> int:
        photo_id = new_id()
        fields: dict[str, Any] = {
            "path": secrets.token_urlsafe(16),
            "content_type": "image/jpeg",
            "size_bytes": 1000,
            "checksum_sha256": None,
            "alt_text": "a lighthouse",
            "expires_at": datetime.now(UTC) + timedelta(hours=1),
            "key": None,
            "fingerprint": None,
        }
        self._graph.photos.create(photo_id=photo_id, owner_id=owner_id, **fields | changes)
        return photo_id

    def photo(self, owner_id: int) -> int:
        """A photo that is ready; its event is deleted."""
        photo_id = self.waiting_photo(owner_id)
        _, event = self._graph.photos.complete(photo_id, owner_id=owner_id)
        assert event
        self.delete_event(event)
        assert self._graph.photos.set_ready(photo_id, width=1080, height=720, blurhash="L00000")
        return photo_id

    def post(self, author_id: int, **changes: Any) -> int:
        """A post, with a new photo by default; its event is not deleted."""
        return self.post_and_event(author_id, **changes).subject_id

    def post_and_event(self, author_id: int, **changes: Any) -> Event:
        fields: dict[str, Any] = {
            "post_id": new_id(),
            "caption": "at the sea",
            "location": Location(name="Cabo da Roca", latitude=38.78, longitude=-9.5),
            "key": secrets.token_hex(8),
            "fingerprint": "of the body",
        } | changes
        if "photo_ids" not in fields:
            fields["photo_ids"] = [self.photo(author_id)]
        return self._graph.posts.create(author_id=author_id, **fields).event

    def follow(self, follower_id: int, followee_id: int) -> Event | None:
        return self._graph.follows.create(follower_id=follower_id, followee_id=followee_id)

    def unfollow(self, follower_id: int, followee_id: int) -> Event | None:
        return self._graph.follows.delete(follower_id=follower_id, followee_id=followee_id)

    def block(self, blocker_id: int, blocked_id: int) -> Event | None:
        return self._graph.blocks.create(blocker_id=blocker_id, blocked_id=blocked_id)

    def delete_event(self, event: Event) -> None:
        """Delete an event, whether it is claimed or not."""
        self.cypher("MATCH (event:Event {id: $event_id}) DETACH DELETE event", event_id=event.id)

    def end_lease(self, event_id: int) -> None:
        """Make an event due now, as if its lease or its delay had expired."""
        self.cypher(
            "MATCH (event:Event {id: $event_id}) SET event.due_at = timestamp(), event.rung_at = 0",
            event_id=event_id,
        )

    def cypher(self, text: str, **parameters: Any) -> list[dict[str, Any]]:
        """The rows of a statement that only a test uses."""
        return self._graph.connection.write(statement(text), **parameters)


def statement(text: str) -> Query:
    """A query without a file, for a test."""
    return Query(
        name="test",
        summary="",
        text=text,
        parameters={},
        returns=(),
        index=(),
        sorts="",
        expands="",
    )


def run_together(*calls: Callable[[], T]) -> list[T | Exception]:
    """The result or the exception of each call; all calls start at the same moment."""
    barrier = threading.Barrier(len(calls))

    def run(call: Callable[[], T]) -> T | Exception:
        barrier.wait(30)
        try:
            return call()
        except Exception as error:  # noqa: BLE001 - an outcome that the test checks
            return error

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def errors(outcomes: Iterable[object]) -> list[Exception]:
    """The exceptions among the outcomes."""
    return [outcome for outcome in outcomes if isinstance(outcome, Exception)]
