"""Posts: creates, reads and deletes them, and reads the post ids of a feed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from graph.connection import Connection, current_request_id
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
from graph.events import SHARDS, Event, event_of
from graph.idempotency_keys import CREATE_ATTEMPTS, KEY_LIFE_MS, IdempotencyKeys
from graph.ids import CLOCK_TOLERANCE_MS, from_ms, ms_of, new_id
from graph.queries import load
from graph.users import ABSENT_USER_ID, Users

MANY = load("posts/many")
VISIBLE_IDS = load("posts/visible_ids")
EXISTING_IDS = load("posts/existing_ids")
IDS_BY_AUTHOR = load("posts/ids_by_author")
FEED_PAGE = load("posts/feed_page")
FEED_PAGE_UP = load("posts/feed_page_up")
DELETE = load("posts/delete")
DELETION = load("posts/deletion")
DELETED_PHOTOS = load("posts/deleted_photos")
DELETE_PHOTOS = load("posts/delete_photos")
CLEAR_DELETED = load("posts/clear_deleted")
UNDELIVERED_IDS = load("posts/undelivered_ids")
CREATE = load("posts/create")
REFUSAL = load("posts/refusal")

DELETED_LIFE_MS = 86_400_000
"""Time for which a DeletedPost is stored, in milliseconds: a repeated DELETE succeeds for a day."""
AUTHORS_OF_A_PAGE = 16
"""Authors that a page usually has at least. The first read takes this part of the page of each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """The place of a post; coordinates are in degrees (WGS 84), both or none."""

    name: str
    latitude: float | None = None
    longitude: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PostedPhoto:
    """A photo of a post."""

    id: int
    path: str
    width: int
    height: int
    blurhash: str
    alt_text: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """A post with its author's names and its photos in order."""

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
    """A new post and its event; `post` is None if an earlier attempt committed the post."""

    event: Event
    post: Post | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedIds:
    """Post ids of a feed, newest first.

    `unfollow_pending` is True while a LEFT of the viewer exists, for 30 s after an unfollow.
    """

    post_ids: list[int]
    unfollow_pending: bool


def _post_of(row: dict[str, Any]) -> Post:
    fields = row["post"]
    complete = [photo for photo in row["photos"] if None not in (photo["position"], photo["path"])]
    in_order = sorted(complete, key=lambda photo: photo["position"])
    return Post(
        id=fields["id"],
        author_id=fields["author_id"],
        author_username=row["author"]["username"],
        author_name=row["author"]["name"],
        caption=fields["caption"],
        location=_location_of(fields),
        photos=tuple(_posted_photo_of(photo) for photo in in_order),
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
        """A new post and its event, committed in one statement with the key.

        Raises KeyTakenError; KeyInFlightError after waiting 2 s for another post with this key or
        these photos; PhotoPostedError; PhotosNotPostableError; ClockOffError if the time of the id
        differs by more than 5 s from the graph's clock; NotFoundError if the author is not an
        active user; IdTakenError.
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
        for _ in range(CREATE_ATTEMPTS):
            if created := self._try_to_create({**fields, "event_id": new_id()}):
                return created
        raise IdTakenError(post_id)

    def _try_to_create(self, fields: dict[str, Any]) -> CreatedPost | None:
        """The new post; None if another attempt, with another event id, may succeed."""
        try:
            rows = self._connection.write_with_key(
                CREATE,
                drawn_at=ms_of(fields["post_id"]),
                tolerance_ms=CLOCK_TOLERANCE_MS,
                large_audience=self._connection.settings.large_audience,
                key_life_ms=KEY_LIFE_MS,
                request_id=current_request_id(),
                **fields,
            )
        except ConstraintViolatedError as error:
            return self._resolve_violation(error, fields)
        if rows:
            return CreatedPost(event=Event(**rows[0]["event"]), post=_post_of(rows[0]))
        return self._find_committed_or_raise(fields)

    def _resolve_violation(
        self, error: ConstraintViolatedError, fields: dict[str, Any]
    ) -> CreatedPost | None:
        """What an earlier attempt committed; None if another attempt may succeed."""
        if created := self._find_committed(fields):
            return created
        if error.entity == "IdempotencyKey":
            self._keys.free(fields["author_id"], fields["key"])
            return None
        if error.entity == "Event":
            return None
        if error.entity == "SHOWS":
            return self._find_committed_or_raise(fields)
        raise IdTakenError(fields["post_id"]) from error

    def _find_committed_or_raise(self, fields: dict[str, Any]) -> CreatedPost:
        """What an earlier attempt committed. Raises the reason if there is no such attempt."""
        if created := self._find_committed(fields):
            return created
        photo_ids = fields["photo_ids"]
        rows = self._connection.read(REFUSAL, author_id=fields["author_id"], photo_ids=photo_ids)
        raise creation_error(rows[0], photo_ids, drawn_at=ms_of(fields["post_id"]))

    def _find_committed(self, fields: dict[str, Any]) -> CreatedPost | None:
        """What an earlier attempt committed although its answer was lost.

        The kind of its event is assumed to be the usual one; if it is not, the sweeper rings for
        it. Raises KeyTakenError if the key belongs to another post.
        """
        used = self._keys.by_key(fields["author_id"], fields["key"])
        if used is None:
            return None
        if used.result_id != fields["post_id"]:
            raise KeyTakenError(fingerprint=used.fingerprint, result_id=used.result_id)
        event = Event(
            id=fields["event_id"],
            kind="post-published",
            shard=fields["event_id"] % SHARDS,
            subject_id=fields["post_id"],
            author_id=fields["author_id"],
            epoch=0,
            cursor=-2,
            attempts=0,
            request_id=current_request_id(),
        )
        return CreatedPost(event=event, post=None)

    def by_id(self, post_id: int, *, viewer_id: int) -> Post:
        """A post whose author the viewer may see. Raises NotFoundError.

        An absent post costs the same look-ups as a hidden one, so the time shows no difference.
        """
        post = self.many([post_id]).get(post_id)
        self._users.require_visible(post.author_id if post else ABSENT_USER_ID, viewer_id=viewer_id)
        if post is None:
            raise NotFoundError
        return post

    def many(self, post_ids: Sequence[int]) -> dict[int, Post]:
        """The posts that exist and are not hidden from everybody, by id.

        This does not check who may see them.
        """
        if not post_ids:
            return {}
        rows = self._connection.read(MANY, post_ids=list(post_ids))
        # A post that was deleted during this read has no properties.
        rows = [row for row in rows if row["post"]["created_at"] is not None]
        return {row["post"]["id"]: _post_of(row) for row in rows}

    def existing_ids(self, post_ids: Sequence[int]) -> set[int]:
        """The ids of those posts that exist, also of users who are hidden from everybody."""
        if not post_ids:
            return set()
        rows = self._connection.read(EXISTING_IDS, post_ids=list(post_ids))
        return set(rows[0]["post_ids"])

    def visible_ids(self, post_ids: Sequence[int], *, viewer_id: int) -> set[int]:
        """The ids of those posts that belong in the viewer's feed now."""
        if not post_ids:
            return set()
        rows = self._connection.read(VISIBLE_IDS, post_ids=list(post_ids), viewer_id=viewer_id)
        return set(rows[0]["post_ids"])

    def ids_by_author(self, author_id: int, *, before: int, limit: int) -> list[int]:
        """The ids of an author's posts below `before`, descending."""
        rows = self._connection.read(IDS_BY_AUTHOR, author_id=author_id, before=before, limit=limit)
        return list(rows[0]["post_ids"])

    def delete(self, post_id: int, *, author_id: int) -> Event | None:
        """Delete a post; returns its event, or None if the author deleted it within the last day.

        Raises NotFoundError, also for a post of another author.
        """
        event_id = new_id()
        try:
            rows = self._connection.write_with_event(
                DELETE, event_id=event_id, post_id=post_id, author_id=author_id
            )
        except ConstraintViolatedError:
            rows = []  # another request deleted the post while this one waited
        if not rows:
            rows = self._connection.read(
                DELETION, post_id=post_id, author_id=author_id, event_id=event_id
            )
        if not rows:
            raise NotFoundError
        return event_of(rows[0])

    def deleted_photos(self, post_id: int) -> list[tuple[int, str]]:
        """(id, path) of each photo of a deleted post that delete_photos() has not deleted."""
        rows = self._connection.read(DELETED_PHOTOS, post_id=post_id)
        return [(row["photo_id"], row["path"]) for row in rows]

    def delete_photos(self, photo_ids: Sequence[int]) -> None:
        """Delete photos of deleted posts. The caller has deleted their objects in S3."""
        self._connection.write(DELETE_PHOTOS, photo_ids=sorted(photo_ids))

    def feed_page(self, viewer_id: int, *, before: int, limit: int) -> FeedIds:
        """The newest post ids below `before` in the viewer's feed."""
        rows = self._connection.read(
            FEED_PAGE, viewer_id=viewer_id, before=before, limit=limit, few=few_of(limit)
        )
        return FeedIds(**rows[0]) if rows else FeedIds(post_ids=[], unfollow_pending=False)

    def feed_page_up(self, viewer_id: int, *, after: int, limit: int) -> list[int]:
        """The oldest post ids above `after` in the viewer's feed, ascending."""
        rows = self._connection.read(
            FEED_PAGE_UP, viewer_id=viewer_id, after=after, limit=limit, few=few_of(limit)
        )
        return list(rows[0]["post_ids"])

    def undelivered_ids(self, post_ids: Sequence[int]) -> set[int]:
        """The ids of those posts whose fan-out is not finished."""
        rows = self._connection.read(UNDELIVERED_IDS, post_ids=list(post_ids))
        return set(rows[0]["post_ids"])

    def clear_deleted(self, limit: int) -> int:
        """Delete up to `limit` DeletedPosts of over a day ago without photos; returns how many."""
        rows = self._connection.write(CLEAR_DELETED, limit=limit, life_ms=DELETED_LIFE_MS)
        return int(rows[0]["cleared"])


def few_of(limit: int) -> int:
    """How many posts of every author the first read of a feed page takes. Pure.

    It changes the time of the page, never its ids (docs/decisions/0016).
    """
    return min(limit, max(2, -(-limit // AUTHORS_OF_A_PAGE)))


def creation_error(row: dict[str, Any], photo_ids: list[int], *, drawn_at: int) -> Exception:
    """The reason why a post was not created, from the graph's state just after the attempt."""
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
