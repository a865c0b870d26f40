"""The check finds what a live stream did not tell, or told wrongly."""

from typing import Any

import pytest

from drill.checking.evidence import Evidence
from drill.checking.live_streams import tick_lags
from tests.drill.script import ANA, BEN, EVE, Script, kinds

LONG = 150
"""Seconds after which every tick is overdue."""


class Stream:
    """A stream of Ben's that a test goes on with, and that lasts until `end`."""

    def __init__(self, script: Script, last_id: str = "", session: str = "b.watching") -> None:
        self._script = script
        self._facts = {"viewer": BEN, "token": session, "last_id": last_id}
        self._start = script.now + 1
        self._number = script.reserve()
        self.tell("opening", last_id or "20-0")

    def tell(self, name: str, last_id: str) -> None:
        facts: dict[str, Any] = {"name": name, "last_id": last_id, "data": {}}
        self._script.do("event", viewer=BEN, stream=self._number, **facts)

    def end(self) -> None:
        self._script.wait(1)
        self._script.span("stream", self._number, self._start, self._facts)


@pytest.fixture
def stream(script: Script) -> Stream:
    return Stream(script)


def test_a_tick_for_each_post_is_accepted(script: Script, stream: Stream) -> None:
    script.post(ANA, 30)
    stream.tell("tick", "30-0")
    script.wait(LONG)
    stream.end()
    assert kinds(script) == []
    assert tick_lags(Evidence(script.lines)) == [pytest.approx(0.9)]


def test_a_post_without_a_tick_is_found(script: Script, stream: Stream) -> None:
    script.post(ANA, 30)
    script.wait(LONG)
    stream.end()
    assert kinds(script) == ["tick-missed"]


def test_a_tick_of_an_older_post_does_not_count(script: Script, stream: Stream) -> None:
    script.post(ANA, 30)
    stream.tell("tick", "25-0")
    script.wait(LONG)
    stream.end()
    assert kinds(script) == ["tick-missed"]


def test_a_stream_that_ends_early_must_not_tell(script: Script, stream: Stream) -> None:
    script.post(ANA, 30)
    stream.end()
    script.wait(LONG)
    assert kinds(script) == []


def test_a_late_post_below_what_the_client_knew_needs_no_tick(
    script: Script, stream: Stream
) -> None:
    script.post(ANA, 30)
    stream.end()
    second = Stream(script, last_id="40-0")
    script.wait(LONG)
    second.end()
    assert kinds(script) == []


def test_a_deleted_post_needs_no_tick(script: Script, stream: Stream) -> None:
    script.post(ANA, 30)
    script.delete(ANA, 30)
    script.wait(LONG)
    stream.end()
    assert kinds(script) == []


def test_no_tick_is_needed_while_the_viewer_leaves_somebody(script: Script, stream: Stream) -> None:
    script.follow(BEN, EVE)
    script.unfollow(BEN, EVE)
    script.post(ANA, 30)
    script.wait(LONG)
    stream.end()
    assert kinds(script) == []


def test_more_ticks_than_posts_are_found(script: Script, stream: Stream) -> None:
    script.post(ANA, 30)
    stream.tell("tick", "30-0")
    stream.tell("tick", "30-0")
    stream.end()
    assert kinds(script) == ["false-tick"]


def test_a_timeline_that_did_not_exist_at_the_opening_may_make_a_tick(script: Script) -> None:
    stream = Stream(script, last_id="0-0")
    stream.tell("tick", "20-0")
    stream.end()
    assert kinds(script) == []


def test_an_id_that_falls_is_found(script: Script, stream: Stream) -> None:
    script.post(ANA, 30)
    stream.tell("tick", "30-5")
    stream.tell("notification", "30-4")
    stream.end()
    assert kinds(script) == ["live-id-fell"]


def test_a_follower_of_whom_nothing_is_told_is_found(script: Script, stream: Stream) -> None:
    script.follow(EVE, BEN)
    script.wait(LONG)
    stream.end()
    assert kinds(script) == ["notification-missed"]


def test_a_second_follow_of_the_day_needs_no_notification(script: Script, stream: Stream) -> None:
    script.follow(EVE, BEN)
    stream.tell("notification", "20-7")
    script.unfollow(EVE, BEN)
    script.follow(EVE, BEN)
    script.wait(LONG)
    stream.end()
    assert kinds(script) == []


def test_a_stream_that_outlives_its_session_is_found(script: Script) -> None:
    stream = Stream(script, session="b.0")
    script.do("sign-out", token="b.0", session="b.0")
    script.wait(32)
    stream.end()
    assert kinds(script) == ["stream-outlived"]


def test_a_stream_may_end_late_while_the_cache_is_away(script: Script) -> None:
    stream = Stream(script, session="b.0")
    script.fault("cache-down", script.now, script.now + 4)
    script.do("sign-out", token="b.0", session="b.0")
    script.wait(32)
    stream.end()
    assert kinds(script) == []


def test_what_no_stream_could_tell_is_not_missed(script: Script) -> None:
    first = Stream(script)
    script.post(ANA, 30)
    first.end()
    script.wait(LONG)
    short = Stream(script, last_id="20-0")
    short.end()
    assert kinds(script) == []
    last = Stream(script, last_id="20-0")
    script.wait(20)
    last.end()
    assert kinds(script) == ["tick-missed"]
