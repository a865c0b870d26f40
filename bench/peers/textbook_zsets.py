"""The textbook's timelines: a ZSET a user, ZADD and ZREMRANGEBYRANK in redis-py's pipeline."""

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from bench.stage.caches import CAP, Cache
from bench.stage.cores import thread_seconds
from bench.stage.lists import draw_post_ids, draw_user_ids
from bench.stage.measurement import Measurement

BATCH = 1_000
"""Followers a pipeline."""


@dataclass(slots=True, kw_only=True)
class Zsets:
    """ZSETs, filled with the posts `ids` up to CAP."""

    cache: Cache
    keys: Sequence[str]
    ids: list[int]
    pushed_ids: list[int] = field(default_factory=list)

    def push(self, posts: Sequence[int]) -> Measurement:
        """Inserts a second over all posts, each pushed to every user."""
        redis_before, ours_before = self.cache.cpu_seconds(), thread_seconds()
        began = time.perf_counter()
        for post_id in posts:
            for start in range(0, len(self.keys), BATCH):
                self._push(self.keys[start : start + BATCH], post_id)
            self.pushed_ids.append(post_id)
        seconds = time.perf_counter() - began
        inserts = len(posts) * len(self.keys)
        return Measurement(
            value=inserts / seconds,
            cpu_us={
                "python": 1e6 * (thread_seconds() - ours_before) / inserts,
                "redis": 1e6 * (self.cache.cpu_seconds() - redis_before) / inserts,
            },
        )

    def _push(self, keys: Sequence[str], post_id: int) -> None:
        with self.cache.client.pipeline(transaction=False) as pipe:
            for key in keys:
                pipe.zadd(key, {str(post_id): post_id})
                pipe.zremrangebyrank(key, 0, -CAP - 1)
            pipe.execute()

    def count_wrong(self) -> int:
        """The number of ZSETs that do not hold exactly the newest CAP posts."""
        expected = [b"%d" % i for i in (*self.ids, *self.pushed_ids)][-CAP:]
        replies = self.cache.replies(("ZRANGE", key, 0, -1) for key in self.keys)
        return sum(entries != expected for entries in replies)

    def remove(self) -> None:
        """Remove the ZSETs."""
        self.cache.run(("UNLINK", key) for key in self.keys)


def create_zsets(cache: Cache, count: int, generator: random.Random) -> Zsets:
    """ZSETs of new users, copied within the server."""
    keys = [f"tz:{user_id:014x}" for user_id in draw_user_ids(count, generator)]
    ids = draw_post_ids(CAP, generator)
    cache.client.zadd("template", {str(i): i for i in ids})
    cache.run(("COPY", "template", key) for key in keys)
    cache.client.delete("template")
    return Zsets(cache=cache, keys=generator.sample(keys, count), ids=ids)
