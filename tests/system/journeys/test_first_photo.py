"""A photo's way from a phone to a follower's feed."""

import io
import secrets
from collections.abc import Callable
from http import HTTPStatus

import requests
from PIL import Image

from tests.support.eventually import eventually
from tests.support.images import SECRET, looks_right, photograph
from tests.support.people import Person
from tests.support.supervised_stack import SupervisedStack

WIDTH, HEIGHT = 3000, 4000
"""An upright picture of 12 megapixels. A phone stores it turned by 90 degrees."""


def test_a_photo_is_upright_and_without_metadata_in_a_followers_feed(
    person: Callable[[str], Person],
) -> None:
    ana, ben = person("ana"), person("ben")
    ben.follow(ana)
    picture = photograph(WIDTH, HEIGHT)
    with Image.open(io.BytesIO(picture)) as original:
        assert (original.size, original.getexif()[0x0112]) == ((HEIGHT, WIDTH), 6)
        assert original.getexif().get_ifd(0x8825)
    assert SECRET in picture

    photo_id = ana.upload(picture)
    photo = ana.wait_until_ready(photo_id)
    assert (photo["width"], photo["height"]) == (WIDTH, HEIGHT)
    post_id = ana.publish(photo_id, caption="The first one")

    eventually(lambda: ben.feed()[:1] == [post_id])
    post = ben.read("/v1/me/feed")["posts"][0]
    assert post["author"]["username"] == ana.username
    assert post["caption"] == "The first one"
    assert post["photos"][0]["id"] == str(photo_id)
    for side, url in post["photos"][0]["renditions"].items():
        response = requests.get(url, timeout=10)
        assert response.status_code == HTTPStatus.OK
        assert response.headers["Content-Type"] == "image/jpeg"
        assert "immutable" in response.headers["Cache-Control"]
        with Image.open(io.BytesIO(response.content)) as rendition:
            assert rendition.size == (int(side) * 3 // 4, int(side))
            assert not rendition.getexif()
            assert "comment" not in rendition.info
            assert "xmp" not in rendition.info
        assert SECRET not in response.content
        assert looks_right(response.content)


def test_nobody_can_read_an_original(
    services: SupervisedStack, person: Callable[[str], Person]
) -> None:
    ana = person("ana")
    photo_id = ana.upload(photograph(640, 480))
    renditions = ana.wait_until_ready(photo_id)["renditions"]
    path = renditions["320"].rpartition("/media/")[2].rpartition("/")[0]
    bucket = f"{services.env['S3_ENDPOINT_URL']}/{services.env['S3_BUCKET']}"
    for name in (f"incoming/{path}", f"originals/{path}", f"original/{path}", "", "?list-type=2"):
        status = requests.get(f"{bucket}/{name}", timeout=10).status_code
        assert status in {HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND}, name


def test_a_repeated_request_with_the_same_key_publishes_one_post(
    person: Callable[[str], Person],
) -> None:
    ana = person("ana")
    photo_id = ana.upload(photograph(640, 480))
    ana.wait_until_ready(photo_id)
    key = secrets.token_hex(8)
    assert ana.publish(photo_id, key=key) == ana.publish(photo_id, key=key)
    assert len(ana.feed()) == 1
