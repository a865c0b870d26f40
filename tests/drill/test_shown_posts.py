"""The check finds posts that a page must not show, and accepts all others."""

import pytest

from tests.drill.script import ANA, BEN, EVE, Script, kinds


@pytest.fixture
def script(script: Script) -> Script:
    """Ana and Ben have seen both posts."""
    script.read(ANA, (20, ANA), (10, ANA))
    script.read(BEN, (20, ANA), (10, ANA))
    return script


def test_ids_that_do_not_fall_are_found(script: Script) -> None:
    script.walk(BEN, [(20, ANA)], [(20, ANA), (10, ANA)])
    assert kinds(script) == ["order"]


def test_a_deleted_post_that_is_shown_is_found(script: Script) -> None:
    script.delete(ANA, 10)
    script.read(BEN, (20, ANA), (10, ANA))
    assert kinds(script) == ["deleted-shown"]


def test_a_post_whose_deletion_has_an_unknown_end_may_be_shown_or_not(script: Script) -> None:
    script.delete(ANA, 10, phase="info")
    script.read(BEN, (20, ANA), (10, ANA))
    script.read(BEN, (20, ANA))
    assert kinds(script) == []


def test_a_post_shown_after_an_unfollow_is_found(script: Script) -> None:
    script.unfollow(BEN, ANA)
    script.read(BEN, (20, ANA), (10, ANA))
    assert kinds(script) == ["left-shown", "left-shown"]


def test_a_post_shown_to_a_blocked_follower_is_found(script: Script) -> None:
    script.do("block", blocker=ANA, blocked=BEN)
    script.read(BEN, (10, ANA), more=True)
    assert kinds(script) == ["left-shown"]


def test_a_post_of_an_author_who_was_never_followed_is_found(script: Script) -> None:
    script.read(EVE, (10, ANA))
    assert kinds(script) == ["stranger-shown"]


def test_a_follow_with_an_unknown_end_may_take_effect_after_an_unfollow(script: Script) -> None:
    script.follow(EVE, ANA, phase="info")
    script.unfollow(EVE, ANA)
    script.read(EVE, (20, ANA), (10, ANA))
    assert kinds(script) == []


def test_a_follow_with_an_unknown_end_takes_no_effect_after_two_minutes(script: Script) -> None:
    script.follow(EVE, ANA, phase="info")
    script.wait(150)
    script.unfollow(EVE, ANA)
    script.read(EVE, (20, ANA), more=True)
    assert kinds(script) == ["left-shown"]


def test_a_post_whose_every_attempt_failed_is_found_when_it_is_shown(script: Script) -> None:
    script.post(ANA, 30, phase="fail", status=0)
    script.read(ANA, (30, ANA), (20, ANA), (10, ANA))
    assert kinds(script) == ["failed-shown"]


def test_a_post_that_nobody_posted_is_found(script: Script) -> None:
    script.read(ANA, (99, ANA), (20, ANA), (10, ANA))
    assert kinds(script) == ["never-posted"]


def test_a_post_with_the_wrong_author_is_found(script: Script) -> None:
    script.read(BEN, (20, EVE), (10, ANA))
    assert "never-posted" in kinds(script)


def test_two_posts_of_one_key_are_found(script: Script) -> None:
    script.post(ANA, 30, phase="info")
    script.post(ANA, 30)
    script.post(ANA, 31, tag="p30", key="k30", replayed=True)
    assert kinds(script) == ["key-two-posts"]


def test_a_key_that_is_acknowledged_twice_as_new_is_found(script: Script) -> None:
    script.post(ANA, 20)
    assert kinds(script) == ["key-two-posts"]
