"""Users and servers that belong to one test. The test may pause, kill or break the servers."""

import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from storage import Storage
from storage.timelines import Timelines
from tests.support.private_server import PrivateServer, start


@pytest.fixture
def new_users(storage: Storage) -> Iterator[Callable[[int], list[int]]]:
    """Draws ids of users that no other test has. Drops their timelines at the end."""
    drawn: list[int] = []

    def draw(count: int) -> list[int]:
        first = secrets.randbelow(1 << 51) + (1 << 51)
        users = list(range(first, first + count))
        drawn.extend(users)
        return users

    yield draw
    if drawn:
        storage.timelines.drop(*drawn)


@pytest.fixture
def user(new_users: Callable[[int], list[int]]) -> int:
    return new_users(1)[0]


@pytest.fixture
def small(storage: Storage) -> Timelines:
    """The timelines of `storage` with a cap of 8 and a slack of 3."""
    return Timelines(storage.cache, cap=8, slack=3)


@pytest.fixture
def private_server(tmp_path: Path) -> Iterator[PrivateServer]:
    """A server of this test alone."""
    with start(tmp_path) as server:
        yield server


@pytest.fixture
def private_cluster(tmp_path: Path) -> Iterator[PrivateServer]:
    """A cluster of one node, which serves every slot."""
    with start(tmp_path, "cluster-enabled yes") as server:
        server.command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
        yield server
