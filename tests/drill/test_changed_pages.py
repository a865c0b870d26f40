"""Which pages count as just changed."""

from typing import Any

import pytest

from drill.checking.changed_pages import find_changed_pages
from drill.checking.evidence import Evidence
from tests.drill.script import ANA, BEN, EVE, Script


@pytest.fixture
def script(script: Script) -> Script:
    """The changes that made the script are long ago."""
    script.wait(100)
    return script


def is_changed(script: Script) -> bool:
    """Whether the last page is one that has just changed."""
    evidence = Evidence(script.lines)
    last = evidence.reads.pages[-1]
    return last in find_changed_pages(evidence)


BOTH: Any = ((20, ANA), (10, ANA))


def test_a_page_without_a_change_is_none(script: Script) -> None:
    script.read(BEN, *BOTH)
    assert not is_changed(script)


def test_a_page_with_a_new_post_is_one_for_two_seconds(script: Script) -> None:
    script.post(ANA, 30)
    script.read(BEN, (30, ANA), *BOTH)
    assert is_changed(script)
    script.wait(2)
    script.read(BEN, (30, ANA), *BOTH)
    assert not is_changed(script)


def test_a_page_that_does_not_show_the_new_post_yet_is_none(script: Script) -> None:
    script.post(ANA, 30)
    script.read(BEN, *BOTH)
    assert not is_changed(script)


def test_an_old_post_and_a_repeated_one_are_no_changes(script: Script) -> None:
    script.post(ANA, 5, old=True)
    script.post(ANA, 20, replayed=True)
    script.read(BEN, *BOTH, (5, ANA))
    assert not is_changed(script)


def test_a_page_that_had_the_deleted_post_is_one(script: Script) -> None:
    script.delete(ANA, 10)
    script.read(BEN, (20, ANA))
    assert is_changed(script)


def test_a_page_that_ends_above_the_deleted_post_is_none(script: Script) -> None:
    script.delete(ANA, 10)
    script.read(BEN, (20, ANA), more=True)
    assert not is_changed(script)


def test_a_lower_page_of_a_walk_is_none_if_the_deleted_post_was_above_it(script: Script) -> None:
    script.post(ANA, 30)
    script.wait(100)
    script.delete(ANA, 30)
    script.walk(BEN, [(20, ANA)], [(10, ANA)])
    evidence = Evidence(script.lines)
    first, _second = evidence.reads.pages
    assert find_changed_pages(evidence) == [first]


def test_the_deletion_of_a_post_that_the_viewer_never_had_changes_nothing(script: Script) -> None:
    script.delete(ANA, 10)
    script.read(EVE)
    assert not is_changed(script)


def test_a_page_with_a_post_of_the_renamed_author_is_one(script: Script) -> None:
    script.rename(ANA, "A1")
    script.read(BEN, *BOTH)
    assert is_changed(script)
    script.rename(EVE, "E1")
    script.wait(1)
    script.read(BEN, *BOTH)
    assert not is_changed(script)


def test_a_follow_and_an_unfollow_change_the_pages_of_their_viewer_alone(script: Script) -> None:
    script.follow(EVE, ANA)
    script.read(EVE, *BOTH)
    assert is_changed(script)
    script.wait(100)
    script.unfollow(EVE, ANA)
    script.read(EVE)
    assert is_changed(script)
    script.read(BEN, *BOTH)
    assert not is_changed(script)


def test_a_block_changes_the_pages_of_a_follower_and_no_others(script: Script) -> None:
    script.do("block", blocker=ANA, blocked=BEN)
    script.read(BEN)
    assert is_changed(script)
    script.wait(100)
    script.do("block", blocker=ANA, blocked=EVE)
    script.read(EVE)
    assert not is_changed(script)


@pytest.mark.parametrize("phase", ["info", "fail"])
def test_a_change_without_an_acknowledgement_counts_for_nothing(script: Script, phase: Any) -> None:
    script.rename(ANA, "A1", phase=phase)
    script.read(BEN, *BOTH)
    assert not is_changed(script)
