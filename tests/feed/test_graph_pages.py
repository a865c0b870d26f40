"""Case 46. Pages from the graph: one at a time and some seconds a user, few at once for all."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from feed.errors import FeedBusyError, GraphShareUsedError
from feed.graph_pages import (
    PAGES_AT_ONCE,
    PAGES_OF_A_USER,
    GraphPages,
    Line,
    charge,
    graph_time,
)
from graph.errors import GraphTimeoutError, GraphUnavailableError
from graph.ids import new_id
from storage import Storage
from storage.limits import limit_key
from tests.support.eventually import eventually
from tests.support.stage import Stage

SECONDS = 5.0
"""Of the graph, a user and minute."""
HEAVY_SECONDS = 1.0
"""What makes a user heavy."""


class Reader:
    """A user whose page is read from the graph until the test ends it."""

    def __init__(
        self, pages: GraphPages, pool: ThreadPoolExecutor, user_id: int, line: Line
    ) -> None:
        self._pages, self._user_id, self._line = pages, user_id, line
        self.reads, self.end = threading.Event(), threading.Event()
        self.page: Future[None] = pool.submit(self._read)

    def _read(self) -> None:
        with self._pages.page(self._user_id, self._line):
            self.reads.set()
            assert self.end.wait(30)

    def finish(self) -> None:
        self.end.set()
        self.page.result(30)


Begin = Callable[..., Reader]


@pytest.fixture
def pages(storage: Storage) -> GraphPages:
    """The pages of one process. Waits are long: a test that waits in vain shows a refusal."""
    pages = GraphPages(storage.limits, graph_time(SECONDS))
    for turns in (pages.turns, pages._heavy_turns, pages._own, pages._own_heavy):
        turns._wait_seconds = 30
    return pages


@pytest.fixture
def begin(pages: GraphPages) -> Iterator[Begin]:
    """A function that begins to read a page, of a new user by default."""
    readers: list[Reader] = []
    with ThreadPoolExecutor(12) as pool:

        def begin(user_id: int = 0, line: Line = "feed") -> Reader:
            readers.append(Reader(pages, pool, user_id or new_id(), line))
            return readers[-1]

        yield begin
        for reader in readers:
            reader.end.set()


def read_page(pages: GraphPages, user_id: int) -> None:
    with pages.page(user_id, "feed"):
        pass


# Case 46
def test_a_user_reads_one_page_at_a_time_and_a_fifth_is_refused_at_once(
    pages: GraphPages, begin: Begin
) -> None:
    user = new_id()
    own = [begin(user) for _ in range(PAGES_OF_A_USER)]
    eventually(lambda: user in pages._own._lines)
    eventually(lambda: pages._own._lines[user].callers == PAGES_OF_A_USER)
    eventually(lambda: reading(own) == 1)
    with pytest.raises(GraphShareUsedError) as refused:
        read_page(pages, user)
    assert refused.value.retry_after == 1
    assert reading(own) == 1
    others = [begin() for _ in range(PAGES_AT_ONCE - 1)]
    for other in others:
        assert other.reads.wait(30), "the waiting pages of the user have no turn"
    end_all([*own, *others])


# Case 46
@pytest.mark.parametrize("seconds", [0.0, HEAVY_SECONDS])
def test_the_pages_and_counts_of_an_app_that_starts_are_all_read(
    pages: GraphPages, storage: Storage, begin: Begin, seconds: float
) -> None:
    user = new_id()
    charge(storage.limits, user, seconds)
    lines: tuple[Line, ...] = ("feed", "feed", "notifications", "notifications")
    own = [begin(user, line) for line in lines]
    eventually(lambda: user in pages._own._lines)
    eventually(lambda: pages._own._lines[user].callers == PAGES_OF_A_USER)
    eventually(lambda: reading(own) == (1 if seconds else 2))
    end_all(own)


# Case 46
def test_who_has_used_up_the_seconds_is_refused_until_the_minute_ends(
    pages: GraphPages, storage: Storage
) -> None:
    user, other = new_id(), new_id()
    charge(storage.limits, user, SECONDS - 0.1)
    read_page(pages, user)
    charge(storage.limits, user, 0.1)
    with pytest.raises(GraphShareUsedError, match=r"5 s of the graph in 60 s") as refused:
        read_page(pages, user)
    assert 1 <= refused.value.retry_after <= 60
    read_page(pages, other)
    storage.cache.client.delete(limit_key(graph_time(1), user))
    with pytest.raises(GraphShareUsedError):  # without a call of the cache
        read_page(pages, user)
    pages._ends[user] = 0.0  # the minute ends
    read_page(pages, user)
    assert pages._ends == {}


# Case 46
def test_the_time_of_a_page_counts_in_all_processes_also_if_it_fails(storage: Storage) -> None:
    one, other = (GraphPages(storage.limits, graph_time(0.001)) for _ in range(2))
    user = new_id()
    with pytest.raises(ZeroDivisionError), one.page(user, "feed"):
        raise ZeroDivisionError
    with pytest.raises(GraphShareUsedError):
        read_page(other, user)


# Case 46
@pytest.mark.parametrize(
    ("error", "most_ms"),
    [
        (GraphUnavailableError("no answer"), 500),
        (GraphTimeoutError("its time is over", for_lock=False), 500),
        (ZeroDivisionError(), 10_000),
    ],
)
def test_a_page_that_the_graph_does_not_answer_costs_half_a_second_at_most(
    storage: Storage, monkeypatch: pytest.MonkeyPatch, error: Exception, most_ms: int
) -> None:
    user, now = new_id(), time.monotonic()
    policy = graph_time(1e3)
    pages = GraphPages(storage.limits, policy)

    def fail() -> None:
        with pages.page(user, "feed"):
            monkeypatch.setattr("feed.graph_pages.time.monotonic", lambda: now + 10)
            raise error

    with pytest.raises(type(error)):
        fail()
    monkeypatch.undo()
    used = policy.quota - storage.limits.add(policy, user, 0).remaining
    assert most_ms / 2 < used <= most_ms


# Case 46
def test_heavy_users_leave_a_turn_to_the_others_and_have_one_beside_theirs(
    pages: GraphPages, storage: Storage, begin: Begin
) -> None:
    heavy_users = [new_id() for _ in range(PAGES_AT_ONCE + 2)]
    for user in heavy_users:
        charge(storage.limits, user, HEAVY_SECONDS)
    heavy = [begin(user) for user in heavy_users]
    eventually(lambda: len(pages._heavy_turns._waiting) == 2)
    eventually(lambda: reading(heavy) == PAGES_AT_ONCE)
    light = begin()
    assert light.reads.wait(30)
    light.finish()
    for reader in heavy:
        reader.end.set()
    for reader in heavy:
        reader.finish()


# Case 46
def test_heavy_users_have_one_turn_while_others_read(
    pages: GraphPages, storage: Storage, begin: Begin
) -> None:
    light = [begin() for _ in range(PAGES_AT_ONCE)]
    eventually(lambda: reading(light) == PAGES_AT_ONCE)
    heavy_users = [new_id() for _ in range(2)]
    for user in heavy_users:
        charge(storage.limits, user, HEAVY_SECONDS)
    heavy = [begin(user) for user in heavy_users]
    eventually(lambda: reading(heavy) == 1)
    eventually(lambda: len(pages._heavy_turns._waiting) == 1)
    for reader in (*light, *heavy):
        reader.end.set()
    for reader in (*light, *heavy):
        reader.finish()


def end_all(readers: list[Reader]) -> None:
    """End these pages. Asserts that each was read."""
    for reader in readers:
        reader.end.set()
    for reader in readers:
        reader.finish()


def reading(readers: list[Reader]) -> int:
    return sum(reader.reads.is_set() for reader in readers)


# Case 46
def test_a_heavy_user_reads_one_page_at_a_time_in_all_processes(
    storage: Storage, begin: Begin
) -> None:
    user, other_process = new_id(), GraphPages(storage.limits, graph_time(SECONDS))
    charge(storage.limits, user, HEAVY_SECONDS)
    reader = begin(user)
    assert reader.reads.wait(30)
    with pytest.raises(GraphShareUsedError) as refused:
        read_page(other_process, user)
    assert refused.value.retry_after == 1
    reader.finish()
    read_page(other_process, user)


def test_a_process_reads_few_pages_at_once(pages: GraphPages, begin: Begin) -> None:
    readers = [begin() for _ in range(PAGES_AT_ONCE)]
    for reader in readers:
        assert reader.reads.wait(30)
    pages.turns._wait_seconds = 0.01
    with pytest.raises(FeedBusyError):
        read_page(pages, new_id())
    for reader in readers:
        reader.finish()


def test_without_the_cache_no_page_is_refused_for_its_time(stage: Stage) -> None:
    proxied = stage.behind_proxies()
    pages = GraphPages(proxied.storage.limits, graph_time(0.001))
    user = new_id()
    with proxied.to.cache.outage():
        for _ in range(3):
            read_page(pages, user)
