"""L1 and L2: the time from a 201 to the feed of the fan-out's last follower, against the least.

The least time is that of a job that does nothing, through the same queue and worker, plus that of
the store's push alone to the same followers.
"""

import secrets
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from statistics import median

import requests
from rq import Queue
from rq.serializers import JSONSerializer

from bench.peers.bare_driver import BareDriver, create_photos
from bench.rows.fan_out import count_events, publish_and_push
from bench.rows.row import Check, OpenSides, Row, Sides
from bench.rows.writes import CAPTION
from bench.stage.measurement import Measurement
from bench.stage.processes import WORKERS, Processes
from bench.stage.proof import count_wrong_lists
from bench.stage.run_context import RunContext
from bench.stage.stage import Stage, stage_of
from bench.stage.town import Name
from graph.event_kinds import FANOUT, FANOUT_LARGE
from storage.bell_jobs import JOB_FUNCTION

NO_SHARD = 99
"""A shard without events: its job does nothing."""

LAG_SECONDS = 60.0
"""Time limit of a post, a job, or all events of an author."""
POLL_SECONDS = 0.0005
REQUEST_SECONDS = 30.0

POSTS = {"10": 67, "10k": 34, "everybody": 4}
"""Posts a turn, by audience: in three turns some 200, 100 and 10."""
QUICK_POSTS = 3
SMALL_POSTS = 40
"""L2: posts a turn."""
SMALL_PAUSE_SECONDS = 0.02
"""L2: between two posts of the small author, so that they fall on any moment of the large one."""


class Lags:
    """The posts of one author, published over HTTP and watched for at the last follower."""

    def __init__(self, stage: Stage, driver: BareDriver, processes: Processes, author: int) -> None:
        self._stage = stage
        self._driver = driver
        self._processes = processes
        self._author = author
        self.followers: Sequence[int] = stage.town.followers(author)
        self._client = requests.Session()
        self._client.trust_env = False
        [self._author_token] = stage.tokens([author])
        self._last_id = stage.town.user_id(self.followers[-1])
        [self._last_token] = stage.tokens([self.followers[-1]])
        if not self._last_list():
            raise RuntimeError("the last follower of the fan-out has no list")
        large = len(self.followers) > stage.graph.connection.settings.large_audience
        self._jobs = Queue(
            FANOUT_LARGE if large else FANOUT,
            connection=stage.storage.queue.client,
            serializer=JSONSerializer,
        )

    def measure_lag(self) -> float:
        """Seconds from a 201 until the last follower's feed and list have the post.

        The feed alone is no proof: if the list does not prove a page, the graph answers it, and
        has the post at once.
        """
        post_id = self.publish()
        began = time.perf_counter()
        while self._newest_id() < post_id or post_id not in self._last_list():
            if time.perf_counter() - began > LAG_SECONDS:
                raise RuntimeError(f"post {post_id} has not arrived after {LAG_SECONDS} s")
            time.sleep(POLL_SECONDS)
        return time.perf_counter() - began

    def publish(self) -> int:
        """Publish a post over HTTP; returns its id."""
        [photo_id] = create_photos(self._driver, [self._stage.town.user_id(self._author)])
        answer = self._client.post(
            f"{self._processes.url}/v1/me/feed",
            json={"photo_ids": [str(photo_id)], "caption": CAPTION},
            headers={
                "Authorization": f"Bearer {self._author_token}",
                "Idempotency-Key": secrets.token_hex(12),
            },
            timeout=REQUEST_SECONDS,
        )
        answer.raise_for_status()
        post_id = int(answer.json()["id"])
        self._stage.note_posts(self._author, [post_id])
        return post_id

    def _newest_id(self) -> int:
        answer = self._client.get(
            f"{self._processes.url}/v1/me/feed?limit=1",
            headers={"Authorization": f"Bearer {self._last_token}"},
            timeout=REQUEST_SECONDS,
        )
        answer.raise_for_status()
        return int(answer.json()["posts"][0]["id"])

    def _last_list(self) -> list[int]:
        return self._stage.storage.timelines.entries(self._last_id)

    def measure_empty_job(self) -> float:
        """Seconds from queueing a job that does nothing to its end."""
        began = time.perf_counter()
        job = self._jobs.enqueue(JOB_FUNCTION, FANOUT, NO_SHARD, result_ttl=0, failure_ttl=60)
        while self._stage.storage.queue.client.exists(job.key):
            if time.perf_counter() - began > LAG_SECONDS:
                raise RuntimeError("a job that does nothing has not ended")
            time.sleep(POLL_SECONDS)
        return time.perf_counter() - began

    def measure_push(self) -> float:
        """Seconds of the store's push of another post to all followers."""
        user_ids = [self._stage.town.user_id(index) for index in (self._author, *self.followers)]
        return publish_and_push(self._stage, self._driver, self._author, user_ids)

    def wait(self) -> None:
        """Return when no event of the author is left. Raises RuntimeError."""
        until = time.monotonic() + LAG_SECONDS
        while count_events(self._stage, self._driver, self._author):
            if time.monotonic() > until:
                raise RuntimeError("events are left")
            time.sleep(POLL_SECONDS)

    def check(self) -> Check:
        """Over the lists of all followers."""
        self.wait()
        return Check(
            what="lists of followers that hold every post once",
            count=len(self.followers),
            passed=not count_wrong_lists(self._stage, self.followers),
        )


def p99(values: Sequence[float]) -> float:
    """The value below which 99 in 100 lie; of fewer than 100 values the largest."""
    return sorted(values)[min(len(values) - 1, int(len(values) * 0.99))]


@contextmanager
def _lags(run: RunContext, author: int) -> Iterator[Lags]:
    stage = stage_of(run)
    with BareDriver(stage) as driver:
        processes = stage.processes("api", *WORKERS)
        yield Lags(stage, driver, processes, author)


def _lag_row(name: Name, quantile: Callable[[Sequence[float]], float]) -> OpenSides:
    @contextmanager
    def open_sides(run: RunContext) -> Iterator[Sides]:
        town = stage_of(run).town
        with _lags(run, town.author(name)) as lags:
            count = QUICK_POSTS if run.quick else POSTS[name]
            all_seconds: list[float] = []

            def ours() -> Measurement:
                seconds = []
                for _ in range(count):
                    seconds.append(lags.measure_lag())
                    lags.wait()
                all_seconds.extend(seconds)
                return Measurement(value=1000 * quantile(seconds))

            def against() -> Measurement:
                push = lags.measure_push()
                seconds = [lags.measure_empty_job() + push for _ in range(count)]
                return Measurement(value=1000 * quantile(seconds))

            yield Sides(
                ours=ours,
                against=against,
                check=lags.check,
                context=lambda: {
                    "p50, ms": 1000 * median(all_seconds),
                    "p99, ms": 1000 * p99(all_seconds),
                },
                sizes={"users": town.users, "followers": len(lags.followers)},
            )

    return open_sides


@contextmanager
def _lag_beside_large(run: RunContext) -> Iterator[Sides]:
    """L2: lag of a small author's posts, during and without fan-outs to the largest audience."""
    town = stage_of(run).town
    with (
        _lags(run, town.author("10")) as small,
        _lags(run, town.author("everybody")) as large,
    ):
        count = QUICK_POSTS if run.quick else SMALL_POSTS

        def measure_small() -> Measurement:
            seconds = []
            for _ in range(count):
                seconds.append(small.measure_lag())
                time.sleep(SMALL_PAUSE_SECONDS)
            small.wait()
            return Measurement(value=1000 * p99(seconds))

        def measure_beside_large() -> Measurement:
            with _publishing_repeatedly(large):
                measurement = measure_small()
            large.wait()
            return measurement

        def check() -> Check:
            large.wait()
            return small.check()

        yield Sides(
            ours=measure_beside_large,
            against=measure_small,
            check=check,
            sizes={"users": town.users, "followers": len(large.followers)},
        )


@contextmanager
def _publishing_repeatedly(large: Lags) -> Iterator[None]:
    """Meanwhile a thread publishes the large author's next post when the last one is delivered."""
    stop = threading.Event()
    errors: list[Exception] = []

    def publish() -> None:
        try:
            while not stop.is_set():
                large.publish()
                large.wait()
        except Exception as error:  # noqa: BLE001  (raised below, in the row's thread)
            errors.append(error)

    thread = threading.Thread(target=publish, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(LAG_SECONDS)
    if errors:
        raise errors[0]


def _rows(suffix: str, name: Name) -> tuple[Row, Row]:
    against = "a job that does nothing, and the push alone"
    return (
        Row(
            id=f"L1@{suffix}/p50",
            title=f"lag to the last of {suffix} followers, p50 : {against}",
            unit="ms",
            target=2,
            better="lower",
            open=_lag_row(name, median),
        ),
        Row(
            id=f"L1@{suffix}/p99",
            title=f"lag to the last of {suffix} followers, p99 : {against}",
            unit="ms",
            target=4,
            better="lower",
            open=_lag_row(name, p99),
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
        open=_lag_beside_large,
    ),
)
LARGEST = _rows("1M", "everybody")
"""Only for a town of a million users."""
