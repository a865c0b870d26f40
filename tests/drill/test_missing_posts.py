"""The check finds posts that are missing from a read, and accepts the two exceptions."""

import pytest

from drill.checking.check import check
from tests.drill.script import ANA, BEN, EVE, Script, kinds


@pytest.fixture
def script(script: Script) -> Script:
    """Ana and Ben have seen both posts."""
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


def test_a_post_that_its_author_does_not_see_at_once_is_found(script: Script) -> None:
    script.post(ANA, 30)
    script.read(ANA, (20, ANA), (10, ANA))
    assert kinds(script) == ["own-post-missing"]


def test_a_post_missed_by_its_author_during_a_fault_of_the_cache_is_an_exception(
    script: Script,
) -> None:
    script.fault("stop-cache", script.now, script.now + 2)
    script.post(ANA, 30)
    script.read(ANA, (20, ANA), (10, ANA))
    findings = check(script.lines)
    assert not findings.violations
    assert findings.exceptions == {"P3 own-post-missing": 1}


def test_the_exception_for_the_author_ends_after_b(script: Script) -> None:
    script.fault("stop-cache", script.now, script.now + 2)
    script.post(ANA, 30)
    script.wait(95)
    script.read(ANA, (20, ANA), (10, ANA))
    assert kinds(script) == ["own-post-missing"]


def test_a_follow_that_does_not_show_older_posts_is_found(script: Script) -> None:
    script.follow(EVE, ANA)
    script.read(EVE, (20, ANA))
    assert kinds(script) == ["followees-post-missing"]


def test_a_post_not_delivered_within_b_is_found(script: Script) -> None:
    script.post(ANA, 30)
    script.wait(80)
    script.read(BEN, (20, ANA), (10, ANA))
    script.wait(15)
    script.read(BEN, (20, ANA), (10, ANA))
    assert kinds(script) == ["not-delivered"]


def test_b_is_extended_by_the_time_in_which_a_store_was_down(script: Script) -> None:
    script.post(ANA, 30)
    script.fault("kill-neo4j", script.now + 5, script.now + 25)
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


def test_a_post_with_an_unknown_end_that_was_shown_and_vanishes_is_found(script: Script) -> None:
    script.post(ANA, 30, phase="info")
    script.read(BEN, (30, ANA), (20, ANA), (10, ANA))
    script.wait(100)
    script.read(BEN, (20, ANA), (10, ANA))
    assert kinds(script) == ["vanished"]


def test_a_post_that_the_graph_showed_before_the_timeline_is_an_exception(script: Script) -> None:
    script.post(ANA, 30)
    script.read(BEN, (30, ANA), (20, ANA), (10, ANA))
    script.read(BEN, (20, ANA), (10, ANA))
    findings = check(script.lines)
    assert not findings.violations
    assert findings.exceptions == {"P5 vanished": 1}


def test_a_page_need_not_show_posts_below_its_last_one(script: Script) -> None:
    script.read(BEN, (20, ANA), more=True)
    assert kinds(script) == []


def test_a_missing_next_before_the_end_is_found(script: Script) -> None:
    script.read(ANA, (20, ANA))
    assert kinds(script) == ["own-post-missing"]


def test_a_walk_that_skips_a_post_is_found(script: Script) -> None:
    script.post(ANA, 30)
    script.walk(ANA, [(30, ANA)], [(10, ANA)])
    assert kinds(script) == ["own-post-missing"]


def test_a_post_that_is_created_during_a_walk_may_be_missing(script: Script) -> None:
    walk = script.walk(ANA, [(20, ANA)], [(10, ANA)])
    first = next(line for line in script.lines if line.facts.get("walk") == walk)
    script.now = first.at - 0.8
    script.post(ANA, 30)  # starts before the first page, is acknowledged during the walk
    assert kinds(script) == []


def test_after_an_unfollow_with_an_unknown_end_no_post_is_required(script: Script) -> None:
    script.unfollow(BEN, ANA, phase="info")
    script.wait(200)
    script.read(BEN)
    script.read(BEN, (20, ANA), (10, ANA))
    assert kinds(script) == []
