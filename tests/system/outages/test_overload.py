"""Case 44. Four times as many readers as are served at once, all from a graph that is far away."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest

from drill.support.proxy import Proxy
from graph import Graph
from tests.support.eventually import eventually
from tests.support.running import Running
from tests.support.town import Town
from tests.system.journeys.people import Person

THREADS = 8
"""What both API processes serve at once."""
SECONDS = 4.0
LATENCY_SECONDS = 0.1
"""Each way, to the graph and back: what overloads it is not the little machine of the test."""
AT_ONCE_SECONDS = 2.0
"""For the middle one of the refusals, the queue before it included; alone it is a few ms."""


@pytest.fixture(scope="module")
def to_graph(stack_env: dict[str, str]) -> Iterator[Proxy]:
    parts = urlsplit(stack_env["NEO4J_URI"])
    with Proxy(parts.hostname or "", parts.port or 7687) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def running(stack_env: dict[str, str], to_graph: Proxy) -> Iterator[Running]:
    extra = {"NEO4J_URI": f"bolt://127.0.0.1:{to_graph.port}", "LIMITS_SCALE": "1000000"}
    with Running(stack_env, names=("api",), extra=extra) as running:
        yield running


@dataclass
class Load:
    """So many readers, each asking again as soon as it is answered, refusals or not."""

    expected: dict[int, list[int]]
    served: int = 0
    refused: list[float] = field(default_factory=list)
    waited: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def run(self, readers: list[Person]) -> float:
        """Feeds a second."""
        began = time.monotonic()
        threads = [threading.Thread(target=self._read, args=(one.again(),)) for one in readers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        return self.served / (time.monotonic() - began)

    def _read(self, reader: Person) -> None:
        until = time.monotonic() + SECONDS
        while time.monotonic() < until:
            began = time.monotonic()
            answer = reader.call("GET", "/v1/me/feed?limit=20")
            seconds = time.monotonic() - began
            self.statuses[answer.status_code] += 1
            if answer.status_code == 200:
                self.served += 1
                self.waited.append(seconds)
                found = [int(post["id"]) for post in answer.json()["posts"]]
                if found != self.expected[reader.id]:
                    self.wrong.append(f"{found} instead of {self.expected[reader.id]}")
            else:
                self.refused.append(seconds)
                if not answer.headers.get("Retry-After"):
                    self.wrong.append(answer.text)


def held(town: Town, reader_id: int, other_id: int) -> None:
    """Nobody builds this reader's timeline: a leaving that does not end."""
    town.query(
        "MATCH (a:User {id: $a}), (b:User {id: $b})"
        " CREATE (a)-[:LEFT {follower_id: $a, followee_id: $b, created_at: timestamp()}]->(b)",
        a=reader_id,
        b=other_id,
    )


@pytest.mark.timeout(300)
def test_four_times_the_load_is_refused_at_once_and_costs_no_right_answer(
    running: Running, to_graph: Proxy, graph: Graph, capsys: pytest.CaptureFixture[str]
) -> None:
    town = Town(graph)
    author, stranger = town.user(), town.user()
    posts = [town.post(author)[0] for _ in range(5)]
    readers = [Person(running.url, "reader") for _ in range(4)]
    for reader in readers:
        town.add_followees(reader.id, author)
        held(town, reader.id, stranger)
        eventually(lambda reader=reader: reader.feed_ids(), seconds=30)  # type: ignore[misc]
    expected = {reader.id: posts[::-1] for reader in readers}
    peak, overload = Load(expected), Load(expected)
    to_graph.slow(LATENCY_SECONDS)
    within = peak.run(readers[:2] * (THREADS // 2 - 1))  # a thread of each process left free
    beyond = overload.run(readers * THREADS)
    to_graph.resume()
    waited = sorted(overload.waited)
    with capsys.disabled():
        print(
            f"\ngoodput {beyond:.0f}/s of {within:.0f}/s = {beyond / within:.2f} at four times the "
            f"load; {overload.statuses[503]} refused, the middle one after "
            f"{sorted(overload.refused or [0.0])[len(overload.refused) // 2] * 1000:.0f} ms; "
            f"served after {waited[len(waited) // 2] * 1000:.0f} ms"
        )
    assert set(peak.statuses) | set(overload.statuses) <= {200, 503}
    assert peak.wrong == overload.wrong == []
    assert overload.statuses[503] > 0
    assert sorted(overload.refused)[len(overload.refused) // 2] < AT_ONCE_SECONDS
    assert overload.served > 0
    town.forget_events()
