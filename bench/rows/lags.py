"""L1 and L2: from the 201 to the feed of whoever is last in the fan-out, against the least.

The least is a job that does nothing, through the same queue and worker, and the followers at the
rate of the store's push alone.
"""

import secrets
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from statistics import median

import requests
from rq import Queue
from rq.serializers import JSONSerializer

from bench.peers.bare_driver import Bare, ready_photos
from bench.rows.fan_out import EVENTS_OF, publish, push_alone
from bench.rows.row import Check, Measured, Row, Sides, Sizes
from bench.rows.writes import CAPTION
from bench.stage.proof import wrong_lists
from bench.stage.stage import WORKERS, Ours, Stage, stage_of
from bench.stage.town import Name
from graph.event_kinds import FANOUT, FANOUT_LARGE
from storage.queues import JOB

NOBODYS_EVENT = 1
"""An id that no event has: its job finds nothing to do."""

LAG_SECONDS = 60.0
LOOK_SECONDS = 0.0005
ASK_SECONDS = 30.0

POSTS = {"10": 67, "10k": 34, "everybody": 4}
"""Of a turn: with three turns some 200, 100 and 10."""
QUICK_POSTS = 3
SMALL_POSTS = 40
"""L2: of a turn."""
SMALL_PAUSE_SECONDS = 0.02


class Lags:
    """One author's posts on their way to the last of their followers."""

    def __init__(self, stage: Stage, bare: Bare, ours: Ours, author: int) -> None:
        self.stage = stage
        self.bare = bare
        self.ours = ours
        self.author = author
        self.followers: Sequence[int] = stage.town.followers(author)
        self._client = requests.Session()
        self._client.trust_env = False
        [self._author_token] = self.stage.tokens([self.author])
        self._last_id = stage.town.user_id(self.followers[-1])
        [self._last_token] = self.stage.tokens([self.followers[-1]])
        if not self._last_list():
            raise RuntimeError("whoever is last in the fan-out has no list to wait for")
        large = len(self.followers) > stage.graph.connection.settings.large_audience
        self._jobs = Queue(
            FANOUT_LARGE if large else FANOUT,
            connection=self.stage.storage.queue.client,
            serializer=JSONSerializer,
        )

    def lag(self) -> float:
        """Seconds from a 201 to the post at the top of the last follower's feed, and in their list.

        A page that the list does not prove comes from the graph, which has the post at once.
        """
        post_id = self.posted()
        began = time.perf_counter()
        while self._newest() < post_id or post_id not in self._last_list():
            if time.perf_counter() - began > LAG_SECONDS:
                raise RuntimeError(f"post {post_id} has not arrived after {LAG_SECONDS} s")
            time.sleep(LOOK_SECONDS)
        return time.perf_counter() - began

    def posted(self) -> int:
        """The id of a post made over HTTP."""
        [photo_id] = ready_photos(self.bare, [self.stage.town.user_id(self.author)])
        answer = self._client.post(
            f"{self.ours.url}/v1/me/feed",
            json={"photo_ids": [str(photo_id)], "caption": CAPTION},
            headers={
                "Authorization": f"Bearer {self._author_token}",
                "Idempotency-Key": secrets.token_hex(12),
            },
            timeout=ASK_SECONDS,
        )
        answer.raise_for_status()
        post_id = int(answer.json()["id"])
        self.stage.note(self.author, [post_id])
        return post_id

    def _newest(self) -> int:
        answer = self._client.get(
            f"{self.ours.url}/v1/me/feed?limit=1",
            headers={"Authorization": f"Bearer {self._last_token}"},
            timeout=ASK_SECONDS,
        )
        answer.raise_for_status()
        return int(answer.json()["posts"][0]["id"])

    def _last_list(self) -> list[int]:
        return self.stage.storage.timelines.whole(self._last_id)

    def nothing(self) -> float:
        """Seconds from the bell of a job that does nothing to its end."""
        began = time.perf_counter()
        job = self._jobs.enqueue(JOB, NOBODYS_EVENT, 0, result_ttl=0, failure_ttl=60)
        while self.stage.storage.queue.client.exists(job.key):
            if time.perf_counter() - began > LAG_SECONDS:
                raise RuntimeError("a job that does nothing has not ended")
            time.sleep(LOOK_SECONDS)
        return time.perf_counter() - began

    def pushed(self) -> float:
        """Seconds of the store's push of one more post to all of the followers."""
        event = publish(self.stage, self.bare, self.author)
        self.stage.graph.events.claim(event.id, event.epoch)
        user_ids = [self.stage.town.user_id(index) for index in (self.author, *self.followers)]
        seconds = push_alone(self.stage, user_ids, event.subject_id)
        self.stage.graph.events.finish(event.id, event.epoch + 1)
        return seconds

    def settled(self) -> None:
        """Returns when nothing is owed for the author. Raises RuntimeError."""
        until = time.monotonic() + LAG_SECONDS
        while self.bare.ask(EVENTS_OF, author_id=self.stage.town.user_id(self.author))[0]["count"]:
            if time.monotonic() > until:
                raise RuntimeError("events are left")
            time.sleep(LOOK_SECONDS)

    def check(self) -> Check:
        """Every post in every follower's list, once."""
        self.settled()
        return Check(
            what="lists of followers that hold every post once",
            count=len(self.followers),
            passed=not wrong_lists(self.stage, self.followers),
        )


def p99(values: Sequence[float]) -> float:
    """The value below which 99 in 100 lie; of fewer than 100 the largest."""
    return sorted(values)[min(len(values) - 1, int(len(values) * 0.99))]


@contextmanager
def _lags(sizes: Sizes, author: int) -> Iterator[Lags]:
    stage = stage_of(sizes)
    with Bare(stage) as bare:
        ours = stage.ours("api", *WORKERS)
        yield Lags(stage, bare, ours, author)


def _arrives(
    name: Name, of: Callable[[Sequence[float]], float]
) -> Callable[[Sizes], AbstractContextManager[Sides]]:
    @contextmanager
    def ready(sizes: Sizes) -> Iterator[Sides]:
        author = stage_of(sizes).town.author(name)
        with _lags(sizes, author) as lags:
            count = QUICK_POSTS if sizes.quick else POSTS[name]
            all_of_ours: list[float] = []

            def ours() -> Measured:
                found = []
                for _ in range(count):
                    found.append(lags.lag())
                    lags.settled()
                all_of_ours.extend(found)
                return Measured(value=1000 * of(found))

            def against() -> Measured:
                pushed = lags.pushed()
                return Measured(value=1000 * of([lags.nothing() + pushed for _ in range(count)]))

            yield Sides(
                ours=ours,
                against=against,
                check=lags.check,
                context=lambda: {
                    "p50, ms": 1000 * median(all_of_ours),
                    "p99, ms": 1000 * p99(all_of_ours),
                },
                sizes={"users": lags.stage.town.users, "followers": len(lags.followers)},
            )

    return ready


@contextmanager
def _beside_a_large_one(sizes: Sizes) -> Iterator[Sides]:
    """L2: small authors' posts, while the largest audience is being fanned out to, again and again.

    Small authors pause between their posts, so that these fall on any moment of the large one.
    """
    town = stage_of(sizes).town
    with (
        _lags(sizes, town.author("10")) as small,
        _lags(sizes, town.author("everybody")) as large,
    ):
        count = QUICK_POSTS if sizes.quick else SMALL_POSTS

        def lags() -> Measured:
            found = []
            for _ in range(count):
                found.append(small.lag())
                time.sleep(SMALL_PAUSE_SECONDS)
            small.settled()
            return Measured(value=1000 * p99(found))

        def beside() -> Measured:
            with _again_and_again(large):
                found = lags()
            large.settled()
            return found

        def check() -> Check:
            large.settled()
            return small.check()

        yield Sides(
            ours=beside,
            against=lags,
            check=check,
            sizes={"users": town.users, "followers": len(large.followers)},
        )


@contextmanager
def _again_and_again(large: Lags) -> Iterator[None]:
    """The large author posts whenever their last post has reached everybody."""
    over = threading.Event()
    failed: list[Exception] = []

    def post() -> None:
        try:
            while not over.is_set():
                large.posted()
                large.settled()
        except Exception as error:  # noqa: BLE001  (raised below, where the row is)
            failed.append(error)

    thread = threading.Thread(target=post, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(LAG_SECONDS)
    if failed:
        raise failed[0]


def _rows(suffix: str, name: Name) -> tuple[Row, Row]:
    against = "a job that does nothing, and the push alone"
    return (
        Row(
            id=f"L1@{suffix}/p50",
            title=f"lag to the last of {suffix} followers, p50 : {against}",
            unit="ms",
            target=2,
            better="lower",
            ready=_arrives(name, median),
        ),
        Row(
            id=f"L1@{suffix}/p99",
            title=f"lag to the last of {suffix} followers, p99 : {against}",
            unit="ms",
            target=4,
            better="lower",
            ready=_arrives(name, p99),
        ),
    )


ROWS = (
    *_rows("10", "10"),
    *_rows("10k", "10k"),
    Row(
        id="L2",
        title="small authors' lag, p99, while the largest fan-out runs : without it",
        unit="ms",
        target=1.5,
        better="lower",
        ready=_beside_a_large_one,
    ),
)
LARGEST = _rows("1M", "everybody")
"""Only where the town has a million."""
