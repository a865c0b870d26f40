"""Exact copies: the same random schedules over the rules in Python and over the real classes.

The real classes read and write a real server, one command a step. Each planted error must be found.
"""

import hashlib
import random
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from functools import partial
from typing import Any

import pytest

from feed import copy_reading
from feed.copies import Copies
from feed.copy_reading import NOTHING, CopyReader
from storage import changes
from storage.changes import Change, Since, Subject, SubjectKind
from storage.redis.protocol import pack, pack_parts
from storage.redis.scripts import Script
from storage.redis.server import Server
from storage.reservations import FILL
from tests.support.copy_rules import RulesWorld
from tests.support.copy_schedules import ERRORS, Finding, Kind, Shape, Steps, search
from tests.support.private_server import PrivateServer, start

RULES_SCHEDULES = 5_000
REAL_SCHEDULES = 3_000
ENOUGH = 6_000
"""Schedules within which each planted error is found."""
LIMIT_BYTES = 1_000_000

ANNOUNCE, CHANGES_SINCE, ALL_KEYS = changes.ANNOUNCE, changes.CHANGES_SINCE, changes.KEYS


@pytest.fixture(scope="module")
def private_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateServer]:
    with start(tmp_path_factory.mktemp("copies")) as server:
        yield server


@pytest.fixture
def server(private_server: PrivateServer) -> Iterator[Server]:
    server = Server("cache", private_server.url)
    yield server
    server.close()


class SteppedReplies:
    """Awaited, it sends one command a step, and takes one more step for the replies."""

    def __init__(
        self, server: Server, commands: Sequence[bytes], scripts: Sequence[Script]
    ) -> None:
        self._server, self._commands, self._scripts = server, commands, scripts

    def __await__(self) -> Generator[None, None, list[Any]]:
        replies = []
        for command in self._commands:
            yield
            replies += self._server.execute([command], *self._scripts)
        yield
        return replies


class SteppedCache:
    """An AsyncCache that lets other actors run before each command and before the replies."""

    def __init__(self, server: Server) -> None:
        self._server = server

    def execute(self, commands: Sequence[bytes], *scripts: Script) -> SteppedReplies:
        return SteppedReplies(self._server, commands, scripts)


class RealWorld:
    """Copies and CopyReader over a real server; the schedule is the writer and the filler."""

    make_copies: type[Copies] = Copies
    make_reader: type[CopyReader] = CopyReader

    def __init__(self, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
        self._server = server
        self._monkeypatch = monkeypatch

    def begin(self, shape: Shape) -> None:
        self._shape = shape
        keys = ALL_KEYS[: shape.partitions]
        calls = tuple(pack_parts(b"EVALSHA", changes.ANNOUNCE.digest, 2, *k) for k in keys)
        self._monkeypatch.setattr(changes, "KEYS", keys)
        self._monkeypatch.setattr(changes, "_ANNOUNCE_CALLS", calls)
        self._monkeypatch.setattr(changes, "LOG_LENGTH", shape.log_length)
        self.flush()
        self._reader = self.make_reader(SteppedCache(self._server), self.make_copies(LIMIT_BYTES))

    def remove(self, posts: Iterable[int]) -> None:
        self._server.execute([pack(b"UNLINK", b"p:%d" % post) for post in posts])

    def announcement(self, kind: Kind, number: int) -> Sequence[Callable[[], object]]:
        subject = changes.post(number) if kind == "post" else changes.author(number)
        commands = changes.pack_announcement([subject])
        return [partial(self._server.execute, [c], changes.ANNOUNCE) for c in commands]

    def flush(self) -> None:
        self._server.execute([pack(b"FLUSHALL")])

    def latest(self, partition: int) -> Any:
        return self._server.execute([changes.pack_latest(partition)])[0]

    def is_current(self, partition: int, latest: Any) -> bool:
        return self._reader.is_current(partition, latest)

    def catch_up(self, partition: int) -> Steps[None]:
        yield from self._reader.catch_up(partition).__await__()

    def bodies(self, posts: Sequence[int]) -> Steps[dict[int, int | None]]:
        bodies = yield from self._reader.bodies(posts).__await__()
        return {
            post: int(body.json.split(b'"version":')[1][:-1]) if body else None
            for post, body in bodies.items()
        }

    def reserve(self, post: int, token: int) -> None:
        self._server.execute([pack(b"SET", b"p:%d" % post, b"~%d" % token, b"NX", b"PX", 60_000)])

    def fill(self, post: int, token: int, version: int) -> None:
        body = b'{"id":"%d","author":{"id":"%d"},"version":%d}'
        body %= (post, self._shape.authors[post], version)
        call = FILL.pack_call([b"p:%d" % post], [b"~%d" % token, body, 600])
        self._server.execute([call], FILL)


class CopiesWithoutTicks(Copies):
    def _dropped_since(self, _began: int, *_subjects: Subject) -> bool:
        return False


class CopiesWithoutAuthors(Copies):
    def _drop(self, subject: Subject) -> None:
        if subject.kind is not SubjectKind.AUTHOR:
            super()._drop(subject)


class ReaderThatTrustsAMissingCounter(CopyReader):
    def is_current(self, user_id: int, latest: bytes | None) -> bool:
        unread = latest is None and self._applied[user_id] == NOTHING
        return unread or super().is_current(user_id, latest)


class ReaderThatDropsFirst(CopyReader):
    async def reset(self) -> None:
        self.copies.drop_everything()
        replies = await self._cache.execute(changes.pack_all_newest(), changes.CHANGES_SINCE)
        self._applied = [changes.parse_since(reply).newest for reply in replies]


class ReaderOfTheNewestChange(CopyReader):
    def _apply_next(self, partition: int, latest: bytes | None) -> bool:
        applied, newest = (Change.from_bytes(e or b"") for e in (self._applied[partition], latest))
        if not applied or not newest or newest.number <= applied.number:
            return False
        self.copies.apply([newest])
        self._applied[partition] = latest or NOTHING
        return True


def fill_without_claim(world: RealWorld, post: int, _token: int, version: int) -> None:
    body = b'{"id":"%d","author":{"id":"%d"},"version":%d}'
    body %= (post, world._shape.authors[post], version)
    world._server.execute([pack(b"SET", b"p:%d" % post, body)])


def does_not_go_back(since: Since, applied: bytes) -> bool:
    first, last = Change.from_bytes(applied), Change.from_bytes(since.newest)
    return bool(first and last and last.number >= first.number)


def script_that_starts_at_one(name: str) -> Script:
    script = Script(name)
    text = script._text.replace(b"time[1] * 1000000 + time[2]", b"1")
    assert text != script._text
    script._text = text
    script.digest = hashlib.sha1(text, usedforsecurity=False).hexdigest().encode()
    return script


def plant(world: RealWorld, monkeypatch: pytest.MonkeyPatch, error: str) -> None:
    """Put the error into the real classes. The schedule plants those of the writer."""
    world.make_copies = {
        "no-tick": CopiesWithoutTicks,
        "author-drops-nothing": CopiesWithoutAuthors,
    }.get(error, Copies)
    world.make_reader = {
        "no-ensure": ReaderThatTrustsAMissingCounter,
        "numbers-after-drop": ReaderThatDropsFirst,
        "newest-change-alone": ReaderOfTheNewestChange,
    }.get(error, CopyReader)
    if error == "fill-without-claim":
        monkeypatch.setattr(RealWorld, "fill", fill_without_claim)
    if error == "no-gap-check":
        monkeypatch.setattr(Since, "follows", does_not_go_back)
    if error == "restart-at-one":
        monkeypatch.setattr(changes, "ANNOUNCE", script_that_starts_at_one("announce"))
        since = script_that_starts_at_one("changes_since")
        monkeypatch.setattr(changes, "CHANGES_SINCE", since)
        monkeypatch.setattr(copy_reading, "CHANGES_SINCE", since)


def some_seeds(count: int) -> range:
    first = random.randrange(1 << 32)
    print(f"seeds {first} to {first + count - 1}")
    return range(first, first + count)


def check_found(error: str, finding: Finding) -> None:
    print(f"{error}: found by schedule {finding.schedules}: {finding.first}")
    assert finding.first, f"{error} is not found in {finding.schedules} schedules"


def test_the_rules_show_nobody_what_is_too_old() -> None:
    assert search(RulesWorld, some_seeds(RULES_SCHEDULES), None).first is None


@pytest.mark.parametrize("error", ERRORS)
def test_the_schedules_find_each_error_planted_in_the_rules(error: str) -> None:
    check_found(error, search(lambda: RulesWorld(error), range(ENOUGH), error))


def test_the_real_copies_show_nobody_what_is_too_old(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    finding = search(lambda: RealWorld(server, monkeypatch), some_seeds(REAL_SCHEDULES), None)
    print(f"{finding.steps} steps")
    assert finding.first is None


@pytest.mark.parametrize("error", ERRORS)
def test_the_schedules_find_each_error_planted_in_the_code(
    error: str, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = RealWorld(server, monkeypatch)
    plant(world, monkeypatch, error)
    check_found(error, search(lambda: world, range(ENOUGH), error))
