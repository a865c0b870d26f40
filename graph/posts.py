"""Posts: published, read, deleted, and the ids of a feed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
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
from graph.events import Event, event_of
from graph.idempotency_keys import KEY_LIFE_MS, TRIES, IdempotencyKeys
from graph.ids import CLOCK_TOLERANCE_MS, from_ms, ms_of, new_id
from graph.queries import load
from graph.users import NOBODY, Users

MANY = load("posts/many")
VISIBLE_IDS = load("posts/visible_ids")
IDS_BY_AUTHOR = load("posts/ids_by_author")
FEED_PAGE = load("posts/feed_page")
FEED_PAGE_UP = load("posts/feed_page_up")
DELETE = load("posts/delete")
DELETION = load("posts/deletion")
DELETED_PHOTOS = load("posts/deleted_photos")
FORGET_PHOTOS = load("posts/forget_photos")
CLEAR_DELETED = load("posts/clear_deleted")
OWED_IDS = load("posts/owed_ids")
CREATE = load("posts/create")
REFUSAL = load("posts/refusal")

DELETED_LIFE_MS = 86_400_000
"""For how long a deletion is remembered: a day, as a DELETE may be repeated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """Where a post was taken; coordinates in degrees (WGS 84), both or none."""

    name: str
    latitude: float | None = None
    longitude: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PostedPhoto:
    """A photo as a post shows it."""

    id: int
    path: str
    width: int
    height: int
    blurhash: str
    alt_text: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """A post with its author's names and its photos in their order."""

    id: int
    author_id: int
    author_username: str
    author_name: str
    caption: str | None
    location: Location | None
    photos: tuple[PostedPhoto, ...]
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CreatedPost:
    """A new post and its event; `post` None where an earlier try had committed it after all."""

    event: Event
    post: Post | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedPull:
    """Ids of a feed, newest first; `held` while the viewer is leaving somebody."""

    post_ids: list[int]
    held: bool


def _post_of(row: dict[str, Any]) -> Post:
    fields = row["post"]
    whole = [photo for photo in row["photos"] if None not in (photo["position"], photo["path"])]
    shown = sorted(whole, key=lambda photo: photo["position"])
    return Post(
        id=fields["id"],
        author_id=fields["author_id"],
        author_username=row["author"]["username"],
        author_name=row["author"]["name"],
        caption=fields["caption"],
        location=_location_of(fields),
        photos=tuple(_posted_photo_of(photo) for photo in shown),
        created_at=from_ms(fields["created_at"]),
    )


def _location_of(fields: dict[str, Any]) -> Location | None:
    if fields["location_name"] is None:
        return None
    return Location(
        name=fields["location_name"],
        latitude=fields["latitude"],
        longitude=fields["longitude"],
    )


def _posted_photo_of(photo: dict[str, Any]) -> PostedPhoto:
    return PostedPhoto(**{name: photo[name] for name in PostedPhoto.__slots__})


class Posts:
    """Creates, reads and deletes posts."""

    def __init__(self, connection: Connection, users: Users, keys: IdempotencyKeys) -> None:
        self._connection = connection
        self._users = users
        self._keys = keys

    def create(
        self,
        *,
        post_id: int,
        author_id: int,
        photo_ids: Sequence[int],
        caption: str | None,
        location: Location | None,
        key: str,
        fingerprint: str,
    ) -> CreatedPost:
        """A new post and its event: key, post, photos and event exist together, or none of them.

        Raises KeyTakenError; KeyInFlightError after 2 s of waiting for another post with this key
        or these photos; PhotoPostedError; PhotosNotPostableError; ClockOffError when the id was
        drawn more than 5 s from the graph's clock; NotFoundError (no such active user).
        """
        fields = {
            "post_id": post_id,
            "author_id": author_id,
            "photo_ids": list(photo_ids),
            "caption": caption,
            "location_name": location.name if location else None,
            "latitude": location.latitude if location else None,
            "longitude": location.longitude if location else None,
            "key": key,
            "fingerprint": fingerprint,
        }
        for _ in range(TRIES):
            if created := self._try_to_create({**fields, "event_id": new_id()}):
                return created
        raise IdTakenError(post_id)

    def _try_to_create(self, fields: dict[str, Any]) -> CreatedPost | None:
        """The new post; None if another try with another event id may go through."""
        try:
            rows = self._connection.write_with_key(
                CREATE,
                drawn_at=ms_of(fields["post_id"]),
                tolerance_ms=CLOCK_TOLERANCE_MS,
                large_audience=self._connection.settings.large_audience,
                key_life_ms=KEY_LIFE_MS,
                **fields,
            )
        except ConstraintViolatedError as error:
            return self._after_violation(error, fields)
        if rows:
            return CreatedPost(event=Event(**rows[0]["event"]), post=_post_of(rows[0]))
        return self._after_nothing(fields)

    def _after_violation(
        self, error: ConstraintViolatedError, fields: dict[str, Any]
    ) -> CreatedPost | None:
        if created := self._created_before(fields):
            return created
        if error.of == "IdempotencyKey":
            self._keys.free(fields["author_id"], fields["key"])
            return None
        if error.of == "Event":
            return None
        if error.of == "SHOWS":
            return self._after_nothing(fields)
        raise IdTakenError(fields["post_id"]) from error

    def _after_nothing(self, fields: dict[str, Any]) -> CreatedPost:
        """Raise why nothing was created; or return what an earlier try had created."""
        if created := self._created_before(fields):
            return created
        photo_ids = fields["photo_ids"]
        rows = self._connection.read(REFUSAL, author_id=fields["author_id"], photo_ids=photo_ids)
        raise refusal(rows[0], photo_ids, drawn_at=ms_of(fields["post_id"]))

    def _created_before(self, fields: dict[str, Any]) -> CreatedPost | None:
        """What a first try had committed although its answer was lost.

        Its event's kind is taken for the usual one: the worker reads the event itself. Raises
        KeyTakenError where the key belongs to another post.
        """
        used = self._keys.by_key(fields["author_id"], fields["key"])
        if used is None:
            return None
        if used.result_id != fields["post_id"]:
            raise KeyTakenError(fingerprint=used.fingerprint, result_id=used.result_id)
        event = Event(
            id=fields["event_id"],
            kind="post-published",
            subject_id=fields["post_id"],
            author_id=fields["author_id"],
            epoch=0,
            cursor=-2,
            attempts=0,
        )
        return CreatedPost(event=event, post=None)

    def by_id(self, post_id: int, *, viewer_id: int) -> Post:
        """A post of an author whom the viewer may see. Raises NotFoundError.

        Of an absent post nobody is asked for, so that it takes as long as a hidden one.
        """
        post = self.many([post_id]).get(post_id)
        self._users.require_visible(post.author_id if post else NOBODY, viewer_id=viewer_id)
        if post is None:
            raise NotFoundError
        return post

    def many(self, post_ids: Sequence[int]) -> dict[int, Post]:
        """Posts by id, those that exist, for anybody's eyes: who may see them is not asked."""
        if not post_ids:
            return {}
        rows = self._connection.read(MANY, post_ids=list(post_ids))
        # One that was deleted while this was read has lost its properties.
        rows = [row for row in rows if row["post"]["created_at"] is not None]
        return {row["post"]["id"]: _post_of(row) for row in rows}

    def visible_ids(self, post_ids: Sequence[int], *, viewer_id: int) -> set[int]:
        """Those of these posts that belong in the viewer's feed now."""
        if not post_ids:
            return set()
        rows = self._connection.read(VISIBLE_IDS, post_ids=list(post_ids), viewer_id=viewer_id)
        return set(rows[0]["post_ids"])

    def ids_by_author(self, author_id: int, *, before: int, limit: int) -> list[int]:
        """The ids of one author's posts below `before`, falling."""
        rows = self._connection.read(IDS_BY_AUTHOR, author_id=author_id, before=before, limit=limit)
        return list(rows[0]["post_ids"])

    def delete(self, post_id: int, *, author_id: int) -> Event | None:
        """Delete a post of this author; None if they have deleted it within the last day.

        Raises NotFoundError where there was none, or it is another's.
        """
        event_id = new_id()
        try:
            rows = self._connection.write_with_event(
                DELETE, event_id=event_id, post_id=post_id, author_id=author_id
            )
        except ConstraintViolatedError:
            rows = []  # another request has deleted it while this one waited
        if not rows:
            rows = self._connection.read(
                DELETION, post_id=post_id, author_id=author_id, event_id=event_id
            )
        if not rows:
            raise NotFoundError
        return event_of(rows[0])

    def deleted_photos(self, post_id: int) -> list[tuple[int, str]]:
        """(id, path) of the photos of a deleted post that are not forgotten yet."""
        rows = self._connection.read(DELETED_PHOTOS, post_id=post_id)
        return [(row["photo_id"], row["path"]) for row in rows]

    def forget_photos(self, photo_ids: Sequence[int]) -> None:
        """Delete photos of deleted posts, once their objects are gone."""
        self._connection.write(FORGET_PHOTOS, photo_ids=sorted(photo_ids))

    def feed_page(self, viewer_id: int, *, before: int, limit: int) -> FeedPull:
        """The newest ids below `before` of the viewer and those whom they follow."""
        rows = self._connection.read(FEED_PAGE, viewer_id=viewer_id, before=before, limit=limit)
        return FeedPull(**rows[0]) if rows else FeedPull(post_ids=[], held=False)

    def feed_page_up(self, viewer_id: int, *, after: int, limit: int) -> list[int]:
        """The oldest ids above `after` of the same, ascending."""
        rows = self._connection.read(FEED_PAGE_UP, viewer_id=viewer_id, after=after, limit=limit)
        return list(rows[0]["post_ids"])

    def owed_ids(self, post_ids: Sequence[int]) -> set[int]:
        """Those of the posts that are still on their way into timelines."""
        rows = self._connection.read(OWED_IDS, post_ids=list(post_ids))
        return set(rows[0]["post_ids"])

    def clear_deleted(self, limit: int) -> int:
        """Forget up to `limit` deletions of over a day ago whose photos are gone; how many."""
        rows = self._connection.write(CLEAR_DELETED, limit=limit, life_ms=DELETED_LIFE_MS)
        return int(rows[0]["cleared"])


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
