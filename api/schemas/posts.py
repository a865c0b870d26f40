"""Bodies about posts and the feed."""

from collections.abc import Sequence
from typing import Any

from marshmallow import Schema, ValidationError, fields, post_load, validate, validates_schema

from api.schemas import examples
from api.schemas.fields import Id, Name, Number, Prose, Time
from api.schemas.photos import RenditionsSchema
from api.schemas.users import UserSummarySchema
from api.services.posts import Draft
from graph.posts import Location

LONGEST_CAPTION, LONGEST_PLACE = 2200, 100
"""Characters."""

MOST_PHOTOS = 10
"""In one post."""

_CAPTION = {"examples": [examples.CAPTION]}


class LocationSchema(Schema):
    """The place of a post: a name, and coordinates if the author gives them."""

    name = Name(required=True, longest=LONGEST_PLACE, metadata={"examples": ["Lisbon"]})
    latitude = Number(
        load_default=None,
        allow_none=True,
        validate=validate.Range(-90, 90),
        metadata={"description": "Degrees; only with `longitude`.", "examples": [38.72]},
    )
    longitude = Number(
        load_default=None,
        allow_none=True,
        validate=validate.Range(-180, 180),
        metadata={"description": "Degrees; only with `latitude`.", "examples": [-9.14]},
    )

    together = (("latitude", "longitude"),)

    @validates_schema
    def require_both_coordinates(self, data: dict[str, Any], **_: Any) -> None:
        """Raises ValidationError for one coordinate without the other."""
        if (data.get("latitude") is None) != (data.get("longitude") is None):
            raise ValidationError("Give latitude and longitude together.", "longitude")

    @post_load
    def location(self, data: dict[str, Any], **_: Any) -> Location:
        """The graph's record of it."""
        return Location(**data)


def _require_different(photo_ids: Sequence[int]) -> None:
    """Raises ValidationError."""
    if len(set(photo_ids)) != len(photo_ids):
        raise ValidationError("The same photo twice.")


class NewPost(Schema):
    """A post to publish: photos that are `ready`, shown in this order."""

    photo_ids = fields.List(
        Id(example=examples.PHOTO_ID),
        required=True,
        validate=[validate.Length(1, MOST_PHOTOS), _require_different],
        metadata={"uniqueItems": True},
    )
    caption = Prose(longest=LONGEST_CAPTION, load_default="", metadata=_CAPTION)
    location = fields.Nested(LocationSchema, load_default=None, allow_none=True)

    @post_load
    def draft(self, data: dict[str, Any], **_: Any) -> Draft:
        """The draft that the service publishes."""
        return Draft(**{**data, "photo_ids": tuple(data["photo_ids"])})


class PostPhotoSchema(Schema):
    """A photo in a post."""

    id = Id(required=True, example=examples.PHOTO_ID)
    width = fields.Integer(
        required=True, metadata={"description": "Pixels, upright.", "examples": [3000]}
    )
    height = fields.Integer(
        required=True, metadata={"description": "Pixels, upright.", "examples": [4000]}
    )
    blurhash = fields.String(
        required=True,
        metadata={
            "description": "A placeholder for the photo (https://blurha.sh).",
            "examples": [examples.BLURHASH],
        },
    )
    alt_text = fields.String(
        required=True, allow_none=True, metadata={"examples": [examples.ALT_TEXT]}
    )
    renditions = fields.Nested(RenditionsSchema, required=True)


class PostSchema(Schema):
    """A post. Every viewer gets the same body."""

    id = Id(required=True, example=examples.POST_ID)
    author = fields.Nested(UserSummarySchema, required=True)
    caption = fields.String(required=True, metadata=_CAPTION)
    location = fields.Nested(LocationSchema, required=True, allow_none=True)
    photos = fields.List(fields.Nested(PostPhotoSchema), required=True)
    created_at = Time(required=True, example=examples.POSTED_AT)


class PostPage(Schema):
    """One page of a user's posts, newest first."""

    posts = fields.List(fields.Nested(PostSchema), required=True)
    next = fields.String(
        metadata={
            "description": "The `cursor` of the next, older page. Absent at the end.",
            "examples": [examples.CURSOR],
        }
    )


class FeedPageSchema(PostPage):
    """One page of the feed, newest first."""

    prev = fields.String(
        metadata={
            "description": "The `cursor` of the page above this one, with newer posts. Absent in "
            "an empty feed.",
            "examples": ["AQABViDLuO-SRK3HTAHE44tlgucvX9d8Jg"],
        }
    )
