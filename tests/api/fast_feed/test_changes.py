"""Directly after a change, every process shows it, with warm copies and kept pages."""

import random
import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from graph import Graph
from tests.api.fast_feed.conftest import Open
from tests.support.changing_town import LIMITS, ChangingTown
from tests.support.eventually import eventually
from tests.support.fast_feed import FastFeedProcess
from tests.support.people import Person
from tests.support.private_server import PrivateServer, start

STEPS = 300
PEOPLE = 4
LINES = ("maxmemory-policy volatile-lru", "timeout 0")

Change = Callable[[ChangingTown], list[Person]]

CHANGES: dict[Change, int] = {
    ChangingTown.publish: 20,
    ChangingTown.delete: 12,
    ChangingTown.rename: 10,
    ChangingTown.follow: 14,
    ChangingTown.unfollow: 5,
    ChangingTown.remove_follower: 3,
    ChangingTown.block: 4,
    ChangingTown.sign_out: 4,
    ChangingTown.revoke: 4,
    ChangingTown.change_password: 2,
    ChangingTown.rebuild: 2,
    ChangingTown.repair_body: 2,
    ChangingTown.flush: 2,
    ChangingTown.evict: 8,
    ChangingTown.let_time_pass: 16,
}
"""Each kind of change, with its weight in a walk."""


@pytest.fixture(scope="module")
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateServer]:
    with start(tmp_path_factory.mktemp("cache"), *LINES) as server:
        yield server


@pytest.fixture(scope="module")
def town(own_cache: PrivateServer, open_process: Open, graph: Graph) -> Iterator[ChangingTown]:
    with open_town(own_cache, open_process, graph) as town:
        yield town


@contextmanager
def open_town(cache: PrivateServer, open_process: Open, graph: Graph) -> Iterator[ChangingTown]:
    seed = secrets.randbelow(10**6)
    print(f"seed {seed}")
    writer, *readers = (open_process(cache_url=cache.url, rebuilds=True) for _ in range(3))
    town = ChangingTown(random.Random(seed), graph, writer, readers)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CACHE_REDIS_URL", cache.url)  # for the operators' commands
        town.settle_people(PEOPLE)
        yield town
    town.town.query("MATCH (e:Event) WHERE e.author_id IN $ids DETACH DELETE e", ids=town._ids)


@pytest.mark.parametrize("change", list(CHANGES), ids=lambda change: change.__name__)
def test_a_change_is_shown_by_every_process_at_once(town: ChangingTown, change: Change) -> None:
    town.let_time_pass()
    for _ in range(2):
        for limit in LIMITS:
            for reader in town.readers:
                for person in town.people:
                    reader.get(person, f"/v1/me/feed?limit={limit}")
    change(town)
    for _ in range(3):  # at random limits
        town.check(town.people)


def test_a_walk_of_random_changes_is_shown_by_every_process(town: ChangingTown) -> None:
    steps = town.chance.choices(list(CHANGES), weights=list(CHANGES.values()), k=STEPS)
    for number, change in enumerate(steps):
        concerned = change(town)
        viewers = town.chance.sample(concerned, min(2, len(concerned)))
        try:
            town.check(viewers)
        except AssertionError as error:
            raise AssertionError(f"step {number}, after {change.__name__}") from error
    town.let_time_pass()
    town.check(town.people)
    print(town.answers, "answers,", town.from_kept_pages, "kept,", town.forwarded, "forwarded")
    assert town.from_kept_pages > town.answers / 20
    assert town.forwarded < town.answers / 4


def test_a_cache_that_comes_back_with_old_data_shows_nothing_old(
    tmp_path: Path, open_process: Open, graph: Graph
) -> None:
    with ExitStack() as servers:
        cache = servers.enter_context(start(tmp_path, *LINES))
        town = servers.enter_context(open_town(cache, open_process, graph))
        town.check(town.people)
        cache.command("SAVE")
        town.delete()
        town.rename()
        town.check(town.people)
        cache.kill()
        servers.enter_context(start(tmp_path, *LINES, port=cache.port, password=cache.password))
        for process in (town.writer, *town.readers):
            eventually(lambda process=process: is_whole(process, town.anyone()))  # type: ignore[misc]
        town.check(town.people)
        town.publish()
        town.check(town.people)


def is_whole(process: FastFeedProcess, person: Person) -> bool:
    """Whether the process reads the cache again."""
    responses = [process.view(person, "/v1/me/feed"), process.get(person, "/v1/me/feed")]
    return not process.forwarded and not any("Photofeed-Degraded" in r.headers for r in responses)
