"""The check finds names in posts that a rename has replaced."""

import pytest

from drill.checking.check import check
from drill.history import Phase
from tests.drill.script import ANA, BEN, Script, kinds


@pytest.fixture
def script(script: Script) -> Script:
    """Ana has the name A1 after her sign-up's name A0."""
    script.rename(ANA, "A1")
    return script


def read(script: Script, name: str) -> None:
    """Ben reads his feed, in which Ana has this name."""
    script.read(BEN, (20, ANA), (10, ANA), names=[[ANA, name]])


def test_the_new_name_is_no_violation(script: Script) -> None:
    read(script, "A1")
    assert kinds(script) == []


@pytest.mark.parametrize("old", ["A0", "A1"])
def test_an_old_name_that_is_shown_after_the_rename_is_found(script: Script, old: str) -> None:
    script.rename(ANA, "A2")
    read(script, old)
    assert kinds(script) == ["old-name-shown"]


def test_a_page_with_both_names_is_found(script: Script) -> None:
    script.rename(ANA, "A2")
    script.read(BEN, (20, ANA), (10, ANA), names=[[ANA, "A1"], [ANA, "A2"]])
    assert kinds(script) == ["old-name-shown"]


def test_a_page_that_began_before_the_rename_ended_may_show_either_name(script: Script) -> None:
    script.do("rename", author=ANA, name="A2", lasting=3.0)
    read(script, "A1")
    read(script, "A2")
    assert kinds(script) == []


def test_a_rename_with_an_unknown_end_may_take_effect_after_a_later_one(script: Script) -> None:
    script.rename(ANA, "A2", phase="info")
    script.rename(ANA, "A3")
    read(script, "A2")
    read(script, "A3")
    assert kinds(script) == []


def test_a_rename_with_an_unknown_end_takes_no_effect_after_two_minutes(script: Script) -> None:
    script.rename(ANA, "A2", phase="info")
    script.wait(150)
    script.rename(ANA, "A3")
    read(script, "A2")
    assert kinds(script) == ["old-name-shown"]


def test_a_rename_with_an_unknown_end_may_have_had_no_effect(script: Script) -> None:
    script.rename(ANA, "A2", phase="info")
    read(script, "A1")
    assert kinds(script) == []


def test_a_rename_that_failed_replaces_nothing(script: Script) -> None:
    script.rename(ANA, "A2", phase="fail")
    read(script, "A1")
    assert kinds(script) == []


def test_a_name_that_is_given_again_is_no_old_one(script: Script) -> None:
    script.rename(ANA, "A2", phase="info")
    script.rename(ANA, "A2")
    read(script, "A2")
    assert kinds(script) == []


def test_a_rename_during_a_fault_of_the_cache_has_b_seconds(script: Script) -> None:
    script.fault("slow-cache", script.now, script.now + 5)
    script.rename(ANA, "A2")
    read(script, "A1")
    findings = check(script.lines)
    assert findings.violations == []
    assert findings.exceptions == {"P3 old-name": 1}
    script.wait(150)
    read(script, "A1")
    assert kinds(script) == ["old-name-shown"]


@pytest.mark.parametrize("phase", ["info", "fail"])
def test_a_post_whose_deletion_may_have_begun_may_keep_the_old_name(
    script: Script, phase: Phase
) -> None:
    script.delete(ANA, 20, phase=phase)
    script.rename(ANA, "A2")
    read(script, "A1")
    assert kinds(script) == ([] if phase == "info" else ["old-name-shown"])
