"""What an entry of a timeline weighs in steady state, slack and watermark included."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from bench.rows.pushes import pushed
from bench.rows.row import Check, Measured, Sides, Sizes
from bench.stage import lists
from bench.stage.caches import CAP, SLACK, Cache, running_cache
from bench.stage.lists import Lists
from graph.ids import new_id

LISTS, QUICK_LISTS = 5_000, 500
BYTES = "bytes an entry, {kind}"
LIST_ENTRY = BYTES.format(kind="list")
"""What our side is called in the row's context; the cost of timelines follows from it."""
POSTS, QUICK_POSTS = 3 * SLACK // 2, 20
"""Pushed to all: every list has been trimmed then, at another time than its neighbours."""


@dataclass(slots=True, kw_only=True)
class _Weighed:
    cache: Cache
    quick: bool
    generator: random.Random
    ours: Lists | None = None
    zsets: list[str] = field(default_factory=list)
    bytes_an_entry: dict[str, float] = field(default_factory=dict)

    def lists(self) -> Measured:
        """Entries a megabyte of lists that have been pushed to for long."""
        if self.ours:
            self.cache.storage.timelines.drop(*self.ours.user_ids)
        count = QUICK_LISTS if self.quick else LISTS
        before = self.cache.used_bytes()
        self.ours = lists.filled(self.cache, count, self.generator)
        posts = [new_id() for _ in range(QUICK_POSTS if self.quick else POSTS)]
        pushed(self.cache, self.ours, posts)
        return self._weighed("list", before, count)

    def zset(self) -> Measured:
        """The same of ZSETs of the newest CAP of the same ids."""
        if self.zsets:
            self.cache.bare.delete(*self.zsets)
        count = QUICK_LISTS if self.quick else LISTS
        ids = self.newest()
        self.cache.bare.zadd("template", {i: int(i) for i in ids})
        before = self.cache.used_bytes()
        self.zsets = [f"tz:{number:014x}" for number in range(count)]
        for _ in self.cache.ask(("COPY", "template", key) for key in self.zsets):
            pass
        measured = self._weighed("ZSET", before, count)
        self.cache.bare.delete("template")
        return measured

    def newest(self) -> list[bytes]:
        """The newest ids of every list: they were pushed the same since they were filled."""
        if self.ours is None:
            self.lists()
        assert self.ours is not None  # noqa: S101
        return self.ours.expected(0)[-CAP:]

    def check(self) -> Check:
        """Over all lists and all ZSETs."""
        expected = self.newest()
        assert self.ours is not None  # noqa: S101
        wrong = lists.wrong(self.cache, self.ours)
        replies = self.cache.ask(("ZRANGE", key, 0, -1) for key in self.zsets)
        wrong += sum(entries != expected for entries in replies)
        return Check(what="lists", count=len(self.ours.user_ids), passed=wrong == 0)

    def _weighed(self, kind: str, before: int, count: int) -> Measured:
        size = (self.cache.used_bytes() - before) / (count * CAP)
        self.bytes_an_entry[BYTES.format(kind=kind)] = size
        return Measured(value=1e6 / size)


@contextmanager
def memory_row(sizes: Sizes) -> Iterator[Sides]:
    """A cache of its own, of which nothing else takes memory."""
    with running_cache() as cache:
        weighed = _Weighed(cache=cache, quick=sizes.quick, generator=random.Random(sizes.seed))
        yield Sides(
            ours=weighed.lists,
            against=weighed.zset,
            check=weighed.check,
            context=lambda: weighed.bytes_an_entry,
            sizes={"lists": QUICK_LISTS if sizes.quick else LISTS, "cap": CAP, "slack": SLACK},
        )
