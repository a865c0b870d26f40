"""The checker finds each kind of violation where it is planted, and no other."""

import pytest

from drill.checking.rules import check
from tests.drill.planted import ANA, BEN, EVE, Script


def kinds(script: Script) -> list[str]:
    return [one.kind for one in check(script.lines).violations]


@pytest.fixture
def script() -> Script:
    """Ben follows Ana, who has posted 10 and 20; both have seen them."""
    script = Script()
    script.post(ANA, 10)
    script.follow(BEN, ANA)
    script.post(ANA, 20)
    script.read(ANA, (20, ANA), (10, ANA))
    script.read(BEN, (20, ANA), (10, ANA))
    return script


def test_a_sound_history_has_no_violation(script: Script) -> None:
    script.walk(BEN, [(20, ANA)], [(10, ANA)])
    script.delete(ANA, 10)
    script.read(BEN, (20, ANA))
    script.unfollow(BEN, ANA)
    script.read(BEN)
    assert kinds(script) == []


def test_a_post_that_its_author_is_not_shown_at_once_is_found(script: Script) -> None:
    script.post(ANA, 30)
    script.read(ANA, (20, ANA), (10, ANA))
    assert kinds(script) == ["own-post-missing"]


def test_a_post_missed_by_its_author_while_the_cache_was_away_is_counted(script: Script) -> None:
    script.fault("stop-cache", script.at, script.at + 2)
    script.post(ANA, 30)
    script.read(ANA, (20, ANA), (10, ANA))
    found = check(script.lines)
    assert not found.violations
    assert found.exceptions == {"P3 own-post-missing": 1}


def test_that_exception_ends_with_the_bound(script: Script) -> None:
    script.fault("stop-cache", script.at, script.at + 2)
    script.post(ANA, 30)
    script.wait(95)
    script.read(ANA, (20, ANA), (10, ANA))
    assert kinds(script) == ["own-post-missing"]


def test_a_follow_that_does_not_show_older_posts_is_found(script: Script) -> None:
    script.follow(EVE, ANA)
    script.read(EVE, (20, ANA))
    assert kinds(script) == ["followees-post-missing"]


def test_a_post_not_delivered_within_the_bound_is_found(script: Script) -> None:
    script.post(ANA, 30)
    script.wait(80)
    script.read(BEN, (20, ANA), (10, ANA))
    script.wait(15)
    script.read(BEN, (20, ANA), (10, ANA))
    assert kinds(script) == ["not-delivered"]


def test_the_bound_is_longer_by_the_time_in_which_a_store_was_down(script: Script) -> None:
    script.post(ANA, 30)
    script.fault("kill-neo4j", script.at + 5, script.at + 25)
    script.wait(100)
    script.read(BEN, (20, ANA), (10, ANA))
    assert kinds(script) == []


def test_a_post_that_vanishes_is_found(script: Script) -> None:
    script.wait(100)
    script.read(BEN, (20, ANA))
    assert "followees-post-missing" in kinds(script)


def test_a_later_post_that_vanishes_is_found(script: Script) -> None:
    script.wait(100)
    script.read(BEN, (10, ANA))
    assert kinds(script) == ["not-delivered"]


def test_a_post_of_unknown_end_that_was_seen_and_vanishes_is_found(script: Script) -> None:
    script.post(ANA, 30, phase="info")
    script.read(BEN, (30, ANA), (20, ANA), (10, ANA))
    script.wait(100)
    script.read(BEN, (20, ANA), (10, ANA))
    assert kinds(script) == ["vanished"]


def test_a_post_that_the_graph_showed_ahead_of_the_list_is_counted(script: Script) -> None:
    script.post(ANA, 30)
    script.read(BEN, (30, ANA), (20, ANA), (10, ANA))
    script.read(BEN, (20, ANA), (10, ANA))
    found = check(script.lines)
    assert not found.violations
    assert found.exceptions == {"P5 vanished": 1}


def test_a_page_is_asked_only_for_what_is_above_its_last_post(script: Script) -> None:
    script.read(BEN, (20, ANA), more=True)
    assert kinds(script) == []


def test_a_missing_next_before_the_end_is_found(script: Script) -> None:
    script.read(ANA, (20, ANA))
    assert kinds(script) == ["own-post-missing"]


def test_a_walk_that_skips_a_post_is_found(script: Script) -> None:
    script.post(ANA, 30)
    script.walk(ANA, [(30, ANA)], [(10, ANA)])
    assert kinds(script) == ["own-post-missing"]


def test_a_post_that_comes_while_a_walk_is_under_way_may_be_missing(script: Script) -> None:
    walk = script.walk(ANA, [(20, ANA)], [(10, ANA)])
    first = next(line for line in script.lines if line.facts.get("walk") == walk)
    script.at = first.at - 0.8
    script.post(ANA, 30)  # begun before the walk's first page, acknowledged within it
    assert kinds(script) == []


def test_ids_that_do_not_fall_are_found(script: Script) -> None:
    script.walk(BEN, [(20, ANA)], [(20, ANA), (10, ANA)])
    assert kinds(script) == ["order"]


def test_a_deleted_post_that_is_shown_is_found(script: Script) -> None:
    script.delete(ANA, 10)
    script.read(BEN, (20, ANA), (10, ANA))
    assert kinds(script) == ["deleted-shown"]


def test_a_post_whose_deletion_is_not_known_may_be_shown_or_not(script: Script) -> None:
    script.delete(ANA, 10, phase="info")
    script.read(BEN, (20, ANA), (10, ANA))
    script.read(BEN, (20, ANA))
    assert kinds(script) == []


def test_a_followee_shown_after_leaving_is_found(script: Script) -> None:
    script.unfollow(BEN, ANA)
    script.read(BEN, (20, ANA), (10, ANA))
    assert kinds(script) == ["left-shown", "left-shown"]


def test_a_blocked_follower_who_is_still_shown_posts_is_found(script: Script) -> None:
    script.do("block", blocker=ANA, blocked=BEN)
    script.read(BEN, (10, ANA), more=True)
    assert kinds(script) == ["left-shown"]


def test_a_stranger_is_found(script: Script) -> None:
    script.read(EVE, (10, ANA))
    assert kinds(script) == ["stranger-shown"]


def test_an_unknown_follow_may_come_true_even_after_an_unfollow(script: Script) -> None:
    script.follow(EVE, ANA, phase="info")
    script.unfollow(EVE, ANA)
    script.read(EVE, (20, ANA), (10, ANA))
    assert kinds(script) == []


def test_an_unknown_follow_does_not_come_true_for_ever(script: Script) -> None:
    script.follow(EVE, ANA, phase="info")
    script.wait(150)
    script.unfollow(EVE, ANA)
    script.read(EVE, (20, ANA), more=True)
    assert kinds(script) == ["left-shown"]


def test_an_unknown_unfollow_takes_back_every_requirement(script: Script) -> None:
    script.unfollow(BEN, ANA, phase="info")
    script.wait(200)
    script.read(BEN)
    script.read(BEN, (20, ANA), (10, ANA))
    assert kinds(script) == []


def test_a_post_that_failed_and_is_shown_is_found(script: Script) -> None:
    script.post(ANA, 30, phase="fail", status=0)
    script.read(ANA, (30, ANA), (20, ANA), (10, ANA))
    assert kinds(script) == ["failed-shown"]


def test_a_post_that_nobody_made_is_found(script: Script) -> None:
    script.read(ANA, (99, ANA), (20, ANA), (10, ANA))
    assert kinds(script) == ["never-posted"]


def test_a_post_under_anothers_name_is_found(script: Script) -> None:
    script.read(BEN, (20, EVE), (10, ANA))
    assert "never-posted" in kinds(script)


def test_two_posts_of_one_key_are_found(script: Script) -> None:
    script.post(ANA, 30, phase="info")
    script.post(ANA, 30)
    script.post(ANA, 31, tag="p30", key="k30", replayed=True)
    assert kinds(script) == ["key-two-posts"]


def test_a_key_that_is_new_twice_is_found(script: Script) -> None:
    script.post(ANA, 20)
    assert kinds(script) == ["key-two-posts"]
