import io
import secrets
from collections.abc import Callable
from http import HTTPStatus

import requests
from PIL import Image

from tests.support.eventually import eventually
from tests.support.images import SECRET, looks_right, photograph
from tests.support.running import Running
from tests.system.journeys.people import Person

WIDTH, HEIGHT = 3000, 4000
"""A picture of 12 megapixels taken upright; a phone stores it lying on its side."""


def test_a_phones_photo_reaches_a_followers_feed_upright_and_tells_nothing(
    person: Callable[[str], Person],
) -> None:
    ana, ben = person("ana"), person("ben")
    ben.follow(ana)
    picture = photograph(WIDTH, HEIGHT)
    with Image.open(io.BytesIO(picture)) as sent:
        assert (sent.size, sent.getexif()[0x0112]) == ((HEIGHT, WIDTH), 6)
        assert sent.getexif().get_ifd(0x8825)
    assert SECRET in picture

    photo_id = ana.upload(picture)
    photo = ana.ready(photo_id)
    assert (photo["width"], photo["height"]) == (WIDTH, HEIGHT)
    post_id = ana.post(photo_id, caption="The first one")

    eventually(lambda: ben.feed_ids()[:1] == [post_id], seconds=30)
    post = ben.get("/v1/me/feed")["posts"][0]
    assert post["author"]["username"] == ana.username
    assert post["caption"] == "The first one"
    assert post["photos"][0]["id"] == str(photo_id)
    for side, url in post["photos"][0]["renditions"].items():
        answer = requests.get(url, timeout=10)
        assert answer.status_code == HTTPStatus.OK
        assert answer.headers["Content-Type"] == "image/jpeg"
        assert "immutable" in answer.headers["Cache-Control"]
        with Image.open(io.BytesIO(answer.content)) as seen:
            assert seen.size == (int(side) * 3 // 4, int(side))
            assert not seen.getexif()
            assert "comment" not in seen.info
            assert "xmp" not in seen.info
        assert SECRET not in answer.content
        assert looks_right(answer.content)


def test_nobody_can_read_the_original(running: Running, person: Callable[[str], Person]) -> None:
    ana = person("ana")
    photo_id = ana.upload(photograph(640, 480))
    renditions = ana.ready(photo_id)["renditions"]
    path = renditions["320"].rpartition("/media/")[2].rpartition("/")[0]
    bucket = f"{running.env['S3_ENDPOINT_URL']}/{running.env['S3_BUCKET']}"
    for name in (f"incoming/{path}", f"originals/{path}", f"original/{path}", "", "?list-type=2"):
        refused = requests.get(f"{bucket}/{name}", timeout=10).status_code
        assert refused in {HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND}, name


def test_a_lost_answer_is_asked_for_again_with_the_same_key(
    person: Callable[[str], Person],
) -> None:
    ana = person("ana")
    photo_id = ana.upload(photograph(640, 480))
    ana.ready(photo_id)
    key = secrets.token_hex(8)
    assert ana.post(photo_id, key=key) == ana.post(photo_id, key=key)
    assert len(ana.feed_ids()) == 1
