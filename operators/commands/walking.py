"""A walk through many users: whom, how fast, how far, and how to go on after a stop."""

import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from graph import Graph
from graph.ids import new_id

PAGE = 50
"""Users taken at once: what a stop in between does again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """Whom to walk through: these users, a sample of so many, or everybody above an id."""

    users: tuple[int, ...] = ()
    sample: int | None = None
    after: int = 0
    state: Path | None = None

    @property
    def everyone(self) -> bool:
        """Whether it goes through all users, and so can be gone on with."""
        return not self.users and self.sample is None

    def remember(self, last: int) -> None:
        """Everybody up to this user is done."""
        if self.state:
            draft = self.state.with_name(self.state.name + ".new")
            draft.write_text(f"{last}\n")
            draft.replace(self.state)

    def forget(self) -> None:
        """The walk is over."""
        if self.state:
            self.state.unlink(missing_ok=True)


def chosen(graph: Graph, walk: Walk) -> tuple[int, Iterator[list[int]]]:
    """How many users there are to go through, and they, in pages. Raises GraphUnavailableError."""
    if walk.everyone:
        return graph.users.count_after(walk.after), _everyone(graph, walk.after)
    drawn = sorted(set(walk.users) or _sample(graph, walk.sample or 0))
    return len(drawn), (drawn[start : start + PAGE] for start in range(0, len(drawn), PAGE))


def _everyone(graph: Graph, after: int) -> Iterator[list[int]]:
    while page := graph.users.ids(after=after, limit=PAGE):
        yield page
        after = page[-1]


def _sample(graph: Graph, count: int) -> set[int]:
    """So many users, or all where there are fewer: who came next after moments drawn at random.

    So those who signed up after a pause are drawn more often.
    """
    if graph.users.count_after(0) <= count:
        return {user_id for page in _everyone(graph, 0) for user_id in page}
    [first], end = graph.users.ids(after=0, limit=1), new_id()
    drawn: set[int] = set()
    for _ in range(20 * count):
        drawn.update(graph.users.ids(after=random.randint(first, end) - 1, limit=1))  # noqa: S311
        if len(drawn) == count:
            return drawn
    for user_id in chain.from_iterable(_everyone(graph, 0)):  # too close together to be hit
        drawn.add(user_id)
        if len(drawn) == count:
            break
    return drawn


class Pace:
    """Keeps a walk to so many users a second: readers come first."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._next = time.monotonic()

    def keep(self, count: int) -> None:
        """Waits as long as so many users were to take."""
        self._next = max(self._next, time.monotonic() - 1) + count / self._rate
        if (pause := self._next - time.monotonic()) > 0:
            time.sleep(pause)
