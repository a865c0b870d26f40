"""Failures by network: when one is refused, for how long, and how much is remembered."""

import pytest

from bounds import failures
from bounds.failures import Failures
from bounds.networks import network_of


def test_failures_beyond_the_quota_wait_until_the_window_ends() -> None:
    counts = Failures(2, 60)
    assert [counts.count("a", 100.0 + second) for second in range(4)] == [0, 0, 58, 57]
    assert counts.count("b", 103.0) == 0
    assert counts.count("a", 160.0) == 0


def test_a_look_counts_nothing() -> None:
    counts = Failures(1, 60)
    assert [counts.wait("a", 100.0) for _ in range(3)] == [0, 0, 0]
    assert counts.count("a", 100.0) == 0
    assert [counts.wait("a", second) for second in (100.0, 130.5, 160.0)] == [60, 30, 0]


def test_the_oldest_window_is_forgotten_for_a_new_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failures, "MOST_NETWORKS", 2)
    counts = Failures(0, 60)
    for network in ("a", "b", "c"):
        assert counts.count(network, 100.0) == 60
    assert [counts.wait(network, 100.0) for network in ("b", "c")] == [60, 60]
    assert len(counts._windows) == 2


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("", "unknown"),
        ("no address", "unknown"),
    ],
)
def test_the_network_of_an_address(address: str, network: str) -> None:
    assert network_of(address) == network
