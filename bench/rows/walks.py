"""N1, N2: what it costs to watch timelines, for the fan-out and for who watches."""

import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Self

from bench.rows.row import Check, Row, Sides
from bench.rows.timelines import PushStage, push_stage
from bench.stage.caches import Cache
from bench.stage.cores import CLIENT, on_core
from bench.stage.measurement import Measurement
from bench.stage.run_context import RunContext
from graph.ids import new_id
from storage import windows
from storage.notices.newest_notifications import RAISE, pack_newest, pack_raise
from storage.redis.partitions import partition_of
from storage.redis.protocol import pack
from storage.timeline_layout import timeline_key
from workers.notices.walking import PAGE, PartitionWalk

SUBSCRIBED_SHARE, STREAMING_SHARE = 0.1, 0.02
"""Of the followers: with a push subscription, and with an open live stream."""

STREAMS_A_BUFFER = 32
WINDOW = 24 - windows.EXTRA_ENTRIES
"""As a process of the API looks at its streams: 24 entries."""

PERIOD_SECONDS = 1.0


class _Watchers:
    """A thread that looks at timelines once a second, as a notifier and the live streams do.

    A context manager. The buffers are spread over the second.
    """

    def __init__(self, cache: Cache, user_ids: Sequence[int], generator: random.Random) -> None:
        subscribed = generator.sample(user_ids, round(SUBSCRIBED_SHARE * len(user_ids)))
        streaming = generator.sample(user_ids, round(STREAMING_SHARE * len(user_ids)))
        self._looks: list[Callable[[], object]] = [
            partial(_look_at_all, walk) for walk in _walks(cache, subscribed)
        ]
        for start in range(0, len(streaming), STREAMS_A_BUFFER):
            commands = [
                command
                for user_id in streaming[start : start + STREAMS_A_BUFFER]
                for command in (windows.pack_newest(user_id, WINDOW), pack_newest(user_id))
            ]
            self._looks.append(partial(cache.storage.cache.execute, commands))
        generator.shuffle(self._looks)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        pause = PERIOD_SECONDS / len(self._looks)
        while not self._stop.is_set():
            for look in self._looks:
                look()
                if self._stop.wait(pause):
                    return


def _look_at_all(walk: PartitionWalk) -> int:
    """How many users of the walk have something new."""
    return sum(1 for _ in walk.look())


def _walks(cache: Cache, user_ids: Sequence[int]) -> list[PartitionWalk]:
    """A walk for each partition of these users."""
    walks = []
    for users in _by_partition(user_ids).values():
        walk = PartitionWalk(cache.storage.subscriber_walk)
        walk.set_users(users)
        walks.append(walk)
    return walks


def _by_partition(user_ids: Sequence[int]) -> dict[int, list[int]]:
    by_partition: dict[int, list[int]] = {}
    for user_id in user_ids:
        by_partition.setdefault(partition_of(user_id), []).append(user_id)
    return by_partition


def _push_cost(stage: PushStage) -> Measurement:
    """CPU µs an insert, of the fan-out's thread and of Redis."""
    cpu_us = stage.push().cpu_us
    return Measurement(value=sum(cpu_us.values()), cpu_us=cpu_us)


@contextmanager
def _watched_push(run: RunContext) -> Iterator[Sides]:
    stage = push_stage(run)

    def watched() -> Measurement:
        with _Watchers(stage.cache, stage.lists.user_ids, random.Random(run.seed)):
            return _push_cost(stage)

    with on_core(CLIENT):
        yield Sides(
            ours=watched,
            against=lambda: _push_cost(stage),
            check=stage.check,
            sizes=stage.sizes,
        )


def _rate(users: int, walk: Callable[[], object], seconds: float) -> Measurement:
    """Users a second, by whole walks."""
    began, walks = time.monotonic(), 0
    while time.monotonic() - began < seconds:
        walk()
        walks += 1
    return Measurement(value=walks * users / (time.monotonic() - began))


@contextmanager
def _walk(run: RunContext) -> Iterator[Sides]:
    stage = push_stage(run)
    server, user_ids = stage.cache.storage.cache, list(stage.lists.user_ids)
    numbers = [pack_raise(user_id, new_id()) for user_id in user_ids]
    for start in range(0, len(numbers), PAGE):
        server.execute(numbers[start : start + PAGE], RAISE)
    by_partition = _by_partition(user_ids)
    walks = _walks(stage.cache, user_ids)
    for walk in walks:
        list(walk.look())
    buffers = [
        [pack(b"LINDEX", timeline_key(user_id), -1) for user_id in users]
        for users in by_partition.values()
    ]

    def look_at_all() -> int:
        return sum(map(_look_at_all, walks))

    def bare() -> None:
        for buffer in buffers:
            server.pool.execute(b"".join(buffer), len(buffer))

    def check() -> Check:
        """The walk sees a new post of every user, and then nothing any more."""
        stage.push()
        seen, again = look_at_all(), look_at_all()
        return Check(
            what="users of whom the walk sees a new post, once",
            count=len(user_ids),
            passed=seen == len(user_ids) and again == 0,
        )

    with on_core(CLIENT):
        yield Sides(
            ours=lambda: _rate(len(user_ids), look_at_all, run.seconds),
            against=lambda: _rate(len(user_ids), bare, run.seconds),
            check=check,
            sizes={"subscribers": len(user_ids), "partitions": len(walks)},
        )


ROWS = (
    Row(
        id="N1",
        title="CPU of an insert, a tenth of the followers subscribed : nobody",
        unit="µs",
        target=1.05,
        better="lower",
        open=_watched_push,
    ),
    Row(
        id="N2",
        title="subscribers that the notifier walks a second : bare pipelined LINDEX of as many",
        unit="users/s",
        target=0.5,
        better="higher",
        open=_walk,
    ),
)
