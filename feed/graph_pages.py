"""Pages read from the graph: few at once in a process, one a line and some seconds a user.

A page of a user with thousands of followees costs the graph as much as a hundred others. So what a
user's pages and rebuilds have cost is counted in the cache, for all processes together. Who has
used up the seconds of a minute is refused. Who has used a tenth of them is heavy: one of their
pages at a time is read in all processes, and heavy users leave a turn of each process to the
others. They do not leave all, as everybody is heavy while the graph is slow. Pages that a timeline
proves are not counted and never refused.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from math import ceil
from typing import Literal

from bounds.one_each import OneEach
from bounds.turns import Turns
from feed.errors import FeedBusyError, GraphShareUsedError
from graph.errors import GraphUnavailableError
from observing.metrics import GRAPH_PAGES_REFUSED
from storage.limits import Lease, Limits, LimitUse, Policy

PAGES_AT_ONCE = 3
"""Pages that one process reads from the graph at the same time. Without timelines, or with a slow
graph, this leaves most of the eight working threads to viewers whose timelines exist."""
WAIT_SECONDS = 0.5
"""How long a page waits for its turn at the graph: the time of about forty pages on a healthy
graph, or of a first page while the graph still compiles its query plans."""
Line = Literal["feed", "notifications"]
"""What a page is of. A user reads one page of each at a time, as an app that starts reads both."""
PAGES_OF_A_USER = 4
"""Pages and counts of one user that are read or wait at one process, of both lines together: an app
that starts sends four. They hold half of the working threads at most."""
BUSY_SECONDS = 1.0
"""How long, after a wait in vain, no page waits: otherwise waiting pages would occupy all
threads."""
HEAVY_PAGES_AT_ONCE = 1
"""Pages of heavy users that one process reads beside those, at the same time."""
LEFT_TO_OTHERS = 1
"""Turns that heavy users leave to the others. They take further ones while these are free."""
HEAVY_SHARE = 0.1
"""A user is heavy who has used more than this share of their seconds."""
WINDOW_SECONDS = 60
MOST_SECONDS_IN_VAIN = 0.5
"""What a user is charged at most for a read that the graph did not answer in its time."""
MOST_ENDS = 10_000
"""Users who have used up their seconds, as far as a process remembers them."""
HEAVY_PAGE = Lease(name="heavy-page", seconds=10)
"""Longer than any page: a read of the graph ends after five seconds."""


def graph_time(seconds: float) -> Policy:
    """The policy that a user's pages cost the graph at most `seconds` a minute, in milliseconds."""
    return Policy(name="graph-time", quota=int(seconds * 1000), window_seconds=WINDOW_SECONDS)


def cost(seconds: float, error: BaseException | None) -> float:
    """The seconds that a user is charged for, of work that took so long and ended so.

    A graph that is slow or down is not the fault of the users who wait for it.
    """
    return (
        min(seconds, MOST_SECONDS_IN_VAIN) if isinstance(error, GraphUnavailableError) else seconds
    )


_UNLIMITED = graph_time(0)
"""For those who count and do not look: the quota is not part of the count."""


def charge(
    limits: Limits, user_id: int, seconds: float, *, policy: Policy = _UNLIMITED
) -> LimitUse:
    """Count time of the graph that was spent for the user."""
    return limits.add(policy, user_id, max(1, round(seconds * 1000)))


@contextmanager
def charged(limits: Limits, user_id: int) -> Iterator[None]:
    """Count the time of the block for the user, as `cost` has it, under no limit."""
    with _timed(lambda seconds: charge(limits, user_id, seconds)):
        yield


@contextmanager
def _timed(note: Callable[[float], object]) -> Iterator[None]:
    """Note what the block costs its user, also if it fails."""
    began, failure = time.monotonic(), None
    try:
        yield
    except BaseException as error:
        failure = error
        raise
    finally:
        note(cost(time.monotonic() - began, failure))


class GraphPages:
    """The turns of one process at the graph, under a policy of `graph_time`."""

    def __init__(self, limits: Limits, policy: Policy) -> None:
        self._limits = limits
        self._policy = policy
        self._own = OneEach(wait_seconds=WAIT_SECONDS, callers=PAGES_OF_A_USER)
        self._own_heavy = OneEach(wait_seconds=WAIT_SECONDS)
        """Pages of a heavy user, of both lines."""
        self._ends: dict[int, float] = {}
        """When the minute ends of users who have used up their seconds: they cost the cache nothing
        until then. At most MOST_ENDS."""
        turns = partial(Turns, wait_seconds=WAIT_SECONDS, busy_seconds=BUSY_SECONDS)
        self.turns = turns(PAGES_AT_ONCE)
        self._heavy_turns = turns(HEAVY_PAGES_AT_ONCE)

    @contextmanager
    def page(self, user_id: int, line: Line) -> Iterator[None]:
        """Read one page of the user within the block; its time is counted.

        Raises FeedBusyError if too many pages wait for the graph, GraphShareUsedError if the user
        has too many pages in progress or has used up the seconds.
        """
        self._refuse_at_once(user_id)
        with self._own.turn(user_id, _refuse_second_page, kind=line):
            use = self._limits.add(self._policy, user_id, 0)
            self._remember(user_id, use)
            self._refuse_at_once(user_id)
            turn = self._heavy_turn(user_id) if self._is_heavy(use) else self._light_turn()
            with turn, charged(self._limits, user_id):
                yield

    @contextmanager
    def counted(self, user_id: int) -> Iterator[None]:
        """Read a page of a list within the block, without a turn; its time is counted.

        Raises GraphShareUsedError if the user has used up the seconds.
        """
        self._refuse_at_once(user_id)
        with _timed(lambda seconds: self._remember(user_id, self._charge(user_id, seconds))):
            yield

    def _charge(self, user_id: int, seconds: float) -> LimitUse:
        return charge(self._limits, user_id, seconds, policy=self._policy)

    def _remember(self, user_id: int, use: LimitUse) -> None:
        """Remember when the minute ends of a user who has used up its seconds."""
        if use.remaining:
            return
        if len(self._ends) >= MOST_ENDS:
            self._ends.clear()  # the cache still knows them
        self._ends[user_id] = time.monotonic() + use.reset_seconds

    def _refuse_at_once(self, user_id: int) -> None:
        """Raises GraphShareUsedError for a user who is known to have used up their seconds."""
        end, now = self._ends.get(user_id, 0.0), time.monotonic()
        if end <= now:
            self._ends.pop(user_id, None)
            return
        GRAPH_PAGES_REFUSED.labels(reason="time").inc()
        raise GraphShareUsedError(
            f"At most {self._policy.quota / 1000:g} s of the graph in {WINDOW_SECONDS} s"
            f" ({self._policy.name}).",
            retry_after=max(1, ceil(end - now)),
        )

    def _is_heavy(self, use: LimitUse) -> bool:
        return self._policy.quota - use.remaining > self._policy.quota * HEAVY_SHARE

    def _light_turn(self) -> AbstractContextManager[None]:
        return self.turns.turn(FeedBusyError)

    @contextmanager
    def _heavy_turn(self, user_id: int) -> Iterator[None]:
        """A turn of the heavy users, while no other page of this user is read, in any process."""
        with self._own_heavy.turn(user_id, _refuse_second_page), self._spare_or_heavy_turn():
            lease = self._limits.take_lease(HEAVY_PAGE, user_id)
            if lease is None:
                raise _refuse_second_page()
            try:
                yield
            finally:
                self._limits.end_lease(HEAVY_PAGE, user_id, lease)

    @contextmanager
    def _spare_or_heavy_turn(self) -> Iterator[None]:
        if not self.turns.take_spare(LEFT_TO_OTHERS):
            with self._heavy_turns.turn(FeedBusyError):
                yield
            return
        try:
            yield
        finally:
            self.turns.give_back()


def _refuse_second_page() -> GraphShareUsedError:
    GRAPH_PAGES_REFUSED.labels(reason="second page").inc()
    return GraphShareUsedError("Other pages of yours are being read from the graph.", retry_after=1)
