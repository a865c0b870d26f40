"""A notifier without its loop and its network, under a clock of the test; and who it watches."""

import time
from datetime import UTC, datetime, timedelta

from drill.support.push_service import Browser
from graph.ids import new_id, random_id
from graph.push_subscriptions import PushSubscription
from storage.redis.partitions import partition_of
from tests.support.stage import ProxiedStores, Stage
from workers.notices.deciding import Decider
from workers.notices.dispatching import Dispatcher
from workers.notices.due import NoticeTimes
from workers.notices.planning import Notice
from workers.notices.push.messages import Outcome, Result
from workers.notices.subscribers import PartitionSubscribers

TIMES = NoticeTimes(delay_ms=30_000, window_ms=600_000)


class Clock:
    """Unix milliseconds; it moves only when it is told."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Begin now: what exists has older ids than what comes from now on."""
        self.began_ms = self.now_ms = time.time_ns() // 1_000_000 + 1

    def at(self, seconds: float) -> int:
        """The time so many seconds after the begin; it is the time from now on."""
        self.now_ms = self.began_ms + int(seconds * 1000)
        return self.now_ms


class Watched:
    """People on a stage: readers with browsers, and authors who post at times of the clock."""

    def __init__(self, stage: Stage, clock: Clock) -> None:
        self.stage, self.clock = stage, clock

    def reader(self, *authors: int, browser: Browser | None = None) -> int:
        """A new user who follows the authors, has a timeline, and has subscribed.

        The clock begins anew.
        """
        user_id = self.stage.town.user()
        self.stage.town.add_followees(user_id, *authors)
        self.stage.build(user_id)
        self.subscribe(user_id, browser)
        self.clock.begin()
        return user_id

    def subscribe(self, user_id: int, browser: Browser | None = None) -> PushSubscription:
        """A new session of the user in a browser, by default one of no push service."""
        graph = self.stage.graph
        created = graph.sessions.create(
            session_id=new_id(),
            user_id=user_id,
            secret_sha256="5e" * 32,
            expires_at=datetime.now(UTC) + timedelta(hours=1),
        )
        stored, _ = graph.push_subscriptions.create(
            (browser or Browser("https://push.test")).new_subscription,
            user_id=user_id,
            session_id=created.session.id,
        )
        return stored

    def post(self, author_id: int, *readers: int, seconds: float | None = None) -> int:
        """A post, delivered to readers, so many seconds after the begin; by default now."""
        if seconds is not None:
            self.clock.at(seconds)
        post_id = random_id(self.clock.now_ms)
        self.stage.town.old_posts(author_id, [post_id])
        self.stage.storage.timelines.push(readers, post_id, read_at=time.monotonic())
        return post_id


class SteppedNotifier:
    """Watches the partition of one user, and decides when the test says so."""

    def __init__(self, stores: Stage | ProxiedStores, clock: Clock, user_id: int) -> None:
        self.stores = stores
        self.clock = clock
        self.user_id = user_id
        self.deciding_seconds = 0.0
        """What a clock shows that measures how long a decision takes."""
        decider = Decider(stores.graph, stores.storage, TIMES, clock=lambda: self.deciding_seconds)
        self.dispatcher = Dispatcher(decider, TIMES)
        self.subscribers = PartitionSubscribers(
            stores.graph, stores.storage, TIMES, partition_of(user_id), clock.now_ms
        )
        self.step()

    def restarted(self) -> "SteppedNotifier":
        """The next notifier, which has looked once. This one counts as killed."""
        return SteppedNotifier(self.stores, self.clock, self.user_id)

    def step(self) -> list[Notice]:
        """Look once, and decide for those who are due; the notices of the user, unsent."""
        arrivals = self.subscribers.look()
        self.dispatcher.add(one for one in arrivals if one.waiting.user_id == self.user_id)
        notices, _ = self.dispatcher.take(self.clock.now_ms)
        return notices

    def texts(self) -> list[str]:
        """A step whose notices are delivered; their texts."""
        notices = self.step()
        for notice in notices:
            self.answer(notice, *[Result.DELIVERED] * len(notice.messages))
        return [one.payload.body for notice in notices for one in notice.messages]

    def texts_until(self, seconds: float, *, every: float = 5.0) -> list[str]:
        """The texts of all steps up to this time after the begin."""
        texts: list[str] = []
        at = (self.clock.now_ms - self.clock.began_ms) / 1000
        while at < seconds:
            at = min(seconds, at + every)
            self.clock.at(at)
            texts += self.texts()
        return texts

    def answer(self, notice: Notice, *results: Result, retry_seconds: float = 15) -> None:
        """Record the answers of push services to the messages of a notice."""
        outcomes = [
            Outcome(
                result=result,
                tries=message.tries + 1,
                pause_seconds=retry_seconds if result is Result.LATER else 0.0,
            )
            for message, result in zip(notice.messages, results, strict=True)
        ]
        self.dispatcher.finish([(notice, outcomes)], self.clock.now_ms)
