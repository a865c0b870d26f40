"""N2: the notifier's walk over subscribers, against a bare pipelined LINDEX of as many."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from bench.rows.row import Check, Row, Sides
from bench.rows.timelines import push_stage
from bench.stage.cores import CLIENT, on_core
from bench.stage.measurement import Measurement
from bench.stage.run_context import RunContext
from graph.ids import new_id
from storage.notices.newest_notifications import RAISE, pack_raise
from storage.redis.partitions import partition_of
from storage.redis.protocol import pack
from storage.timeline_layout import timeline_key
from workers.notices.walking import PAGE, PartitionWalk


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
    by_partition: dict[int, list[int]] = {}
    for user_id in user_ids:
        by_partition.setdefault(partition_of(user_id), []).append(user_id)
    walks = [PartitionWalk(stage.cache.storage.subscriber_walk) for _ in by_partition]
    for walk, users in zip(walks, by_partition.values(), strict=True):
        walk.set_users(users)
        list(walk.look())
    buffers = [
        [pack(b"LINDEX", timeline_key(user_id), -1) for user_id in users]
        for users in by_partition.values()
    ]

    def look_at_all() -> int:
        return sum(1 for walk in walks for _ in walk.look())

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
        id="N2",
        title="subscribers that the notifier walks a second : bare pipelined LINDEX of as many",
        unit="users/s",
        target=0.5,
        better="higher",
        open=_walk,
    ),
)
