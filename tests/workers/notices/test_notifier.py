"""The notifier's loop against a push service of ours, with short times and a real clock."""

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from drill.support.push_service import PushService, push_service
from graph.ids import new_id
from storage.errors import StorageUnavailableError
from tests.support.eventually import eventually
from tests.support.notices import Watched
from tests.support.stage import Stage
from tests.support.vapid import settings_for
from web_push.settings import WebPushSettings
from workers.notices import planning
from workers.notices.deciding import Decider
from workers.notices.due import NoticeTimes
from workers.notices.notifier import Notifier
from workers.notices.push.sender import PushSender

TIMES = NoticeTimes(delay_ms=1_000, window_ms=5_000)
BOUND_SECONDS = 60
"""On a busy machine."""


@contextmanager
def notifying(stage: Stage, settings: WebPushSettings) -> Iterator[None]:
    """A notifier that runs meanwhile."""
    started, ended = threading.Event(), threading.Event()
    stops: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    async def run() -> None:
        stop = asyncio.Event()
        stops.append((asyncio.get_running_loop(), stop))
        async with PushSender(settings) as sender:
            started.set()
            await Notifier(stage.graph, stage.storage, sender, TIMES).run(stop)

    def run_to_its_end() -> None:
        asyncio.run(run())
        ended.set()

    thread = threading.Thread(target=run_to_its_end)
    thread.start()
    try:
        assert started.wait(BOUND_SECONDS)
        yield
    finally:
        loop, stop = stops[0]
        loop.call_soon_threadsafe(stop.set)
        assert ended.wait(BOUND_SECONDS), "the notifier stops"
        thread.join()


@pytest.fixture
def service() -> Iterator[PushService]:
    with push_service() as service:
        yield service


@pytest.fixture
def settings(service: PushService) -> WebPushSettings:
    return settings_for(service)


def post_now(people: Watched, author_id: int, *readers: int) -> int:
    """A post that is delivered now."""
    post_id = new_id()
    people.stage.town.old_posts(author_id, [post_id])
    people.stage.storage.timelines.push(readers, post_id, read_at=time.monotonic())
    return post_id


def noticed_at(stage: Stage, user_id: int) -> int:
    """When the user's last notice was sent, by its record."""
    record = stage.storage.notice_records.read_many([user_id])[user_id]
    assert record
    return record.noticed_at


def test_posts_of_a_moment_are_one_push_and_the_next_one_comes_after_the_window(
    stage: Stage, service: PushService, settings: WebPushSettings, people: Watched
) -> None:
    author = stage.town.user("Ana")
    reader = people.reader(author, browser=service.browser())
    with notifying(stage, settings):
        for _ in range(3):
            post_now(people, author, reader)
        eventually(lambda: service.payloads, seconds=BOUND_SECONDS)
        assert [one["body"] for one in service.payloads] == ["3 new photos from Ana"]
        first = noticed_at(stage, reader)
        post_now(people, author, reader)
        eventually(lambda: len(service.payloads) == 2, seconds=BOUND_SECONDS)
        assert noticed_at(stage, reader) - first >= TIMES.window_ms
    assert [one["body"] for one in service.payloads][1:] == ["Ana posted a photo"]
    assert {one["tag"] for one in service.payloads} == {"photofeed"}


def test_two_notifiers_send_one_push(
    stage: Stage, service: PushService, settings: WebPushSettings, people: Watched
) -> None:
    author = stage.town.user("Ana")
    readers = [people.reader(author, browser=service.browser()) for _ in range(4)]
    with notifying(stage, settings), notifying(stage, settings):
        post_now(people, author, *readers)
        eventually(lambda: len(service.payloads) >= len(readers), seconds=BOUND_SECONDS)
        post_now(people, author, *readers)
        eventually(lambda: len(service.payloads) >= 2 * len(readers), seconds=BOUND_SECONDS)
    assert len(service.payloads) == 2 * len(readers)


def test_a_push_service_that_fails_gets_the_message_again(
    stage: Stage,
    service: PushService,
    settings: WebPushSettings,
    people: Watched,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("workers.notices.push.retrying.FIRST_PAUSE_SECONDS", 1.0)
    author = stage.town.user("Ana")
    reader = people.reader(author, browser=service.browser())
    service.answer(503, 429, 201)
    with notifying(stage, settings):
        post_now(people, author, reader)
        eventually(lambda: len(service.received) == 3, seconds=BOUND_SECONDS)
    assert {one["body"] for one in service.payloads} == {"Ana posted a photo"}


def test_a_notice_whose_outcome_could_not_be_recorded_is_sent_again(
    stage: Stage,
    service: PushService,
    settings: WebPushSettings,
    people: Watched,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    finish, failures = Decider.finish, [StorageUnavailableError("queue", "cut")]

    def fail_once(self: Decider, notices: Any, now_ms: int) -> dict[int, int]:
        if failures:
            raise failures.pop()
        return finish(self, notices, now_ms)

    monkeypatch.setattr(Decider, "finish", fail_once)
    monkeypatch.setattr(planning, "CLAIM_SECONDS", 1)
    author = stage.town.user("Ana")
    reader = people.reader(author, browser=service.browser())
    with notifying(stage, settings):
        post_now(people, author, reader)
        eventually(lambda: len(service.payloads) == 2, seconds=BOUND_SECONDS)
    assert {one["body"] for one in service.payloads} == {"Ana posted a photo"}


def test_a_subscription_that_is_gone_is_removed(
    stage: Stage, service: PushService, settings: WebPushSettings, people: Watched
) -> None:
    author = stage.town.user("Ana")
    reader = people.reader(author, browser=service.browser())
    service.answer(410)
    with notifying(stage, settings):
        post_now(people, author, reader)
        eventually(
            lambda: not stage.graph.push_subscriptions.of_user(reader), seconds=BOUND_SECONDS
        )
