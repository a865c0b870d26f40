"""Leases of partitions: each has one holder, all are held, and each holder has its share."""

import time
from collections.abc import Iterator

import pytest

from storage.notices.leases import LEASE_SECONDS, PartitionLeases
from storage.redis.partitions import COUNT
from storage.redis.server import Server
from tests.support.private_server import PrivateServer


@pytest.fixture
def queue(cache: PrivateServer) -> Iterator[Server]:
    """A server of its own: leases are of the whole server."""
    server = Server("queue", cache.url)
    yield server
    server.close()


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def test_one_holder_has_all_partitions(queue: Server) -> None:
    leases = PartitionLeases(queue)
    assert sorted(leases.renew(now_ms())) == list(range(COUNT))
    assert sorted(leases.renew(now_ms())) == list(range(COUNT))


@pytest.mark.parametrize("holders", [2, 3, 5])
def test_holders_share_the_partitions(queue: Server, holders: int) -> None:
    all_leases = [PartitionLeases(queue) for _ in range(holders)]
    for _ in range(3):
        for leases in all_leases:
            leases.renew(now_ms())
    held = [number for leases in all_leases for number in leases.held]
    assert sorted(held) == list(range(COUNT)), "each has one holder"
    assert max(len(leases.held) for leases in all_leases) <= -(-COUNT // holders)


def test_partitions_of_a_holder_that_ends_are_taken_at_once(queue: Server) -> None:
    one, other = PartitionLeases(queue), PartitionLeases(queue)
    for leases in (one, other, one, other):
        leases.renew(now_ms())
    one.give_up()
    assert sorted(other.renew(now_ms())) == list(range(COUNT))


def test_partitions_of_a_killed_holder_are_taken_when_its_leases_expire(queue: Server) -> None:
    killed, other = PartitionLeases(queue), PartitionLeases(queue)
    killed.renew(now_ms())
    assert other.renew(now_ms()) == []
    later = now_ms() + LEASE_SECONDS * 1000 + 1
    for number in range(COUNT):
        queue.client.pexpire(f"nl:{number}", 1)
    time.sleep(0.01)
    assert sorted(other.renew(later)) == list(range(COUNT))


def test_a_holder_learns_that_it_has_lost_a_partition(queue: Server) -> None:
    leases = PartitionLeases(queue)
    leases.renew(now_ms())
    queue.client.set("nl:7", "somebody else")
    assert 7 not in leases.renew(now_ms())
