"""Who gets a notice, when, and what it says: on the real stores, under a clock of the test."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from graph.ids import MAX_ID, from_ms
from storage.errors import StorageUnavailableError
from storage.redis.partitions import key_of
from tests.support.notices import TIMES, Clock, SteppedNotifier, Watched
from tests.support.stage import Stage
from workers.notices.planning import CLAIM_SECONDS
from workers.notices.push.messages import Result
from workers.notices.push.retrying import MAX_TRIES

WINDOW = TIMES.window_ms / 1000


def authors_of(stage: Stage, *names: str) -> Sequence[int]:
    return [stage.town.user(name) for name in names]


def test_thirty_posts_by_five_people_within_a_minute_are_one_notice(
    stage: Stage, clock: Clock, people: Watched
) -> None:
    authors = authors_of(stage, "Ana", "Bo", "Cy", "Di", "Eve")
    reader = people.reader(*authors)
    notifier = SteppedNotifier(stage, clock, reader)
    texts = []
    for number in range(30):
        people.post(authors[number % 5], reader, seconds=2 * number + 1)
        texts += notifier.texts()
    texts += notifier.texts_until(2 * WINDOW)
    assert texts == ["30 new photos from Eve, Di and 3 others"]


@pytest.mark.parametrize(
    ("posts", "text"),
    [
        (["Ana"], "Ana posted a photo"),
        (["Ana", "Ana", "Ana"], "3 new photos from Ana"),
        (["Ana", "Bo"], "2 new photos from Bo and Ana"),
        (["Cy", "Ana", "Bo"], "3 new photos from Bo, Ana and 1 other"),
    ],
)
def test_a_notice_names_the_authors_of_the_newest_posts(
    stage: Stage, clock: Clock, people: Watched, posts: Sequence[str], text: str
) -> None:
    authors = {name: stage.town.user(name) for name in dict.fromkeys(posts)}
    reader = people.reader(*authors.values())
    notifier = SteppedNotifier(stage, clock, reader)
    for second, name in enumerate(posts, 1):
        people.post(authors[name], reader, seconds=second)
    assert notifier.texts_until(WINDOW) == [text]


def test_a_notice_waits_until_the_newest_post_is_30_s_old(
    people: Watched, author: int, reader: int, notifier: SteppedNotifier
) -> None:
    people.post(author, reader, seconds=1)
    assert notifier.texts_until(29) == []
    people.post(author, reader, seconds=29)
    assert notifier.texts_until(58) == []
    assert notifier.texts_until(60) == ["2 new photos from Ana"]


def test_a_post_every_20_s_makes_one_notice_a_window(
    people: Watched, author: int, reader: int, notifier: SteppedNotifier
) -> None:
    times: list[float] = []
    for number in range(1, 90):
        people.post(author, reader, seconds=20 * number)
        if notifier.texts():
            times.append(20 * number)
    assert times[0] == pytest.approx(170, abs=20), "the oldest is 150 s old"
    assert [b - a for a, b in pairwise(times)] == [WINDOW] * (len(times) - 1)
    assert len(times) == 3


def test_who_has_read_past_the_posts_gets_no_notice(
    stage: Stage, people: Watched, author: int, reader: int, notifier: SteppedNotifier
) -> None:
    newest = people.post(author, reader, seconds=1)
    notifier.texts()
    stage.graph.read_positions.set(reader, newest)
    assert notifier.texts_until(WINDOW) == []
    people.post(author, reader, seconds=WINDOW + 1)
    assert notifier.texts_until(2 * WINDOW) == ["Ana posted a photo"], "the read one is not counted"


def test_quiet_hours_put_one_notice_off_until_they_end(
    stage: Stage, people: Watched, author: int, reader: int, notifier: SteppedNotifier
) -> None:
    now = from_ms(notifier.clock.now_ms)
    end = (now + timedelta(hours=2)).time().replace(microsecond=0, second=0)
    stage.graph.notification_settings.update(
        reader,
        {
            "quiet_hours": {
                "start": (now - timedelta(hours=1)).time().replace(microsecond=0, second=0),
                "end": end,
                "time_zone": "UTC",
            }
        },
    )
    for number in range(1, 20):
        people.post(author, reader, seconds=240 * number)
        assert notifier.texts() == []
    quiet_seconds = (datetime.combine(now.date(), end, UTC) - now).total_seconds() % 86_400
    assert notifier.texts_until(quiet_seconds - 1, every=60) == []
    texts = notifier.texts_until(quiet_seconds + WINDOW + 60, every=60)
    assert texts == ["19 new photos from Ana"]


def test_who_has_muted_new_photos_gets_no_notice_of_them(
    stage: Stage, people: Watched, author: int, reader: int, notifier: SteppedNotifier
) -> None:
    stage.graph.notification_settings.update(reader, {"push": {"new_photos": False}})
    people.post(author, reader, seconds=1)
    assert notifier.texts_until(WINDOW) == []
    stage.graph.notification_settings.update(reader, {"push": {"new_photos": True}})
    assert notifier.texts_until(2 * WINDOW) == [], "it was looked at"


def test_a_first_subscription_gets_no_backlog(
    people: Watched, author: int, reader: int, notifier: SteppedNotifier
) -> None:
    people.post(author, reader, seconds=-5)
    assert notifier.texts_until(WINDOW) == []


def test_another_browser_hears_only_of_what_came_after_it(
    people: Watched, author: int, reader: int, notifier: SteppedNotifier
) -> None:
    people.post(author, reader, seconds=0)
    people.subscribe(reader)
    assert notifier.texts_until(WINDOW) == ["Ana posted a photo"]
    people.post(author, reader, seconds=WINDOW + 1)
    assert notifier.texts_until(2 * WINDOW) == ["Ana posted a photo"] * 2


def test_a_notifier_that_has_just_started_sends_nothing_old(
    stage: Stage, clock: Clock, people: Watched, author: int, reader: int
) -> None:
    people.post(author, reader, seconds=1)
    clock.at(3600)
    notifier = SteppedNotifier(stage, clock, reader)
    assert notifier.texts_until(3600 + WINDOW) == []


def test_a_restarted_notifier_sends_what_was_waiting(
    people: Watched, author: int, reader: int, notifier: SteppedNotifier
) -> None:
    people.post(author, reader, seconds=1)
    assert notifier.texts_until(100) == ["Ana posted a photo"]
    people.post(author, reader, seconds=200)
    assert notifier.texts_until(400) == [], "the window is not over"
    restarted = notifier.restarted()
    assert restarted.texts_until(2 * WINDOW) == ["Ana posted a photo"]


def test_own_posts_are_no_news(
    people: Watched, author: int, reader: int, notifier: SteppedNotifier
) -> None:
    people.post(reader, reader, seconds=1)
    assert notifier.texts_until(WINDOW) == []
    people.post(author, reader, seconds=WINDOW + 1)
    people.post(reader, reader, seconds=WINDOW + 2)
    assert notifier.texts_until(2 * WINDOW) == ["Ana posted a photo"]


def test_nobody_is_named_whom_the_reader_has_left_or_blocked_meanwhile(
    stage: Stage, clock: Clock, people: Watched
) -> None:
    ana, bo, cy = authors_of(stage, "Ana", "Bo", "Cy")
    reader = people.reader(ana, bo, cy)
    notifier = SteppedNotifier(stage, clock, reader)
    for second, author in enumerate((ana, bo, cy), 1):
        people.post(author, reader, seconds=second)
    notifier.texts()
    stage.town.unfollow(reader, bo)
    stage.town.block(cy, reader)
    assert notifier.texts_until(WINDOW) == ["Ana posted a photo"]


def test_a_lost_cache_repeats_nothing_and_loses_nothing(
    stage: Stage, people: Watched, author: int, reader: int, notifier: SteppedNotifier
) -> None:
    people.post(author, reader, seconds=1)
    assert notifier.texts_until(100) == ["Ana posted a photo"]
    stage.evict_list(reader)
    notifier.texts()
    assert reader in notifier.subscribers.take_without_list(1_000)
    people.post(author, reader, seconds=WINDOW)  # it finds no list
    stage.build(reader)
    assert notifier.texts_until(3 * WINDOW) == ["Ana posted a photo"]


def test_an_outage_of_the_queue_while_the_notifier_looks_loses_nothing(
    stage: Stage, clock: Clock, people: Watched, author: int, reader: int
) -> None:
    """Its record is read at the first look at a list, after the list."""
    stage.evict_list(reader)
    stores = stage.behind_proxies()
    notifier = SteppedNotifier(stores, clock, reader)
    stage.build(reader)
    people.post(author, reader, seconds=1)
    with stores.to.queue.outage(), pytest.raises(StorageUnavailableError):
        notifier.step()
    assert notifier.texts_until(WINDOW) == ["Ana posted a photo"]


def test_a_lost_queue_storms_nobody(
    stage: Stage, people: Watched, author: int, reader: int, notifier: SteppedNotifier
) -> None:
    people.post(author, reader, seconds=1)
    assert notifier.texts_until(100) == ["Ana posted a photo"]
    stage.storage.queue.client.delete(key_of(b"nr", reader))
    people.post(author, reader, seconds=110)
    assert notifier.texts_until(WINDOW) == [], "the window is not over"
    assert notifier.texts_until(2 * WINDOW) == ["Ana posted a photo"]
    stage.storage.queue.client.delete(key_of(b"nr", reader))
    assert notifier.restarted().texts_until(4 * WINDOW) == []


def test_a_notifier_that_was_killed_while_sending_is_followed_by_another_try(
    people: Watched, author: int, reader: int, notifier: SteppedNotifier
) -> None:
    people.post(author, reader, seconds=1)
    notifier.clock.at(40)
    assert len(notifier.step()) == 1
    restarted = notifier.restarted()
    assert restarted.texts_until(39 + CLAIM_SECONDS) == []
    notifier.clock.at(41 + CLAIM_SECONDS)
    [again] = restarted.step()
    assert [one.payload.body for one in again.messages] == ["Ana posted a photo"]
    assert [(one.tries, one.topic) for one in again.messages] == [(1, "photofeed")]
    restarted.answer(again, Result.DELIVERED)
    assert restarted.texts_until(3 * WINDOW) == []


def test_of_two_notifiers_at_once_one_sends(
    people: Watched, author: int, reader: int, notifier: SteppedNotifier
) -> None:
    both = (notifier, notifier.restarted())
    people.post(author, reader, seconds=1)
    texts = []
    for second in range(2, int(WINDOW), 7):
        notifier.clock.at(second)
        for one in both:
            texts += one.texts()
    assert texts == ["Ana posted a photo"]


def test_a_message_is_tried_five_times_although_each_process_is_killed(
    people: Watched, author: int, reader: int, notifier: SteppedNotifier
) -> None:
    people.post(author, reader, seconds=1)
    tries = []
    for number in range(MAX_TRIES + 3):
        notifier.clock.at(40 + number * (CLAIM_SECONDS + 1))
        for notice in notifier.step():
            tries += [one.tries for one in notice.messages]
        notifier = notifier.restarted()
    assert tries == list(range(MAX_TRIES))


def test_a_message_that_was_put_off_is_tried_again_alone(
    people: Watched, author: int, reader: int, notifier: SteppedNotifier
) -> None:
    people.subscribe(reader)
    people.post(author, reader, seconds=1)
    notifier.clock.at(40)
    [notice] = notifier.step()
    assert len(notice.messages) == 2
    notifier.answer(notice, Result.DELIVERED, Result.LATER)
    notifier.clock.at(56)
    [again] = notifier.step()
    assert [one.subscription.id for one in again.messages] == [notice.messages[1].subscription.id]
    notifier.answer(again, Result.DELIVERED)
    assert notifier.texts_until(2 * WINDOW) == []


def test_a_message_that_comes_late_begins_the_window(
    people: Watched, author: int, reader: int, notifier: SteppedNotifier
) -> None:
    people.post(author, reader, seconds=1)
    notifier.clock.at(40)
    [notice] = notifier.step()
    notifier.answer(notice, Result.LATER, retry_seconds=WINDOW)
    notifier.clock.at(41 + WINDOW)
    assert notifier.texts() == ["Ana posted a photo"]
    people.post(author, reader, seconds=50 + WINDOW)
    assert notifier.texts_until(40 + 2 * WINDOW) == []
    assert notifier.texts_until(50 + 2 * WINDOW) == ["Ana posted a photo"]


def test_a_subscription_that_is_gone_is_deleted(
    stage: Stage, people: Watched, author: int, reader: int, notifier: SteppedNotifier
) -> None:
    people.post(author, reader, seconds=1)
    notifier.clock.at(40)
    [notice] = notifier.step()
    notifier.answer(notice, Result.GONE)
    assert stage.graph.push_subscriptions.of_user(reader) == []


def test_a_session_that_has_ended_gets_nothing(
    stage: Stage, people: Watched, author: int, reader: int, notifier: SteppedNotifier
) -> None:
    people.post(author, reader, seconds=1)
    notifier.texts()
    [subscription] = stage.graph.push_subscriptions.of_user(reader)
    stage.graph.sessions.delete(subscription.session_id, user_id=reader)
    assert notifier.texts_until(WINDOW) == []


def test_a_new_follower_is_a_notice_once(stage: Stage, clock: Clock, people: Watched) -> None:
    ana, reader = stage.town.user("Ana"), people.reader()
    notifier = SteppedNotifier(stage, clock, reader)
    event = stage.town.follow(ana, reader)
    notifier.subscribers.restore_numbers()
    stage.do(event)
    assert notifier.texts_until(WINDOW) == ["Ana followed you"]
    assert notifier.texts_until(2 * WINDOW) == []


def test_posts_and_followers_are_one_notice(stage: Stage, clock: Clock, people: Watched) -> None:
    ana, bo = authors_of(stage, "Ana", "Bo")
    reader = people.reader(ana)
    notifier = SteppedNotifier(stage, clock, reader)
    people.post(ana, reader, seconds=1)
    stage.do(stage.town.follow(bo, reader))
    assert notifier.texts_until(WINDOW) == ["Ana posted a photo. Bo followed you"]


def test_a_follow_that_has_ended_is_no_notice(stage: Stage, clock: Clock, people: Watched) -> None:
    ana, reader = stage.town.user("Ana"), people.reader()
    notifier = SteppedNotifier(stage, clock, reader)
    stage.do(stage.town.follow(ana, reader))
    notifier.texts()
    stage.town.unfollow(ana, reader)
    assert notifier.texts_until(WINDOW) == []


def test_read_notifications_are_no_notice(stage: Stage, clock: Clock, people: Watched) -> None:
    ana, reader = stage.town.user("Ana"), people.reader()
    notifier = SteppedNotifier(stage, clock, reader)
    stage.do(stage.town.follow(ana, reader))
    notifier.texts()
    newest = stage.graph.notifications.newest_ids([reader])[reader]
    assert newest < MAX_ID
    stage.graph.notifications.move_position(reader, newest)
    assert notifier.texts_until(WINDOW) == []
