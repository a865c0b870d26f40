"""Random interleavings of pushes, builds, drops and evictions on the real server, with an oracle.

The seed determines the schedule, and a failure reports it. A page that the list answers may have
posts that are committed, and must have those that were pushed, whether or not a list existed then.
"""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from feed.proof import page_above, page_below, window_page
from storage import Storage
from storage.timeline_layout import ABOVE_NOTHING, lock_key, timeline_key
from storage.timelines import Timelines
from storage.windows import Window
from tests.support.ids import id_ago

CAP, SLACK, LIMIT = 8, 3, 4
STEPS = 150
NEVER = 1 << 53


@dataclass
class Build:
    token: str
    pulled: list[int] | None = None


@dataclass
class World:
    """One user, the posts of their feed, and the builds in progress."""

    draw: random.Random
    storage: Storage
    timelines: Timelines
    user: int
    committed: set[int] = field(default_factory=set)
    pushed: set[int] = field(default_factory=set)
    builds: list[Build] = field(default_factory=list)
    answered: int = 0

    def commit(self) -> None:
        """A post that is new, or whose fan-out is late."""
        seconds = self.draw.choice([0, 5, 20, 25, 40, 90, 600, 7_200, 20_000, 86_400])
        self.committed.add(id_ago(seconds, self.draw.randrange(4_096)))

    def push(self) -> None:
        """A post that is not pushed yet, else one that is: a job may run twice."""
        unpushed = sorted(self.committed - self.pushed)
        post_id = self.draw.choice(unpushed or [*sorted(self.committed), id_ago(0)])
        if post_id in self.committed:
            assert self.timelines.push([self.user], post_id, read_at=time.monotonic()) == 1
            self.pushed.add(post_id)

    def begin(self) -> None:
        if token := self.timelines.begin(self.user):
            self.builds.append(Build(token))

    def pull(self) -> None:
        for build in self.builds:
            if build.pulled is None:
                build.pulled = sorted(self.committed, reverse=True)[:CAP]
                return

    def finish(self) -> None:
        ready = [build for build in self.builds if build.pulled is not None]
        if ready:
            build = self.draw.choice(ready)
            self.builds.remove(build)
            pulled = build.pulled or []
            complete_above = pulled[-1] if len(pulled) == CAP else 0
            self.timelines.finish(self.user, build.token, pulled, watermark=complete_above)

    def abort(self) -> None:
        if self.builds:
            build = self.builds.pop(self.draw.randrange(len(self.builds)))
            self.timelines.abort(self.user, build.token)

    def drop(self) -> None:
        self.timelines.drop(self.user)

    def evict(self) -> None:
        key = self.draw.choice([timeline_key(self.user), lock_key(self.user)])
        self.storage.cache.client.delete(key)

    def read(self) -> None:
        entries = self.timelines.entries(self.user)
        window = Window.of_entries(self.timelines.window(self.user, LIMIT), {})
        page = window_page(window, LIMIT)
        if page:
            self.check(list(page.ids), page.next_id, NEVER)
        before: int | None = NEVER
        while before is not None:
            below = page_below(entries, before, LIMIT)
            if not below.complete:
                break
            self.check(below.ids, below.next_id, before)
            before = below.next_id
        after = self.draw.choice([0, *sorted(self.committed)])
        above = page_above(entries, after, LIMIT)
        if above is not None:
            due = sorted(i for i in self.pushed if i > after)
            assert [i for i in due if i <= (above[-1] if len(above) == LIMIT else NEVER)] == [
                i for i in above if i in self.pushed
            ]
        self.check_list(entries)

    def check(self, ids: list[int], next_id: int | None, before: int) -> None:
        self.answered += 1
        assert ids == sorted(set(ids), reverse=True)
        assert set(ids) <= self.committed
        due = {i for i in self.pushed if (next_id or 0) <= i < before}
        assert due <= set(ids), f"a gap: {sorted(due - set(ids))} under {before}"

    def check_list(self, entries: list[int]) -> None:
        sentinels = [i for i, entry in enumerate(entries) if entry <= 0]
        assert sentinels in ([], [0])
        assert not entries or self.storage.cache.client.ttl(timeline_key(self.user)) > 0
        if not entries or entries[0] != -ABOVE_NOTHING:
            assert len(entries) <= 2 * (CAP + SLACK) + 1  # of a build, and pushed during it


MOVES = [
    (World.commit, 5),
    (World.push, 6),
    (World.begin, 3),
    (World.pull, 4),
    (World.finish, 3),
    (World.abort, 0.3),
    (World.drop, 0.3),
    (World.evict, 0.3),
    (World.read, 5),
]


@pytest.mark.parametrize("block", range(6))
def test_no_interleaving_leaves_a_gap_or_shows_what_was_not_posted(
    storage: Storage, small: Timelines, new_users: Callable[[int], list[int]], block: int
) -> None:
    moves, weights = zip(*MOVES, strict=True)
    answered = 0
    for seed, user in zip(range(block * 50, block * 50 + 50), new_users(50), strict=True):
        world = World(random.Random(seed), storage, small, user)
        for step in range(STEPS):
            try:
                world.draw.choices(moves, weights)[0](world)
            except AssertionError as error:
                raise AssertionError(f"seed {seed}, step {step}: {error}") from error
        answered += world.answered

    assert answered > 300  # the schedules reached lists that answer
