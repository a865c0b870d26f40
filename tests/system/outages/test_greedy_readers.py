"""A user with very many followees who reads below their timeline again and again (case 46).

The ratio of the others' times is printed, and bounded by `python -m drill.greedy` on a machine that
does nothing else; here others may take the cores.
"""

import secrets
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from api.services import sessions
from feed.graph_pages import charge
from graph import Graph
from graph.ids import new_id
from storage import Storage
from tests.support.people import A_DAY, Person
from tests.support.supervised_stack import SupervisedStack, external_stores
from tests.support.tokens import TOKENS
from tests.support.town import Town
from tests.support.transports import HttpTransport

FOLLOWEES, POSTS = 4_000, 10
"""Of the greedy user; each of these has as many posts."""
OTHERS, FOLLOWEES_OF_OTHERS = 24, 60
"""Many, as each has a bound too; a busy machine takes long for their pages."""
OTHERS_AT_ONCE = 2
"""Fewer than the turns of one process, so that without the greedy user nobody waits for them."""
GREEDY_THREADS = 16
ROUNDS, PAGES = 5, 6
"""Rounds without and with the greedy user, in turns; pages of each other user in a round."""
PAUSE_SECONDS = 0.02
"""Of the others between two pages."""
GREEDY_PAUSE_SECONDS = 0.2
"""Of a thread of the greedy user. Shorter ones would slow down this process, which measures."""
LIMITS = {"LIMITS_SCALE": "20", "GRAPH_SECONDS": "0.5"}
"""10 s of the graph a user and minute, as in production. The general quota refuses nobody."""


@pytest.fixture(scope="module")
def services(stack_env: dict[str, str]) -> Iterator[SupervisedStack]:
    with SupervisedStack(
        external_stores(stack_env), processes=("api",), extra_env=LIMITS
    ) as services:
        yield services


@dataclass
class Pages:
    """What readers were answered."""

    seconds: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)

    def read(self, person: Person, path: str) -> None:
        began = time.perf_counter()
        response = person.get(path)
        self.seconds.append(time.perf_counter() - began)
        self.statuses[response.status_code] += 1

    def p99(self) -> float:
        return sorted(self.seconds)[int(len(self.seconds) * 0.99)]


@dataclass
class Readers:
    """A greedy user, whose page is below their timeline, and others whose pages need the graph."""

    greedy: Person
    path: str
    others: list[Person]

    def read_others(self, pages: Pages) -> None:
        """Every other user reads PAGES pages, a few users at the same time."""

        def read(person: Person) -> None:
            own = person.on_new_connection()
            for _ in range(PAGES):
                pages.read(own, "/v1/me/feed?limit=20")
                time.sleep(PAUSE_SECONDS)

        with ThreadPoolExecutor(OTHERS_AT_ONCE) as pool:
            list(pool.map(read, self.others))

    @contextmanager
    def greedy_reading(self, pages: Pages) -> Iterator[None]:
        """Threads of the greedy user read the page again and again during the block."""
        stopping = threading.Event()

        def read() -> None:
            own = self.greedy.on_new_connection()
            while not stopping.wait(GREEDY_PAUSE_SECONDS):
                pages.read(own, self.path)

        threads = [threading.Thread(target=read) for _ in range(GREEDY_THREADS)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            stopping.set()
            for thread in threads:
                thread.join(60)


@pytest.fixture
def readers(services: SupervisedStack, graph: Graph, storage: Storage) -> Readers:
    town = Town(graph)
    authors = town.users(FOLLOWEES)
    create_posts(town, authors)
    people = [new_person(services, town, storage) for _ in range(OTHERS + 1)]
    greedy, *others = people
    town.add_followees(greedy.id, *authors)
    for number, person in enumerate(others):
        first = number * FOLLOWEES_OF_OTHERS
        town.add_followees(person.id, *authors[first : first + FOLLOWEES_OF_OTHERS])
    for person in people:
        prevent_rebuilds(town, person.id, authors[0])
    following = greedy.read("/v1/me/feed?limit=20")["next"]
    charge(storage.limits, greedy.id, 2.0)  # of 10 s: they have read before
    for person in others:
        person.read("/v1/me/feed?limit=20")  # caches session and bodies
    return Readers(greedy, f"/v1/me/feed?limit=20&cursor={following}", others)


# Case 46
@pytest.mark.timeout(300)
def test_others_keep_their_pages_beside_a_greedy_reader(
    readers: Readers, capsys: pytest.CaptureFixture[str]
) -> None:
    alone, beside, greedy = Pages(), Pages(), Pages()
    for _ in range(ROUNDS):  # in turns: other load affects both
        readers.read_others(alone)
        with readers.greedy_reading(greedy):
            readers.read_others(beside)
    ratio = beside.p99() / alone.p99()
    with capsys.disabled():
        print(
            f"\np99 of the others {alone.p99() * 1000:.0f} ms alone,"
            f" {beside.p99() * 1000:.0f} ms beside the greedy user: {ratio:.2f};"
            f" statuses {dict(alone.statuses)}, {dict(beside.statuses)},"
            f" greedy {dict(greedy.statuses)}"
        )
    assert set(alone.statuses) == set(beside.statuses) == {200}
    assert set(greedy.statuses) == {200, 429}


def new_person(services: SupervisedStack, town: Town, storage: Storage) -> Person:
    """A user with a session. A sign-up would take a second's work of the hasher."""
    user_id = town.user()
    token = sessions.create(town.graph, storage, user_id, lifetime=A_DAY).token
    return Person(
        transport=HttpTransport(services.url),
        id=user_id,
        username=secrets.token_hex(4),
        token=TOKENS.sign(token),
    )


def create_posts(town: Town, author_ids: list[int]) -> None:
    """Create POSTS posts of each author without photos, all of the last hours."""
    newest = new_id()
    for number in range(POSTS):
        first = newest - ((number + 1) * 3_600_000 << 12)
        town.query(
            "UNWIND range(0, size($authors) - 1) AS n MATCH (author:User {id: $authors[n]})"
            " CREATE (author)-[:POSTED]->(:Post {id: $first + n * 4096, author_id: author.id,"
            " caption: '', created_at: timestamp()})",
            authors=author_ids,
            first=first,
        )


def prevent_rebuilds(town: Town, reader_id: int, other_id: int) -> None:
    """Creates a leaving that does not end: the reader has no timeline during the test."""
    town.query(
        "MATCH (a:User {id: $a}), (b:User {id: $b})"
        " CREATE (a)-[:LEFT {follower_id: $a, followee_id: $b, created_at: timestamp()}]->(b)",
        a=reader_id,
        b=other_id,
    )
