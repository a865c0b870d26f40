"""Creating a post: one statement, and telling why it created nothing."""

from collections.abc import Sequence
from typing import Any

from graph.connection import Connection
from graph.errors import (
    ClockOffError,
    ConstraintViolatedError,
    GraphUnavailableError,
    IdTakenError,
    KeyTakenError,
    NotFoundError,
    PhotoPostedError,
    PhotosNotPostableError,
)
from graph.events import Event
from graph.idempotency_keys import KEY_LIFE_MS, IdempotencyKeys
from graph.ids import CLOCK_TOLERANCE_MS, ms_of, new_id
from graph.keyed import TRIES, write_keyed
from graph.queries import load

Row = dict[str, Any]
"""A post as posts/many gives it."""

CREATE = load("posts/create")
REFUSAL = load("posts/refusal")


class Publishing:
    """Creates posts, each with its idempotency key and its event."""

    def __init__(self, connection: Connection, keys: IdempotencyKeys) -> None:
        self._connection = connection
        self._keys = keys

    def create(self, *, photo_ids: Sequence[int], **fields: Any) -> tuple[Event, Row | None]:
        """The event of the new post, and the post where this very try made it.

        See Posts.create().
        """
        for _ in range(TRIES):
            if made := self._try(photo_ids=list(photo_ids), **fields):
                return made
            fields["event_id"] = new_id()
        raise IdTakenError(fields["post_id"])

    def _try(self, *, photo_ids: list[int], **fields: Any) -> tuple[Event, Row | None] | None:
        """What was made; None if another try with another event id may go through."""
        try:
            rows = write_keyed(
                self._connection,
                CREATE,
                photo_ids=photo_ids,
                drawn_at=ms_of(fields["post_id"]),
                tolerance_ms=CLOCK_TOLERANCE_MS,
                large_audience=self._connection.settings.large_audience,
                key_life_ms=KEY_LIFE_MS,
                **fields,
            )
        except ConstraintViolatedError as error:
            return self._after_violation(error, photo_ids, fields)
        if rows:
            return Event(**rows[0]["event"]), rows[0]
        return self._after_nothing(photo_ids, fields)

    def _after_violation(
        self, error: ConstraintViolatedError, photo_ids: list[int], fields: dict[str, Any]
    ) -> tuple[Event, None] | None:
        if event := self._created_before(fields):
            return event, None
        if error.of == "IdempotencyKey":
            self._keys.free(fields["author_id"], fields["key"])
            return None
        if error.of == "Event":
            return None
        if error.of == "SHOWS":
            return self._after_nothing(photo_ids, fields)
        raise IdTakenError(fields["post_id"]) from error

    def _after_nothing(self, photo_ids: list[int], fields: dict[str, Any]) -> tuple[Event, None]:
        """Raise why nothing was created; or return the event, if an earlier try had done it."""
        if event := self._created_before(fields):
            return event, None
        rows = self._connection.read(REFUSAL, author_id=fields["author_id"], photo_ids=photo_ids)
        raise refusal(rows[0], photo_ids, drawn_at=ms_of(fields["post_id"]))

    def _created_before(self, fields: dict[str, Any]) -> Event | None:
        """The event of a first try that had been committed after all, to be rung for.

        Its kind is taken for the usual one: whoever is rung does what the event itself says.
        Raises KeyTakenError where the key belongs to another post.
        """
        used = self._keys.by_key(fields["author_id"], fields["key"])
        if used is None:
            return None
        if used.result_id != fields["post_id"]:
            raise KeyTakenError(fingerprint=used.fingerprint, result_id=used.result_id)
        return Event(
            id=fields["event_id"],
            kind="post-published",
            subject_id=fields["post_id"],
            author_id=fields["author_id"],
            epoch=0,
            cursor=-2,
            attempts=0,
        )


def refusal(row: dict[str, Any], photo_ids: list[int], *, drawn_at: int) -> Exception:
    """Why a post was not created, from what the graph says just after."""
    offset_ms = drawn_at - row["now_ms"]
    if abs(offset_ms) > CLOCK_TOLERANCE_MS:
        return ClockOffError(offset_ms / 1000)
    if not row["active"]:
        return NotFoundError()
    photos = {photo["id"]: photo for photo in row["photos"]}
    for photo in photos.values():
        if photo["posted"]:
            return PhotoPostedError(photo["id"])
    states = {photo_id: photo["state"] for photo_id, photo in photos.items()}
    if states.keys() != set(photo_ids) or set(states.values()) != {"ready"}:
        return PhotosNotPostableError(states)
    return GraphUnavailableError("the photos changed while they were being posted")
