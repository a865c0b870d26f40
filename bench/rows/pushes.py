"""The product's push, called as a fan-out calls it: one page of followers after the other."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from bench.stage.caches import Cache
from bench.stage.cores import thread_seconds
from bench.stage.lists import Lists
from bench.stage.measurement import Measurement

PAGE = 25_000
"""Followers that the fan-out reads, and pushes to, at once."""


@dataclass(slots=True, kw_only=True)
class PushTurn:
    """A turn: some posts, each pushed to all users."""

    rates: list[float]
    """Inserts a second of each post."""
    inserts: int
    seconds: float
    python_seconds: float
    """CPU time of this thread."""
    redis_seconds: float
    """CPU time of Redis."""
    keys_created: int
    """0 if the push is right: it creates no list."""

    @property
    def cpu_us(self) -> dict[str, float]:
        """CPU µs an insert, by process."""
        return {
            "python": 1e6 * self.python_seconds / self.inserts,
            "redis": 1e6 * self.redis_seconds / self.inserts,
        }

    def best_rate(self) -> Measurement:
        """Inserts a second of the fastest post."""
        return Measurement(value=max(self.rates), cpu_us=self.cpu_us)

    def mean_rate(self) -> Measurement:
        """Inserts a second over all posts."""
        return Measurement(value=self.inserts / self.seconds, cpu_us=self.cpu_us)

    def redis_load(self) -> Measurement:
        """The share of a core that Redis used."""
        return Measurement(value=self.redis_seconds / self.seconds, cpu_us=self.cpu_us)


def push_posts(
    cache: Cache, lists: Lists, post_ids: Sequence[int], *, followers: Sequence[int] | None = None
) -> PushTurn:
    """Push the posts to the users of the lists, or to `followers`, some of whom have no list."""
    user_ids = lists.user_ids if followers is None else followers
    rates: list[float] = []
    keys, redis_before, python_before = cache.client.dbsize(), cache.cpu_seconds(), thread_seconds()
    began = time.perf_counter()
    for post_id in post_ids:
        post_began = time.perf_counter()
        _push(cache, user_ids, post_id)
        rates.append(len(user_ids) / (time.perf_counter() - post_began))
        lists.pushed_ids.append(post_id)
    return PushTurn(
        rates=rates,
        inserts=len(user_ids) * len(post_ids),
        seconds=time.perf_counter() - began,
        python_seconds=thread_seconds() - python_before,
        redis_seconds=cache.cpu_seconds() - redis_before,
        keys_created=cache.client.dbsize() - keys,
    )


def _push(cache: Cache, user_ids: Sequence[int], post_id: int) -> None:
    start = 0
    while start < len(user_ids):
        page = user_ids[start : start + PAGE]
        pushed = cache.storage.timelines.push(page, post_id, read_at=time.monotonic())
        if not pushed:
            raise RuntimeError("A push reached no user in time: the machine is too busy.")
        start += pushed
