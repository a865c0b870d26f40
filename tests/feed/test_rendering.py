"""The body of a post: the JSON that the API documents."""

import json

from feed.rendering import render
from graph.ids import new_id
from graph.posts import Location
from tests.support.stage import Stage


def test_a_body_is_the_json_of_the_post_as_documented(stage: Stage) -> None:
    author = stage.town.user("Ana Ö.")
    photo = stage.town.photo(author)
    post_id = new_id()
    stage.graph.posts.create(
        post_id=post_id,
        author_id=author,
        photo_ids=[photo],
        caption="A day at the sea \N{WATER WAVE}",
        location=Location(name="Nice", latitude=43.7, longitude=7.25),
        key="k",
        fingerprint="f",
    )
    text = render(stage.graph.posts.many([post_id])[post_id], stage.storage)
    body = json.loads(text)
    created_at = body.pop("created_at")
    assert created_at.endswith("Z")
    assert len(created_at) == len("2026-11-22T19:53:44.123Z")
    username = body["author"].pop("username")
    assert username.startswith("u")
    assert body == {
        "id": str(post_id),
        "author": {"id": str(author), "name": "Ana Ö."},
        "caption": "A day at the sea \N{WATER WAVE}",
        "location": {"name": "Nice", "latitude": 43.7, "longitude": 7.25},
        "photos": [
            {
                "id": str(photo),
                "width": 64,
                "height": 64,
                "blurhash": "x",
                "alt_text": None,
                "renditions": stage.storage.photos.rendition_urls(f"test-{photo}"),
            }
        ],
    }
    assert "Ö".encode() in text, "UTF-8, not escapes"
    assert b", " not in text.replace(b"A day at the sea", b""), "compact"
