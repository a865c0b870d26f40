"""Four times the load that the processes can serve, with a slow graph (case 44)."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from statistics import median_high

import pytest

from drill.support.proxy import Proxy, proxied
from graph import Graph
from tests.support.eventually import eventually
from tests.support.people import Person, post_ids
from tests.support.supervised_stack import SupervisedStack, external_stores
from tests.support.town import Town

THREADS = 8
"""Requests that both API processes serve at the same time."""
SECONDS = 4.0
LATENCY_SECONDS = 0.1
"""Of the graph, each way. The graph limits the goodput then, not the machine of the test."""
AT_ONCE_SECONDS = 2.0
"""For the median of the refusals, with their time in the queue. An idle machine needs a few ms."""


@pytest.fixture(scope="module")
def to_graph(stack_env: dict[str, str]) -> Iterator[tuple[Proxy, str]]:
    """A proxy before the graph, and its URI."""
    proxy, uri = proxied(stack_env["NEO4J_URI"])
    with proxy:
        yield proxy, uri


@pytest.fixture(scope="module")
def services(stack_env: dict[str, str], to_graph: tuple[Proxy, str]) -> Iterator[SupervisedStack]:
    _proxy, uri = to_graph
    with SupervisedStack(
        external_stores(stack_env),
        processes=("api",),
        extra_env={"NEO4J_URI": uri, "LIMITS_SCALE": "1000000"},
    ) as services:
        yield services


@dataclass
class Load:
    """Readers that send the next request as soon as they have a response, refusal or not."""

    expected: dict[int, list[int]]
    served: int = 0
    refused_seconds: list[float] = field(default_factory=list)
    served_seconds: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def run(self, readers: list[Person]) -> float:
        """The feeds served per second."""
        began = time.monotonic()
        threads = [
            threading.Thread(target=self._read, args=(reader.on_new_connection(),))
            for reader in readers
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        return self.served / (time.monotonic() - began)

    def _read(self, reader: Person) -> None:
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            began = time.monotonic()
            response = reader.get("/v1/me/feed?limit=20")
            seconds = time.monotonic() - began
            self.statuses[response.status_code] += 1
            if response.status_code == HTTPStatus.OK:
                self.served += 1
                self.served_seconds.append(seconds)
                ids = post_ids(response.json)
                if ids != self.expected[reader.id]:
                    self.wrong.append(f"{ids} instead of {self.expected[reader.id]}")
            else:
                self.refused_seconds.append(seconds)
                if not response.headers.get("Retry-After"):
                    self.wrong.append(response.text)


def prevent_rebuilds(town: Town, reader_id: int, other_id: int) -> None:
    """Creates a leaving that does not end: the reader's timeline is not rebuilt during it."""
    town.query(
        "MATCH (a:User {id: $a}), (b:User {id: $b})"
        " CREATE (a)-[:LEFT {follower_id: $a, followee_id: $b, created_at: timestamp()}]->(b)",
        a=reader_id,
        b=other_id,
    )


# Case 44
@pytest.mark.timeout(300)
def test_four_times_the_load_is_refused_at_once_and_every_page_is_right(
    services: SupervisedStack,
    to_graph: tuple[Proxy, str],
    graph: Graph,
    capsys: pytest.CaptureFixture[str],
) -> None:
    town = Town(graph)
    author, stranger = town.users(2)
    posts = [town.post(author)[0] for _ in range(5)]
    # One page of a user is read from the graph at a time, so each thread reads as another user.
    readers = [services.sign_up("reader") for _ in range(4 * THREADS)]
    for reader in readers:
        town.add_followees(reader.id, author)
        prevent_rebuilds(town, reader.id, stranger)
        eventually(lambda reader=reader: reader.feed())  # type: ignore[misc]
    expected = {reader.id: posts[::-1] for reader in readers}
    peak, overload = Load(expected), Load(expected)
    proxy, _uri = to_graph
    proxy.slow(LATENCY_SECONDS)
    within = peak.run(readers[: THREADS - 2])  # one thread of each process stays idle
    beyond = overload.run(readers)
    proxy.resume()
    median_refusal = median_high(overload.refused_seconds or [0.0])
    with capsys.disabled():
        print(
            f"\ngoodput {beyond:.0f}/s of {within:.0f}/s = {beyond / within:.2f} at four times the "
            f"load; {overload.statuses[503]} refused, median {median_refusal * 1000:.0f} ms; "
            f"served in {median_high(overload.served_seconds) * 1000:.0f} ms"
        )
    assert set(peak.statuses) | set(overload.statuses) <= {200, 503}
    assert peak.wrong == overload.wrong == []
    assert overload.statuses[503] > 0
    assert median_refusal < AT_ONCE_SECONDS
    assert overload.served > 0
    town.forget_events()
