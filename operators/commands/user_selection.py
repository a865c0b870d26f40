"""The users that a command goes through, in batches, with a checkpoint and a rate limit."""

import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from graph import Graph
from graph.ids import new_id

BATCH_SIZE = 50
"""Users between two checkpoints. A command that is stopped and resumed repeats at most so many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UserSelection:
    """Named users, a random sample, or all users above an id."""

    users: tuple[int, ...] = ()
    sample: int | None = None
    after: int = 0
    state: Path | None = None
    """The file of the checkpoint."""

    @property
    def all_users(self) -> bool:
        """Whether all users are selected. Only then can a stopped command be resumed."""
        return not self.users and self.sample is None

    def save_checkpoint(self, last: int) -> None:
        """Store that all users up to this id are done."""
        if self.state:
            draft = self.state.with_name(self.state.name + ".new")
            draft.write_text(f"{last}\n")
            draft.replace(self.state)

    def remove_checkpoint(self) -> None:
        """Remove the file: all users are done."""
        if self.state:
            self.state.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class UserBatches:
    """The selected users."""

    total: int
    batches: Iterator[list[int]]
    """Rising ids, at most BATCH_SIZE in each list."""


class Throttle:
    """Limits a command to a rate, as requests of readers have priority."""

    def __init__(self, users_per_second: int) -> None:
        self._rate = users_per_second
        self._next = time.monotonic()

    def wait(self, count: int) -> None:
        """Sleep for the time that these users may take. A delay of up to 1 s is made up for."""
        self._next = max(self._next, time.monotonic() - 1) + count / self._rate
        if (pause := self._next - time.monotonic()) > 0:
            time.sleep(pause)


def select_users(graph: Graph, selection: UserSelection) -> UserBatches:
    """The users of the selection. Raises GraphUnavailableError, also from the iterator."""
    if selection.all_users:
        total = graph.users.count_after(selection.after)
        return UserBatches(total, _all_users(graph, selection.after))
    user_ids = sorted(set(selection.users) or _sample(graph, selection.sample or 0))
    starts = range(0, len(user_ids), BATCH_SIZE)
    return UserBatches(len(user_ids), (user_ids[start : start + BATCH_SIZE] for start in starts))


def _all_users(graph: Graph, after: int) -> Iterator[list[int]]:
    while batch := graph.users.ids(after=after, limit=BATCH_SIZE):
        yield batch
        after = batch[-1]


def _sample(graph: Graph, count: int) -> set[int]:
    """Random users, or all users if there are fewer than `count`.

    It draws random moments and takes the first user who signed up after each. Users who signed up
    after a pause are therefore drawn more often.
    """
    if graph.users.count_after(0, most=count + 1) <= count:
        return {user_id for batch in _all_users(graph, 0) for user_id in batch}
    [first], end = graph.users.ids(after=0, limit=1), new_id()
    sample: set[int] = set()
    for _ in range(20 * count):
        sample.update(graph.users.ids(after=random.randint(first, end) - 1, limit=1))  # noqa: S311
        if len(sample) == count:
            return sample
    for user_id in chain.from_iterable(_all_users(graph, 0)):  # the draws hit too few users
        sample.add(user_id)
        if len(sample) == count:
            break
    return sample
