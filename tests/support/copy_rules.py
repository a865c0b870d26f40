"""The rules of exact copies in plain Python: the model that the schedules check."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import NamedTuple

from tests.support.copy_schedules import Kind, Shape, Steps


class Entry(NamedTuple):
    """One change in one partition; `change` is 0 for a counter that has just been created."""

    number: int
    change: int
    subject: tuple[Kind, int] | None


class RulesWorld:
    """A cache and a process that keep to the rules, but for one planted error."""

    def __init__(self, error: str | None = None) -> None:
        self._error = error
        self._clock = 1000

    def begin(self, shape: Shape) -> None:
        self._shape = shape
        self._newest: list[Entry | None] = [None] * shape.partitions
        self._log: list[list[Entry]] = [[] for _ in self._newest]
        self._body: dict[int, int] = {}
        self._claim: dict[int, int] = {}
        self._changes = 0
        self._local: dict[int, int] = {}
        self._applied: list[Entry | None] = [None] * shape.partitions
        self._done: set[int] = set()
        self._dropped: dict[int, int] = {}
        self._tick = 0

    # The cache

    def remove(self, posts: Iterable[int]) -> None:
        for post in posts:
            self._body.pop(post, None)
            self._claim.pop(post, None)

    def announcement(self, kind: Kind, number: int) -> Sequence[Callable[[], object]]:
        self._changes += 1
        change = self._changes

        def announce(partition: int) -> None:
            entry = Entry(self._ensure(partition).number + 1, change, (kind, number))
            self._newest[partition] = entry
            self._log[partition].append(entry)
            del self._log[partition][: -self._shape.log_length]

        return [partial(announce, k) for k in range(self._shape.partitions)]

    def flush(self) -> None:
        self._newest = [None] * self._shape.partitions
        self._log = [[] for _ in self._newest]
        self._body.clear()
        self._claim.clear()

    def latest(self, partition: int) -> Entry | None:
        return self._newest[partition]

    def reserve(self, post: int, token: int) -> None:
        if post not in self._body:
            self._claim.setdefault(post, token)

    def fill(self, post: int, token: int, version: int) -> None:
        if self._error == "fill-without-claim" or self._claim.get(post) == token:
            self._body[post] = version
            self._claim.pop(post, None)

    def _ensure(self, partition: int) -> Entry:
        entry = self._newest[partition]
        if entry is None:
            self._clock += 1000
            number = 1 if self._error == "restart-at-one" else self._clock
            entry = self._newest[partition] = Entry(number, 0, None)
        return entry

    # The process

    def is_current(self, partition: int, latest: Entry | None) -> bool:
        applied = self._applied[partition]
        if latest == applied and (latest is not None or self._error == "no-ensure"):
            return True
        if applied is None or latest is None or not latest.change:
            return False
        ahead = latest.number - applied.number
        if ahead == 1 or (ahead > 0 and self._error == "newest-change-alone"):
            self._apply([latest])
            self._applied[partition] = latest
            return True
        return False

    def catch_up(self, partition: int) -> Steps[None]:
        known = self._applied[partition]
        newest = self._ensure(partition)
        entries = [e for e in self._log[partition] if known and e.number > known.number]
        yield  # the reply travels
        if newest == self._applied[partition]:
            return
        if known is not None and self._is_whole(known, newest, entries):
            self._apply(entries)
            self._applied[partition] = newest
        else:
            yield from self._reset()

    def bodies(self, posts: Sequence[int]) -> Steps[dict[int, int | None]]:
        began = self._tick
        shown: dict[int, int | None] = {post: self._local.get(post) for post in posts}
        missing = [post for post in posts if shown[post] is None]
        for post in missing:
            yield
            shown[post] = self._body.get(post)
        if missing:
            yield  # the replies travel
        for post in missing:
            version = shown[post]
            kept = self._error == "no-tick" or self._dropped.get(post, -1) <= began
            if version is not None and kept:
                self._local[post] = version
        return shown

    def _is_whole(self, known: Entry, newest: Entry, entries: Sequence[Entry]) -> bool:
        if newest.number < known.number:
            return False
        if self._error == "no-gap-check":
            return True
        if newest.number == known.number:
            return newest == known
        return {e.number for e in entries} >= set(range(known.number + 1, newest.number + 1))

    def _apply(self, entries: Sequence[Entry]) -> None:
        self._tick += 1
        for entry in entries:
            if entry.change not in self._done and entry.subject is not None:
                self._done.add(entry.change)
                self._drop(*entry.subject)

    def _drop(self, kind: Kind, number: int) -> None:
        if kind == "author" and self._error == "author-drops-nothing":
            return
        for post in self._shape.posts_of(kind, number):
            self._local.pop(post, None)
            self._dropped[post] = self._tick

    def _drop_everything(self) -> None:
        self._tick += 1
        self._local.clear()
        self._dropped.update(dict.fromkeys(self._shape.authors, self._tick))

    def _reset(self) -> Steps[None]:
        if self._error == "numbers-after-drop":
            self._drop_everything()
            yield
        newest: list[Entry | None] = []
        for partition in range(self._shape.partitions):
            newest.append(self._ensure(partition))
            yield
        if self._error != "numbers-after-drop" and newest != self._applied:
            self._drop_everything()
        self._applied = newest
