"""The check compares the final notifications with the followers."""

from typing import Any

import pytest

from tests.drill.script import ANA, BEN, EVE, Script, kinds

DAY = "2026-03-01"


@pytest.fixture
def script(script: Script) -> Script:
    """Ben and Eve follow Ana in the end."""
    script.follow(EVE, ANA)
    script.settle(following={ANA: [], BEN: [ANA], EVE: [ANA]})
    return script


def tell(script: Script, *groups: Any) -> None:
    """Ana's notifications: each of a day, an actor, and a number of others."""
    shown = [["followed", day, actor, others, "text"] for day, actor, others in groups]
    script.do("activity", viewer=ANA, session="ending", groups=shown)


def test_each_follower_once_is_accepted(script: Script) -> None:
    tell(script, (DAY, BEN, 1))
    assert kinds(script) == []


def test_a_follower_who_is_missing_is_found(script: Script) -> None:
    tell(script, (DAY, BEN, 0))
    assert kinds(script) == ["followers-told"]


def test_a_follower_who_is_counted_twice_is_found(script: Script) -> None:
    tell(script, (DAY, BEN, 2))
    assert kinds(script) == ["followers-told"]


def test_who_followed_on_two_days_may_be_told_of_twice(script: Script) -> None:
    tell(script, (DAY, BEN, 1), ("2026-02-28", BEN, 0))
    assert kinds(script) == []


def test_a_group_that_comes_twice_is_found(script: Script) -> None:
    tell(script, (DAY, BEN, 0), (DAY, EVE, 0))
    assert kinds(script) == ["group-twice"]


def test_somebody_who_does_not_follow_is_found(script: Script) -> None:
    tell(script, (DAY, ANA, 1))
    assert kinds(script) == ["stranger-told"]


def test_notifications_that_cannot_be_read_are_found(script: Script) -> None:
    script.do("activity", phase="fail", viewer=ANA, session="ending", status=503, retry_after=True)
    assert kinds(script) == ["no-activity"]
