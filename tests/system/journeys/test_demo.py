import random
from dataclasses import replace
from pathlib import Path

import pytest

from demo.client import ApiDownError, Client
from demo.fill import UsernameTakenError, follow_all, publish_all, sign_up_all
from demo.pictures import SUBJECTS
from demo.plan import Town, plan
from tests.support.eventually import eventually
from tests.support.images import jpeg
from tests.support.running import Running
from tests.system.journeys.people import B_SECONDS

PASSWORD = "a password of the demo"


@pytest.fixture
def pictures(tmp_path: Path) -> dict[str, Path]:
    """A file for each subject: what the demo would fetch."""
    file = tmp_path / "picture.jpg"
    file.write_bytes(jpeg(300, 200))
    return {subject.name: file for subject in SUBJECTS}


@pytest.fixture
def town() -> Town:
    """A small one that no other run has."""
    seed = random.SystemRandom().randrange(2**40)
    print("seed", seed)
    return plan(seed, 8, 12)


def fill(town: Town, running: Running, pictures: dict[str, Path]) -> int:
    residents = sign_up_all(town, running.url, PASSWORD, lambda: None)
    follow_all(town, residents, lambda _count: None)
    return publish_all(town, residents, pictures, lambda: None)


@pytest.mark.timeout(300)
def test_the_town_is_filled_once_however_often_it_is_run(
    running: Running, town: Town, pictures: dict[str, Path]
) -> None:
    half = replace(town, posts=town.posts[:5])  # a run that was stopped
    assert fill(half, running, pictures) == 5
    assert fill(town, running, pictures) == 7
    assert fill(town, running, pictures) == 0
    residents = sign_up_all(town, running.url, PASSWORD, lambda: None)
    guide = residents[town.guide().username]
    wanted = {*guide.person.follows, guide.person.username}
    captions = [post.caption for post in town.posts if post.author in wanted]

    def seen() -> list[str]:
        posts = guide.client.call("GET", "/v1/me/feed?limit=100")["posts"]
        return sorted(post["caption"] for post in posts)

    eventually(lambda: seen() == sorted(captions), seconds=B_SECONDS, every=0.5)
    for one in residents.values():
        assert one.profile()["following_count"] == len(one.person.follows)


def test_a_name_that_is_taken_is_said(running: Running, town: Town) -> None:
    sign_up_all(town, running.url, PASSWORD, lambda: None)
    with pytest.raises(UsernameTakenError, match=r"\w+\.\w+"):
        sign_up_all(town, running.url, "another password", lambda: None)


def test_an_api_that_does_not_run_is_said() -> None:
    with pytest.raises(ApiDownError, match="Nothing answers"):
        Client("http://127.0.0.1:1").call("GET", "/livez")
