"""Full timelines of staggered length, and the proof, over all of them, that pushes were right."""

import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from bench.stage.caches import CAP, SLACK, Cache
from graph.ids import EPOCH_MS, RANDOM_BITS
from storage.timeline_layout import TIMELINE_TTL_SECONDS, timeline_key

DAY_MS = 86_400_000
OLDEST_DAYS, NEWEST_DAYS = 30, 1
"""Age of the posts that lists are filled with, in days."""


@dataclass(slots=True, kw_only=True)
class Lists:
    """Users with full lists, and the posts pushed to all of them since.

    The lists were written in another order than that of the users, so pushes jump through memory,
    as they do in a full cache. The list of user n began as template n modulo SLACK: a sentinel and
    its newest CAP + n ids. So each push makes one list in a hundred too long.
    """

    user_ids: Sequence[int]
    templates: Sequence[Sequence[int]]
    pushed_ids: list[int] = field(default_factory=list)

    def history(self, number: int) -> list[bytes]:
        """Every entry that the list of this user has held, in order."""
        return [b"%d" % i for i in (*self.templates[number % SLACK], *self.pushed_ids)]


def draw_user_ids(count: int, generator: random.Random) -> list[int]:
    """Different ids of the last years in random order, so that their keys hash anywhere."""
    now = _now_ms() - EPOCH_MS
    drawn: dict[int, None] = {}
    while len(drawn) < count:
        drawn[generator.randrange(DAY_MS, now) << RANDOM_BITS | generator.randrange(4096)] = None
    return list(drawn)


def draw_post_ids(count: int, generator: random.Random) -> list[int]:
    """Ids of posts of one month, rising."""
    now = _now_ms() - EPOCH_MS
    since, until = now - OLDEST_DAYS * DAY_MS, now - NEWEST_DAYS * DAY_MS
    moments = sorted(generator.sample(range(since, until), count))
    return [moment << RANDOM_BITS | generator.randrange(4096) for moment in moments]


def create_lists(cache: Cache, count: int, generator: random.Random) -> Lists:
    """Lists of new users, copied within the server from a template of each length."""
    ids = draw_post_ids(CAP + SLACK, generator)
    templates = [[-ids[0], *ids[-(CAP + n) :]] for n in range(SLACK)]
    lists = Lists(user_ids=draw_user_ids(count, generator), templates=templates)
    names = [f"template:{n}" for n in range(SLACK)]
    cache.run(("RPUSH", name, *t) for name, t in zip(names, templates, strict=True))
    cache.run(_copies(names, lists.user_ids, generator.sample(range(count), count)))
    cache.client.delete(*names)
    return lists


def _copies(
    names: Sequence[str], user_ids: Sequence[int], order: Sequence[int]
) -> Iterator[Sequence[bytes | str | int]]:
    for number in order:
        yield "COPY", names[number % SLACK], timeline_key(user_ids[number])
        yield "EXPIRE", timeline_key(user_ids[number]), TIMELINE_TTL_SECONDS


def count_wrong(cache: Cache, lists: Lists) -> int:
    """The number of wrong lists.

    A right list is the end of its history: each post is there once, in its place, and so is the
    sentinel. It holds at least CAP entries and at most SLACK more.
    """
    histories = [lists.history(number) for number in range(SLACK)]
    replies = cache.replies(("LRANGE", timeline_key(user), 0, -1) for user in lists.user_ids)
    wrong = 0
    for number, entries in enumerate(replies):
        history = histories[number % SLACK]
        right = CAP <= len(entries) <= CAP + SLACK and entries == history[-len(entries) :]
        wrong += not right
    return wrong


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
