from collections.abc import Sequence
from typing import Any

from marshmallow import Schema, ValidationError, fields, post_load, validate, validates_schema

from api.schemas.fields import Id, Line, Prose, Time
from api.schemas.photos import RenditionsSchema
from api.schemas.users import PersonSchema
from api.services.posts import Draft
from graph.posts import Location

LONGEST_CAPTION, LONGEST_PLACE, MOST_PHOTOS = 2200, 100, 10


class LocationSchema(Schema):
    """Where a post was made: a name, and its coordinates if the author wants."""

    name = Line(required=True, shortest=1, longest=LONGEST_PLACE)
    latitude = fields.Float(load_default=None, allow_none=True, validate=validate.Range(-90, 90))
    longitude = fields.Float(load_default=None, allow_none=True, validate=validate.Range(-180, 180))

    @validates_schema
    def both_or_neither(self, data: dict[str, Any], **_: Any) -> None:
        """Refuses half a position."""
        if (data.get("latitude") is None) != (data.get("longitude") is None):
            raise ValidationError("Latitude and longitude come together.", "longitude")

    @post_load
    def location(self, data: dict[str, Any], **_: Any) -> Location:
        """The graph's own record."""
        return Location(**data)


def _different(photo_ids: Sequence[int]) -> None:
    if len(set(photo_ids)) != len(photo_ids):
        raise ValidationError("The same photo twice.")


class NewPost(Schema):
    """What to post: photos that are ready, in this order."""

    photo_ids = fields.List(
        Id(), required=True, validate=[validate.Length(1, MOST_PHOTOS), _different]
    )
    caption = Prose(longest=LONGEST_CAPTION, load_default="")
    location = fields.Nested(LocationSchema, load_default=None, allow_none=True)

    @post_load
    def draft(self, data: dict[str, Any], **_: Any) -> Draft:
        """What the service takes."""
        return Draft(**{**data, "photo_ids": tuple(data["photo_ids"])})


class PostedPhotoSchema(Schema):
    """A photo in a post."""

    id = Id(required=True)
    width = fields.Integer(required=True)
    height = fields.Integer(required=True)
    blurhash = fields.String(required=True)
    alt_text = fields.String(required=True, allow_none=True)
    renditions = fields.Nested(RenditionsSchema, required=True)


class PostSchema(Schema):
    """A post, alike for every viewer."""

    id = Id(required=True)
    author = fields.Nested(PersonSchema, required=True)
    caption = fields.String(required=True)
    location = fields.Nested(LocationSchema, required=True, allow_none=True)
    photos = fields.List(fields.Nested(PostedPhotoSchema), required=True)
    created_at = Time(required=True)


class PostPage(Schema):
    """Some of a user's posts, newest first; `next` leads on."""

    posts = fields.List(fields.Nested(PostSchema), required=True)
    next = fields.String()


class FeedSchema(PostPage):
    """Some of the viewer's feed, newest first; `prev` leads to what is newer than this page."""

    prev = fields.String()
