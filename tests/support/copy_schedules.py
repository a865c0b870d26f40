"""Random schedules of writers, readers and faults around the copies of one process.

A schedule is drawn from a seed. Its actors are generators: each `yield` lets another actor run. The
same schedules run over the rules in plain Python (`RulesWorld`) and over the real classes and
scripts (tests/feed/races/test_copies_model.py). A reader must not see a post older than a change
that was acknowledged before its request began.
"""

import random
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeVar

T = TypeVar("T")
Steps = Generator[None, None, T]
Kind = Literal["post", "author"]

WRITER_ERRORS = (
    "announce-before-removal",
    "one-partition",
    "acknowledge-before-announce",
    "repeat-without-announce",
)
"""Errors of the writer, which the schedule plants itself."""
READER_ERRORS = (
    "no-tick",
    "restart-at-one",
    "no-gap-check",
    "no-ensure",
    "fill-without-claim",
    "author-drops-nothing",
    "numbers-after-drop",
    "newest-change-alone",
)
"""Errors of the process and of the scripts, which a world plants."""
ERRORS = WRITER_ERRORS + READER_ERRORS


class TooOldError(AssertionError):
    """A reader saw a post older than a change that was acknowledged before its request."""


@dataclass(frozen=True)
class Shape:
    """The sizes of a schedule."""

    partitions: int
    log_length: int
    authors: dict[int, int]
    """The author of each post."""

    def posts_of(self, kind: Kind, number: int) -> list[int]:
        """The posts that a change of this subject concerns."""
        if kind == "post":
            return [number]
        return [post for post, author in self.authors.items() if author == number]


class World(Protocol):
    """A cache, and a process with copies. Plain methods are atomic."""

    def begin(self, shape: Shape) -> None: ...
    def remove(self, posts: Iterable[int]) -> None: ...
    def announcement(self, kind: Kind, number: int) -> Sequence[Callable[[], object]]:
        """The announcement of one change, as one call for each partition."""

    def flush(self) -> None: ...
    def latest(self, partition: int) -> Any: ...
    def is_current(self, partition: int, latest: Any) -> bool: ...
    def catch_up(self, partition: int) -> Steps[None]: ...
    def bodies(self, posts: Sequence[int]) -> Steps[dict[int, int | None]]:
        """The version of each post in the copies or the cache; None if neither has it."""

    def reserve(self, post: int, token: int) -> None: ...
    def fill(self, post: int, token: int, version: int) -> None: ...


class Schedule:
    """One schedule. `run()` raises TooOldError."""

    def __init__(self, seed: int, world: World, error: str | None = None) -> None:
        self._seed = seed
        self._random = random.Random(seed)
        self._world = world
        self._error = error
        draw = self._random
        posts = range(1, draw.choice((1, 1, 2, 3)) + 1)
        self._shape = Shape(
            partitions=draw.choice((1, 1, 2, 3)),
            log_length=draw.choice((1, 2, 5)),
            authors={post: 100 + draw.randrange(2) for post in posts},
        )
        self._truth = dict.fromkeys(posts, 0)
        self._acknowledged = dict.fromkeys(posts, 0)
        self._tokens = 0

    def run(self) -> int:
        """Let the actors run in turns until all have ended; returns the number of steps.

        Stickiness is drawn: in some schedules an actor takes many steps while others pause.
        """
        draw, steps = self._random, 0
        self._world.begin(self._shape)
        actors: list[Steps[None]] = [self._write() for _ in range(draw.choice((1, 2)))]
        actors += [self._read() for _ in range(draw.choice((2, 3, 4)))]
        actors.append(self._fail())
        stickiness, actor = draw.choice((0.3, 0.6, 0.8, 0.9)), actors[0]
        while actors:
            if actor not in actors or draw.random() >= stickiness:
                actor = draw.choice(actors)
            steps += 1
            try:
                next(actor)
            except StopIteration:
                actors.remove(actor)
        return steps

    def _write(self) -> Steps[None]:
        for _ in range(self._random.choice((1, 2))):
            post = self._random.choice(list(self._truth))
            kind: Kind = "post" if self._random.random() < 0.6 else "author"
            number = post if kind == "post" else self._shape.authors[post]
            yield
            for changed in self._shape.posts_of(kind, number):
                self._truth[changed] += 1
            versions = {p: self._truth[p] for p in self._shape.posts_of(kind, number)}
            yield
            yield from self._publish(kind, number, versions)

    def _publish(self, kind: Kind, number: int, versions: dict[int, int]) -> Steps[None]:
        """Remove, announce and acknowledge; some tries die in the middle and are repeated."""
        tries = self._random.choice((1, 1, 2))
        for attempt in range(1, tries + 1):
            dies = attempt < tries or self._random.random() < 0.15
            if self._error == "repeat-without-announce" and attempt > 1:
                self._world.remove(versions)
                yield
                self._acknowledge(versions)
                return
            yield from self._announce(kind, number, versions, dies=dies)
            if not dies:
                self._acknowledge(versions)

    def _announce(
        self, kind: Kind, number: int, versions: dict[int, int], *, dies: bool
    ) -> Steps[None]:
        calls = list(self._world.announcement(kind, number))
        self._random.shuffle(calls)
        if dies:
            calls = calls[: self._random.randrange(len(calls) + 1)]
        if self._error == "one-partition":
            calls = calls[:1]
        if self._error != "announce-before-removal":
            self._world.remove(versions)
            yield
        if self._error == "acknowledge-before-announce" and not dies:
            self._acknowledge(versions)
        for call in calls:
            call()
            yield
        if self._error == "announce-before-removal":
            self._world.remove(versions)
            yield

    def _acknowledge(self, versions: dict[int, int]) -> None:
        for post, version in versions.items():
            self._acknowledged[post] = max(self._acknowledged[post], version)

    def _read(self) -> Steps[None]:
        for _ in range(self._random.choice((1, 2, 3))):
            partition = self._random.randrange(self._shape.partitions)
            posts = [post for post in self._truth if self._random.random() < 0.8]
            floor = {post: self._acknowledged[post] for post in posts}
            yield
            latest = self._world.latest(partition)
            yield
            if not self._world.is_current(partition, latest):
                yield from self._world.catch_up(partition)
            shown = yield from self._world.bodies(posts)
            for post in posts:
                version = shown[post]
                if version is None:
                    version = yield from self._read_truth(post)
                if version < floor[post]:
                    raise TooOldError(
                        f"seed {self._seed}: post {post} shown at {version}, acknowledged at "
                        f"{floor[post]} before the request"
                    )

    def _read_truth(self, post: int) -> Steps[int]:
        """Read a body from the graph, and fill the cache if the reservation still stands."""
        self._tokens += 1
        token = self._tokens
        self._world.reserve(post, token)
        yield
        version = self._truth[post]
        yield
        self._world.fill(post, token, version)
        yield
        return version

    def _fail(self) -> Steps[None]:
        for _ in range(self._random.choice((0, 1, 2, 4))):
            yield
            if self._random.random() < 0.5:
                self._world.remove([self._random.choice(list(self._truth))])
            else:
                self._world.flush()


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of many schedules."""

    schedules: int
    steps: int
    first: TooOldError | None
    """The first violation, which ended the search."""


def search(make_world: Callable[[], World], seeds: Iterable[int], error: str | None) -> Finding:
    """Run schedules until one shows a violation."""
    steps = schedules = 0
    world = make_world()
    for seed in seeds:
        schedules += 1
        try:
            steps += Schedule(seed, world, error).run()
        except TooOldError as violation:
            return Finding(schedules, steps, violation)
    return Finding(schedules, steps, None)
