"""The check finds push messages that nobody should have got."""

from collections.abc import Callable
from typing import Any

import pytest

from drill.notice_times import WINDOW_SECONDS
from tests.drill.script import ANA, BEN, EVE, Script, kinds

Tell = Callable[..., int]


@pytest.fixture
def tell(script: Script) -> Tell:
    """Sends a message to Ben's browser."""
    for label, user in (("u1", ANA), ("u2", BEN), ("u3", EVE)):
        script.do("subscribe", viewer=user, token=f"{label}.0", label=label, browser=f"/{label}")

    def send(body: str = "u1 posted a photo", topic: str = "photofeed", **facts: Any) -> int:
        return script.do("push", session="push", browser="/u2", body=body, topic=topic, **facts)

    return send


def test_one_message_a_window_is_accepted(script: Script, tell: Tell) -> None:
    tell()
    script.wait(WINDOW_SECONDS)
    tell("2 new photos from u1 name 3")
    assert kinds(script) == []


def test_two_messages_within_a_window_are_found(script: Script, tell: Tell) -> None:
    tell()
    tell()
    assert kinds(script) == ["two-in-a-window"]


def test_a_message_that_was_refused_may_come_again(script: Script, tell: Tell) -> None:
    tell(phase="fail", answer=503)
    tell()
    assert kinds(script) == []


@pytest.mark.parametrize("fault", ["stop-notifier", "flush-queue"])
def test_a_frozen_notifier_and_a_lost_record_are_exceptions(
    script: Script, tell: Tell, fault: str
) -> None:
    tell()
    script.fault(fault, script.now, script.now + 1)
    tell()
    assert kinds(script) == []


def test_another_topic_is_found(script: Script, tell: Tell) -> None:
    tell(topic="")
    assert kinds(script) == ["no-topic"]


def test_a_message_about_somebody_who_was_left_is_found(script: Script, tell: Tell) -> None:
    script.unfollow(BEN, ANA)
    script.wait(60)
    tell()
    assert kinds(script) == ["stranger-named"]


def test_a_message_that_was_decided_before_the_unfollow_is_accepted(
    script: Script, tell: Tell
) -> None:
    script.unfollow(BEN, ANA)
    tell()
    assert kinds(script) == []


def test_a_second_name_is_looked_at_too(script: Script, tell: Tell) -> None:
    tell("2 new photos from u1 and u3 name 1")
    assert kinds(script) == ["stranger-named"]


def test_a_follower_is_named_only_if_it_follows(script: Script, tell: Tell) -> None:
    tell("u1 posted a photo. u3 followed you")
    assert kinds(script) == ["stranger-named"]
    script.follow(EVE, BEN)
    script.wait(WINDOW_SECONDS)
    tell("u1 posted a photo. u3 followed you")
    assert kinds(script) == ["stranger-named"]


def test_a_message_after_the_sign_out_is_found(script: Script, tell: Tell) -> None:
    script.do("sign-out", token="u2.0", session="u2.0")
    script.wait(30)
    tell()
    assert kinds(script) == ["signed-out-told"]


def test_messages_that_a_push_service_refuses_as_invalid_are_found(script: Script) -> None:
    script.do("refusals", phase="fail", session="ending", refusals=["not signed"])
    assert kinds(script) == ["invalid-message"]
