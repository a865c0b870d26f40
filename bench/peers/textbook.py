"""The feed of a textbook: LRANGE and MGET, parsed, then dumped by marshmallow; no authentication.

`GET /feed/<user id>` returns the newest posts of copies of the product's timelines and bodies, in
the shape of the product's answer. CACHE_REDIS_URL is their Redis. gunicorn serves it in an
environment of its own.
"""

import json
import os
from typing import Any

import redis
from flask import Flask
from flask_smorest import Api, Blueprint
from marshmallow import Schema, fields

PAGE = 20


class Person(Schema):
    """The author of a post."""

    id = fields.String()
    username = fields.String()
    name = fields.String()


class Location(Schema):
    """The place of a post."""

    name = fields.String()
    latitude = fields.Float()
    longitude = fields.Float()


class Photo(Schema):
    """A photo of a post."""

    id = fields.String()
    width = fields.Integer()
    height = fields.Integer()
    blurhash = fields.String()
    alt_text = fields.String()
    renditions = fields.Dict(keys=fields.String(), values=fields.String())


class Post(Schema):
    """A post."""

    id = fields.String()
    author = fields.Nested(Person)
    caption = fields.String()
    location = fields.Nested(Location)
    photos = fields.List(fields.Nested(Photo))
    created_at = fields.String()


class Page(Schema):
    """A page of posts."""

    posts = fields.List(fields.Nested(Post))
    next = fields.String()


app = Flask(__name__)
app.config |= {"API_TITLE": "Textbook", "API_VERSION": "1", "OPENAPI_VERSION": "3.1.0"}
api = Api(app)
blueprint = Blueprint("feed", "feed")
cache = redis.Redis.from_url(os.environ["CACHE_REDIS_URL"], socket_timeout=5)


@blueprint.get("/feed/<int:user_id>")
@blueprint.response(200, Page)
def feed(user_id: int) -> dict[str, Any]:
    """The newest posts of a timeline."""
    ids = [int(i) for i in cache.lrange(f"textbook:feed:{user_id}", -PAGE, -1)][::-1]
    bodies = cache.mget([f"textbook:{i}" for i in ids])
    posts = [json.loads(body) for body in bodies if body]
    return {"posts": posts, "next": str(ids[-1])}


api.register_blueprint(blueprint)
