"""The demo's town, filled through the running API."""

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
from tests.support.supervised_stack import SupervisedStack

PASSWORD = "a password of the demo"


@pytest.fixture
def pictures(tmp_path: Path) -> dict[str, Path]:
    """A file for each subject, in place of the pictures that the demo downloads."""
    file = tmp_path / "picture.jpg"
    file.write_bytes(jpeg(300, 200))
    return {subject.name: file for subject in SUBJECTS}


@pytest.fixture
def demo_town() -> Town:
    """A small town that no other run has."""
    seed = random.SystemRandom().randrange(2**40)
    print("seed", seed)
    return plan(seed, 8, 12)


def fill(town: Town, url: str, pictures: dict[str, Path]) -> int:
    """Runs the demo; the number of posts that it has published."""
    residents = sign_up_all(town, url, PASSWORD, lambda: None)
    follow_all(town, residents, lambda _count: None)
    return publish_all(town, residents, pictures, lambda: None)


@pytest.mark.timeout(300)
def test_the_town_is_filled_once_however_often_the_demo_runs(
    services: SupervisedStack, demo_town: Town, pictures: dict[str, Path]
) -> None:
    stopped_run = replace(demo_town, posts=demo_town.posts[:5])
    assert fill(stopped_run, services.url, pictures) == 5
    assert fill(demo_town, services.url, pictures) == 7
    assert fill(demo_town, services.url, pictures) == 0
    residents = sign_up_all(demo_town, services.url, PASSWORD, lambda: None)
    guide = residents[demo_town.guide().username]
    authors = {*guide.person.follows, guide.person.username}
    expected = sorted(post.caption for post in demo_town.posts if post.author in authors)

    def captions() -> list[str]:
        posts = guide.client.call("GET", "/v1/me/feed?limit=100")["posts"]
        return sorted(post["caption"] for post in posts)

    eventually(lambda: captions() == expected, every=0.5)
    for resident in residents.values():
        assert resident.profile()["following_count"] == len(resident.person.follows)


def test_a_username_that_somebody_else_has_is_an_error_with_the_name(
    services: SupervisedStack, demo_town: Town
) -> None:
    sign_up_all(demo_town, services.url, PASSWORD, lambda: None)
    with pytest.raises(UsernameTakenError, match=r"\w+\.\w+"):
        sign_up_all(demo_town, services.url, "another password", lambda: None)


def test_an_api_that_does_not_run_is_an_error() -> None:
    with pytest.raises(ApiDownError, match="Nothing answers"):
        Client("http://127.0.0.1:1").call("GET", "/livez")
