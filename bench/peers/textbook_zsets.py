"""The textbook's timeline: a ZSET a user, ZADD and ZREMRANGEBYRANK in redis-py's pipeline."""

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from bench.rows.row import Measured
from bench.stage.caches import CAP, Cache
from bench.stage.cores import own_seconds
from bench.stage.lists import post_ids, user_ids

BATCH = 1_000
"""Followers a pipeline."""


@dataclass(slots=True, kw_only=True)
class Zsets:
    """Users with ZSETs, each full at CAP."""

    cache: Cache
    keys: Sequence[str]
    ids: list[int]
    pushed: list[int] = field(default_factory=list)

    def push(self, posts: Sequence[int]) -> Measured:
        """Inserts a second of all posts together, each pushed to every user."""
        redis_before, ours_before = self.cache.seconds(), own_seconds()
        began = time.perf_counter()
        for post_id in posts:
            for at in range(0, len(self.keys), BATCH):
                self._push(self.keys[at : at + BATCH], post_id)
            self.pushed.append(post_id)
        seconds = time.perf_counter() - began
        inserts = len(posts) * len(self.keys)
        return Measured(
            value=inserts / seconds,
            cpu_us={
                "python": 1e6 * (own_seconds() - ours_before) / inserts,
                "redis": 1e6 * (self.cache.seconds() - redis_before) / inserts,
            },
        )

    def _push(self, keys: Sequence[str], post_id: int) -> None:
        with self.cache.bare.pipeline(transaction=False) as pipe:
            for key in keys:
                pipe.zadd(key, {str(post_id): post_id})
                pipe.zremrangebyrank(key, 0, -CAP - 1)
            pipe.execute()

    def wrong(self) -> int:
        """How many of the ZSETs do not hold just the newest CAP."""
        expected = [b"%d" % i for i in (*self.ids, *self.pushed)][-CAP:]
        replies = self.cache.ask(("ZRANGE", key, 0, -1) for key in self.keys)
        return sum(entries != expected for entries in replies)

    def forget(self) -> None:
        """Removes them."""
        for _ in self.cache.ask(("UNLINK", key) for key in self.keys):
            pass


def filled_zsets(cache: Cache, count: int, generator: random.Random) -> Zsets:
    """So many ZSETs, copied within the server."""
    keys = [f"tz:{user_id:014x}" for user_id in user_ids(count, generator)]
    ids = post_ids(CAP, generator)
    cache.bare.zadd("template", {str(i): i for i in ids})
    for _ in cache.ask(("COPY", "template", key) for key in keys):
        pass
    cache.bare.delete("template")
    return Zsets(cache=cache, keys=generator.sample(keys, count), ids=ids)
