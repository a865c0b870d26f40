"""What a notice that is put off, overtaken or disturbed leaves for later."""

from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest

from graph.errors import GraphUnavailableError
from graph.ids import from_ms
from graph.push_subscriptions import PushSubscriptions
from storage.timeline_layout import ABOVE_NOTHING, timeline_key
from tests.support.notices import TIMES, Clock, SteppedNotifier, Watched
from tests.support.stage import Stage
from workers.notices.planning import (
    CLAIM_SECONDS,
    LONGEST_QUIET_SECONDS,
    WITHOUT_LIST_SECONDS,
    plan,
)
from workers.notices.push.messages import Result

WINDOW = TIMES.window_ms / 1000
HOURS = 3_600


@pytest.mark.parametrize("answer", [Result.DELIVERED, Result.LATER, Result.REFUSED])
def test_what_comes_while_a_notice_is_unfinished_is_told_after_the_window(
    people: Watched, author: int, reader: int, notifier: SteppedNotifier, answer: Result
) -> None:
    people.post(author, reader, seconds=1)
    notifier.clock.at(40)
    [first] = notifier.step()
    notifier.answer(first, Result.LATER)
    people.post(author, reader, seconds=45)
    notifier.clock.at(80)
    [again] = notifier.step()
    notifier.answer(again, answer)
    texts = notifier.texts_until(80 + 2 * WINDOW)
    assert texts[-1] in {"Ana posted a photo", "2 new photos from Ana"}
    assert (texts[-1] == "2 new photos from Ana") == (answer == Result.LATER and len(texts) == 1)


def test_a_killed_notice_is_sent_again_and_newer_posts_after_the_window(
    people: Watched, author: int, reader: int, notifier: SteppedNotifier
) -> None:
    people.post(author, reader, seconds=1)
    notifier.clock.at(40)
    assert len(notifier.step()) == 1
    people.post(author, reader, seconds=50)
    texts = notifier.restarted().texts_until(45 + CLAIM_SECONDS)
    assert texts == ["Ana posted a photo"], "the first one, alone"
    assert notifier.restarted().texts_until(60 + CLAIM_SECONDS + WINDOW) == ["Ana posted a photo"]


def test_one_bad_push_service_does_not_silence_another_browser(
    people: Watched, author: int, reader: int, notifier: SteppedNotifier
) -> None:
    good, bad = (people.subscribe(reader) for _ in range(2))
    told: list[int] = []
    for number in range(4):
        people.post(author, reader, seconds=1 + number * (WINDOW + 60))
        notifier.clock.at(40 + number * (WINDOW + 60))
        for notice in notifier.step():
            told += [one.subscription.id for one in notice.messages]
            results = [
                Result.LATER if one.subscription.id == bad.id else Result.DELIVERED
                for one in notice.messages
            ]
            notifier.answer(notice, *results, retry_seconds=6 * HOURS)
    assert told.count(good.id) == 4
    assert told.count(bad.id) == 1, "as its service has asked"


def test_a_browser_that_was_put_off_hears_of_all_that_it_has_missed(
    people: Watched, author: int, reader: int, notifier: SteppedNotifier
) -> None:
    other = people.subscribe(reader)
    people.post(author, reader, seconds=1)
    notifier.clock.at(40)
    [first] = notifier.step()
    results = [
        Result.LATER if one.subscription.id == other.id else Result.DELIVERED
        for one in first.messages
    ]
    notifier.answer(first, *results, retry_seconds=WINDOW)
    people.post(author, reader, seconds=WINDOW)
    notifier.clock.at(WINDOW + 41)
    [second] = notifier.step()
    texts = {one.subscription.id: one.payload.body for one in second.messages}
    assert texts.pop(other.id) == "2 new photos from Ana"
    assert list(texts.values()) == ["Ana posted a photo"]


def test_a_message_that_is_never_taken_ends(
    people: Watched, author: int, reader: int, notifier: SteppedNotifier
) -> None:
    people.post(author, reader, seconds=1)
    tries = 0
    for minutes in range(1, 600):
        notifier.clock.at(60 * minutes)
        for notice in notifier.step():
            tries += 1
            exhausted = tries == 5
            notifier.answer(notice, Result.EXHAUSTED if exhausted else Result.LATER)
    assert tries == 5


@pytest.mark.parametrize("entries", [(), (-ABOVE_NOTHING,)])
def test_who_has_no_timeline_when_a_notice_is_due_gets_it_once_there_is_one(
    stage: Stage,
    people: Watched,
    author: int,
    reader: int,
    notifier: SteppedNotifier,
    *,
    entries: Sequence[int],
) -> None:
    people.post(author, reader, seconds=1)
    notifier.texts()
    stage.evict_list(reader)
    if entries:
        stage.storage.cache.client.rpush(timeline_key(reader), *entries)
    assert notifier.texts_until(100) == []
    stage.evict_list(reader)
    stage.build(reader)
    assert notifier.texts_until(100 + 2 * WITHOUT_LIST_SECONDS) == ["Ana posted a photo"]


def test_a_retry_without_a_timeline_waits_for_it(
    stage: Stage, people: Watched, author: int, reader: int, notifier: SteppedNotifier
) -> None:
    people.post(author, reader, seconds=1)
    notifier.clock.at(40)
    [first] = notifier.step()
    notifier.answer(first, Result.LATER)
    stage.evict_list(reader)
    assert notifier.texts_until(100) == []
    stage.build(reader)
    assert notifier.texts_until(100 + 2 * WITHOUT_LIST_SECONDS) == ["Ana posted a photo"]


def test_a_retry_without_a_timeline_waits_for_it_although_somebody_has_followed(
    stage: Stage, people: Watched, author: int, reader: int, notifier: SteppedNotifier
) -> None:
    people.post(author, reader, seconds=1)
    notifier.clock.at(40)
    [first] = notifier.step()
    notifier.answer(first, Result.LATER)
    stage.evict_list(reader)
    created = stage.graph.follows.create(
        follower_id=stage.town.user("Bo"), followee_id=reader
    ).notification_id
    stage.storage.newest_notifications.raise_to({reader: created or 0})
    assert notifier.texts_until(100) == []
    stage.build(reader)
    texts = notifier.texts_until(100 + 2 * WITHOUT_LIST_SECONDS)
    assert texts == ["Ana posted a photo"]


def test_after_a_restart_too_one_bad_push_service_does_not_silence_another_browser(
    people: Watched, author: int, reader: int, notifier: SteppedNotifier
) -> None:
    bad = people.subscribe(reader)
    people.post(author, reader, seconds=1)
    notifier.clock.at(40)
    [first] = notifier.step()
    results = [
        Result.LATER if one.subscription.id == bad.id else Result.DELIVERED
        for one in first.messages
    ]
    notifier.answer(first, *results, retry_seconds=6 * HOURS)
    people.post(author, reader, seconds=100)
    assert notifier.restarted().texts_until(50 + WINDOW) == ["Ana posted a photo"]


def test_a_timeline_that_is_being_built_is_waited_for_and_repeats_nothing(
    stage: Stage, people: Watched, author: int, reader: int, notifier: SteppedNotifier
) -> None:
    people.post(author, reader, seconds=1)
    assert notifier.texts_until(100) == ["Ana posted a photo"]
    stage.evict_list(reader)
    stage.storage.queue.client.delete(b"nr:" + timeline_key(reader)[3:])
    stage.storage.cache.client.rpush(timeline_key(reader), -ABOVE_NOTHING)
    notifier.texts()
    stage.evict_list(reader)
    stage.build(reader)
    assert notifier.texts_until(3 * WINDOW) == []


def set_quiet_hours(stage: Stage, clock: Clock, reader: int, hours: float) -> None:
    """Quiet hours that have begun and last so many hours more."""
    now = from_ms(clock.now_ms).replace(microsecond=0)
    begin, end = (now - timedelta(hours=1)).time(), (now + timedelta(hours=hours)).time()
    quiet: dict[str, Any] = {"start": begin, "end": end, "time_zone": "UTC"}
    stage.graph.notification_settings.update(reader, {"quiet_hours": quiet})


def test_a_restart_in_quiet_hours_forgets_nothing(
    stage: Stage, people: Watched, author: int, reader: int, notifier: SteppedNotifier
) -> None:
    set_quiet_hours(stage, notifier.clock, reader, 3)
    people.post(author, reader, seconds=1)
    assert notifier.texts_until(100) == []
    notifier.clock.at(HOURS)
    restarted = notifier.restarted()
    assert restarted.texts_until(3 * HOURS + WINDOW + 60, every=60) == ["Ana posted a photo"]


def test_quiet_hours_that_are_ended_early_are_noticed_within_an_hour(
    stage: Stage, people: Watched, author: int, reader: int, notifier: SteppedNotifier
) -> None:
    set_quiet_hours(stage, notifier.clock, reader, 12)
    people.post(author, reader, seconds=1)
    assert notifier.texts_until(100) == []
    stage.graph.notification_settings.update(reader, {"quiet_hours": None})
    texts = notifier.texts_until(160 + LONGEST_QUIET_SECONDS, every=60)
    assert texts == ["Ana posted a photo"]


def test_a_short_waking_time_is_long_enough_for_a_notice(stage: Stage, people: Watched) -> None:
    quiet: dict[str, Any] = {"start": time(0, 0), "end": time(23, 59), "time_zone": "UTC"}
    for _ in range(3):
        author = stage.town.user("Ana")
        reader = people.reader(author)
        stage.graph.notification_settings.update(reader, {"quiet_hours": quiet})
        notifier = SteppedNotifier(stage, people.clock, reader)
        now = from_ms(people.clock.began_ms)
        until_end = (datetime.combine(now.date(), time(23, 59), UTC) - now).total_seconds()
        people.post(author, reader, seconds=1)
        assert notifier.texts_until(until_end % (24 * HOURS) - 5, every=HOURS / 4) == []
        texts = notifier.texts_until(until_end % (24 * HOURS) + 60, every=1)
        assert texts == ["Ana posted a photo"]


def test_outcomes_are_recorded_although_the_graph_is_away(
    people: Watched, author: int, reader: int, notifier: SteppedNotifier
) -> None:
    def fail(*_: object) -> None:
        raise GraphUnavailableError("cut")

    people.subscribe(reader)
    people.post(author, reader, seconds=1)
    notifier.clock.at(40)
    [notice] = notifier.step()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PushSubscriptions, "delete", fail)
        with pytest.raises(GraphUnavailableError):
            notifier.answer(notice, Result.GONE, Result.DELIVERED)
    assert notifier.texts_until(3 * CLAIM_SECONDS) == [], "nothing is sent twice"


def test_who_is_overtaken_by_another_notifier_takes_over_what_that_one_does_not_finish(
    stage: Stage, people: Watched, author: int, reader: int, notifier: SteppedNotifier
) -> None:
    people.post(author, reader, seconds=1)
    other = notifier.restarted()
    read = stage.storage.notice_records.read_many
    notifier.clock.at(40)
    before = read([reader])
    assert len(other.step()) == 1
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(stage.storage.notice_records), "read_many", lambda *_: before)
        assert notifier.step() == []
    assert notifier.texts_until(60 + CLAIM_SECONDS) == ["Ana posted a photo"]


def test_a_bug_about_one_user_costs_the_others_nothing(
    stage: Stage,
    people: Watched,
    author: int,
    reader: int,
    notifier: SteppedNotifier,
) -> None:
    other = people.reader(author)

    def fail_for_one(truth: Any, *arguments: Any) -> Any:
        if truth.user_id == other:
            raise ValueError("a bug")
        return plan(truth, *arguments)

    both = SteppedNotifier(stage, people.clock, other)
    notifier.subscribers.look()
    people.post(author, reader, other, seconds=1)
    arrivals = [*both.subscribers.look(), *notifier.subscribers.look()]
    assert len(arrivals) == 2
    both.dispatcher.add(arrivals)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("workers.notices.deciding.plan", fail_for_one)
        notices, _ = both.dispatcher.take(people.clock.at(60))
    assert [notice.user_id for notice in notices] == [reader]


def test_a_window_begins_when_a_slow_graph_has_answered(
    stage: Stage, people: Watched, author: int, reader: int, notifier: SteppedNotifier
) -> None:
    people.post(author, reader, seconds=1)
    read = type(stage.graph.read_positions).news

    def read_slowly(*arguments: Any) -> Any:
        notifier.deciding_seconds += 100
        return read(*arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(stage.graph.read_positions), "news", read_slowly)
        assert notifier.texts_until(40) == ["Ana posted a photo"]
    people.post(author, reader, seconds=150)
    assert notifier.texts_until(100 + WINDOW) == []
    assert notifier.texts_until(150 + WINDOW) == ["Ana posted a photo"]
