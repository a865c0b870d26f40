"""Full timelines of staggered length, and the proof, over all of them, that pushes went right."""

import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from bench.stage.caches import CAP, SLACK, Cache
from graph.ids import EPOCH_MS, RANDOM_BITS
from storage.timeline_layout import TIMELINE_TTL_SECONDS, timeline_key

DAY_MS = 86_400_000
OLDEST_DAYS, NEWEST_DAYS = 30, 1
"""Between these the entries lie that lists are filled with: before now, in days."""


@dataclass(slots=True, kw_only=True)
class Lists:
    """Users with full lists, and what has been pushed to all of them since.

    They were made in another order: pushes go to and fro in memory, as they do in a full cache.

    User n's list began as template n modulo SLACK: the sentinel and its newest CAP + n ids. So by
    each push one in a hundred becomes too long.
    """

    user_ids: Sequence[int]
    templates: Sequence[Sequence[int]]
    pushed: list[int] = field(default_factory=list)

    def expected(self, number: int) -> list[bytes]:
        """All that the list of this user has ever held, in order."""
        return [b"%d" % i for i in (*self.templates[number % SLACK], *self.pushed)]


def user_ids(count: int, generator: random.Random) -> list[int]:
    """Different ids of the last years, in random order: their hashes lie anywhere."""
    now = _now_ms() - EPOCH_MS
    drawn: dict[int, None] = {}
    while len(drawn) < count:
        drawn[generator.randrange(DAY_MS, now) << RANDOM_BITS | generator.randrange(4096)] = None
    return list(drawn)


def post_ids(count: int, generator: random.Random) -> list[int]:
    """So many ids of a month, rising."""
    now = _now_ms() - EPOCH_MS
    since, until = now - OLDEST_DAYS * DAY_MS, now - NEWEST_DAYS * DAY_MS
    moments = sorted(generator.sample(range(since, until), count))
    return [moment << RANDOM_BITS | generator.randrange(4096) for moment in moments]


def filled(cache: Cache, count: int, generator: random.Random) -> Lists:
    """So many lists, copied within the server from one of each length."""
    ids = post_ids(CAP + SLACK, generator)
    templates = [[-ids[0], *ids[-(CAP + n) :]] for n in range(SLACK)]
    lists = Lists(user_ids=user_ids(count, generator), templates=templates)
    names = [f"template:{n}" for n in range(SLACK)]
    for _ in cache.ask(("RPUSH", name, *t) for name, t in zip(names, templates, strict=True)):
        pass
    order = generator.sample(range(count), count)
    for _ in cache.ask(_copies(names, lists.user_ids, order)):
        pass
    cache.bare.delete(*names)
    return lists


def _copies(
    names: Sequence[str], users: Sequence[int], order: Sequence[int]
) -> Iterator[Sequence[bytes | str | int]]:
    for number in order:
        yield "COPY", names[number % SLACK], timeline_key(users[number])
        yield "EXPIRE", timeline_key(users[number]), TIMELINE_TTL_SECONDS


def wrong(cache: Cache, lists: Lists) -> int:
    """How many of the lists are not what they should be.

    A list must be the end of all that it has ever held: so every post is there once, in its place,
    and a sentinel stands where it stood. It holds at least CAP entries, at most SLACK more.
    """
    expected = [lists.expected(number) for number in range(SLACK)]
    replies = cache.ask(("LRANGE", timeline_key(user), 0, -1) for user in lists.user_ids)
    count = 0
    for number, entries in enumerate(replies):
        whole = expected[number % SLACK]
        right = CAP <= len(entries) <= CAP + SLACK and entries == whole[-len(entries) :]
        count += not right
    return count


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
