"""Posts: published, read, deleted, and the ids of a feed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from graph.connection import Connection
from graph.errors import ConstraintViolatedError, NotFoundError
from graph.events import Event, event_of
from graph.idempotency_keys import IdempotencyKeys
from graph.ids import from_ms
from graph.owing import write_owing
from graph.publishing import Publishing
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
        self._publishing = Publishing(connection, keys)

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
        event_id: int,
    ) -> CreatedPost:
        """A new post and its event: key, post, photos and event exist together, or none of them.

        Raises KeyTakenError; KeyInFlightError after 2 s of waiting for another post with this key
        or these photos; PhotoPostedError; PhotosNotPostableError; ClockOffError when the id was
        drawn more than 5 s from the graph's clock; NotFoundError (no such active user).
        """
        event, row = self._publishing.create(
            post_id=post_id,
            author_id=author_id,
            photo_ids=photo_ids,
            caption=caption,
            location_name=location.name if location else None,
            latitude=location.latitude if location else None,
            longitude=location.longitude if location else None,
            key=key,
            fingerprint=fingerprint,
            event_id=event_id,
        )
        return CreatedPost(event=event, post=_post_of(row) if row else None)

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

    def delete(self, post_id: int, *, author_id: int, event_id: int) -> Event | None:
        """Delete a post of this author; None if they have deleted it within the last day.

        Raises NotFoundError where there was none, or it is another's.
        """
        try:
            rows = write_owing(
                self._connection, DELETE, post_id=post_id, author_id=author_id, event_id=event_id
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
