"""The product's push, called as a fan-out calls it: a page of followers after the other."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from bench.rows.row import Measured
from bench.stage.caches import Cache
from bench.stage.cores import own_seconds
from bench.stage.lists import Lists

PAGE = 25_000
"""Followers that are read, and pushed to, at once."""


@dataclass(slots=True, kw_only=True)
class Turn:
    """Some posts, each pushed to everybody. Seconds are of the clock, of our CPU, of Redis's."""

    rates: list[float]
    inserts: int
    seconds: float
    ours_seconds: float
    redis_seconds: float
    created: int
    """Keys that there are more of than before: a push creates no list."""

    @property
    def cpu_us(self) -> dict[str, float]:
        """CPU µs an insert, of each process."""
        return {
            "python": 1e6 * self.ours_seconds / self.inserts,
            "redis": 1e6 * self.redis_seconds / self.inserts,
        }

    def best(self) -> Measured:
        """Inserts a second of the best post."""
        return Measured(value=max(self.rates), cpu_us=self.cpu_us)

    def mean(self) -> Measured:
        """Inserts a second of all posts together."""
        return Measured(value=self.inserts / self.seconds, cpu_us=self.cpu_us)

    def busy(self) -> Measured:
        """Which part of a core Redis was busy with."""
        return Measured(value=self.redis_seconds / self.seconds, cpu_us=self.cpu_us)


def pushed(
    cache: Cache, lists: Lists, post_ids: Sequence[int], *, among: Sequence[int] | None = None
) -> Turn:
    """Pushes the posts to all of the lists' users; `among`: to these, of whom some have no list."""
    users = lists.user_ids if among is None else among
    rates: list[float] = []
    keys, redis_before, ours_before = cache.bare.dbsize(), cache.seconds(), own_seconds()
    began = time.perf_counter()
    for post_id in post_ids:
        began_one = time.perf_counter()
        _push(cache, users, post_id)
        rates.append(len(users) / (time.perf_counter() - began_one))
        lists.pushed.append(post_id)
    return Turn(
        rates=rates,
        inserts=len(users) * len(post_ids),
        seconds=time.perf_counter() - began,
        ours_seconds=own_seconds() - ours_before,
        redis_seconds=cache.seconds() - redis_before,
        created=cache.bare.dbsize() - keys,
    )


def _push(cache: Cache, users: Sequence[int], post_id: int) -> None:
    at = 0
    while at < len(users):
        page = users[at : at + PAGE]
        answered = cache.storage.timelines.push(page, post_id, read_at=time.monotonic())
        if not answered:
            raise RuntimeError("A push got nowhere within its time: the machine is too busy.")
        at += answered
