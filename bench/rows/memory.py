"""M1, M2: the bytes of a timeline's entry in steady state, and of a cached body."""

import json
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from bench.rows.pushes import push_posts
from bench.rows.row import Check, Row, Sides
from bench.samples.posts import sample_bodies
from bench.stage import lists
from bench.stage.caches import CAP, SLACK, Cache, running_cache
from bench.stage.lists import Lists
from bench.stage.measurement import Measurement
from bench.stage.run_context import RunContext
from graph.ids import new_id
from storage.body_format import decode, encode

LISTS, QUICK_LISTS = 5_000, 500
BYTES = "bytes an entry, {kind}"
LIST_ENTRY = BYTES.format(kind="list")
"""The name of our figure in the row's context; the cost sheet reads it there."""
POSTS, QUICK_POSTS = 3 * SLACK // 2, 20
"""Posts pushed to each list: enough that every list is trimmed, each after another post."""

BODIES, QUICK_BODIES = 20_000, 2_000
SAMPLE_SEED = 1_000
"""Added to the run's seed, so that no body is one that trained the dictionary."""
CACHED_BODY = "bytes a body in the cache"
"""The name of our figure in the row's context; the cost sheet reads it there."""


@dataclass(slots=True, kw_only=True)
class _Memory:
    cache: Cache
    quick: bool
    generator: random.Random
    filled: Lists | None = None
    zset_keys: list[str] = field(default_factory=list)
    bytes_an_entry: dict[str, float] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """The number of lists, and of ZSETs."""
        return QUICK_LISTS if self.quick else LISTS

    def measure_lists(self) -> Measurement:
        """Entries a megabyte, in lists after many pushes."""
        if self.filled:
            self.cache.storage.timelines.drop(*self.filled.user_ids)
        before = self.cache.used_bytes()
        self._fill()
        return self._measurement("list", before)

    def measure_zsets(self) -> Measurement:
        """Entries a megabyte, in ZSETs of the newest CAP of the same ids."""
        if self.zset_keys:
            self.cache.client.delete(*self.zset_keys)
        ids = self._newest()
        self.cache.client.zadd("template", {i: int(i) for i in ids})
        before = self.cache.used_bytes()
        self.zset_keys = [f"tz:{number:014x}" for number in range(self.count)]
        self.cache.run(("COPY", "template", key) for key in self.zset_keys)
        measurement = self._measurement("ZSET", before)
        self.cache.client.delete("template")
        return measurement

    def check(self) -> Check:
        """Over all lists and all ZSETs."""
        expected = self._newest()
        filled = self._fill_once()
        wrong = lists.count_wrong(self.cache, filled)
        replies = self.cache.replies(("ZRANGE", key, 0, -1) for key in self.zset_keys)
        wrong += sum(entries != expected for entries in replies)
        return Check(what="lists", count=len(filled.user_ids), passed=wrong == 0)

    def _fill(self) -> Lists:
        self.filled = lists.create_lists(self.cache, self.count, self.generator)
        posts = [new_id() for _ in range(QUICK_POSTS if self.quick else POSTS)]
        push_posts(self.cache, self.filled, posts)
        return self.filled

    def _fill_once(self) -> Lists:
        return self.filled or self._fill()

    def _newest(self) -> list[bytes]:
        """The newest CAP ids: the same in every list, as all got the same pushes."""
        return self._fill_once().history(0)[-CAP:]

    def _measurement(self, kind: str, before: int) -> Measurement:
        size = (self.cache.used_bytes() - before) / (self.count * CAP)
        self.bytes_an_entry[BYTES.format(kind=kind)] = size
        return Measurement(value=1e6 / size)


@contextmanager
def _memory(run: RunContext) -> Iterator[Sides]:
    """In a cache of its own, where nothing else uses memory."""
    with running_cache() as cache:
        memory = _Memory(cache=cache, quick=run.quick, generator=random.Random(run.seed))
        yield Sides(
            ours=memory.measure_lists,
            against=memory.measure_zsets,
            check=memory.check,
            context=lambda: memory.bytes_an_entry,
            sizes={"lists": memory.count, "cap": CAP, "slack": SLACK},
        )


@dataclass(slots=True, kw_only=True)
class _Bodies:
    """Bodies of posts that did not train the dictionary, written by the product.

    Half of the posts use the words that trained it, half use others.
    """

    cache: Cache
    known: Sequence[bytes]
    other: Sequence[bytes]
    cached_bytes: float = 0.0

    @property
    def all(self) -> list[bytes]:
        """All bodies."""
        return [*self.known, *self.other]

    def by_id(self) -> dict[int, bytes]:
        """All bodies by post."""
        return {int(json.loads(body)["id"]): body for body in self.all}

    def measure_cache(self) -> Measurement:
        """Bytes of the cache a body, with key, expiry and the server's overhead."""
        bodies, store = self.by_id(), self.cache.storage.bodies
        store.discard(list(bodies))
        before = self.cache.used_bytes()
        store.fill_many(bodies, store.reserve_many(list(bodies)))
        self.cached_bytes = (self.cache.used_bytes() - before) / len(bodies)
        return Measurement(value=self.cached_bytes)

    def measure_json(self) -> Measurement:
        """Bytes of JSON a body."""
        return Measurement(value=_mean_bytes(self.all))

    def check(self) -> Check:
        """Every body is read as it was rendered."""
        if not self.cached_bytes:
            self.measure_cache()
        bodies = self.by_id()
        read = self.cache.storage.bodies.read_many(list(bodies))
        return Check(what="bodies", count=len(bodies), passed=read == bodies)

    def context(self) -> Mapping[str, float]:
        """Bytes and times of values, without the server's overhead."""
        return {
            CACHED_BODY: self.cached_bytes,
            "bytes a value, words of the dictionary": _mean_bytes(list(map(encode, self.known))),
            "bytes a value, other words": _mean_bytes(list(map(encode, self.other))),
            "µs to compress": _mean_us(encode, self.all),
            "µs to decompress": _mean_us(decode, list(map(encode, self.all))),
        }


def _mean_bytes(values: Sequence[bytes]) -> float:
    return sum(map(len, values)) / len(values)


def _mean_us(function: Callable[[bytes], object], values: Sequence[bytes]) -> float:
    began = time.perf_counter()
    for value in values:
        function(value)
    return (time.perf_counter() - began) / len(values) * 1e6


@contextmanager
def _bodies(run: RunContext) -> Iterator[Sides]:
    count = QUICK_BODIES if run.quick else BODIES
    seed = SAMPLE_SEED + run.seed
    with running_cache() as cache:
        bodies = _Bodies(
            cache=cache,
            known=sample_bodies(seed, count // 2, half=0),
            other=sample_bodies(seed + 1, count // 2, half=1),
        )
        yield Sides(
            ours=bodies.measure_cache,
            against=bodies.measure_json,
            check=bodies.check,
            context=bodies.context,
            sizes={"bodies": count, "bytes of JSON": round(_mean_bytes(bodies.all))},
        )


ROWS = (
    Row(
        id="M1",
        title="bytes an entry, ZSET of the same ids : ours",
        unit="entries/MB",
        target=10,
        better="higher",
        open=_memory,
    ),
    Row(
        id="M2",
        title="RAM a cached body : its JSON's bytes",
        unit="bytes",
        target=0.4,
        better="lower",
        open=_bodies,
    ),
)
