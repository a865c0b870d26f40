"""Live streams of a whole API with its workers: stop, kill, reload, and a worker that dies."""

import os
import signal
import statistics
import time
from collections.abc import Iterator, Sequence
from functools import partial

import psutil
import pytest

from graph import Graph
from stack.parts.photofeed import RESPAWN_SECONDS
from tests.support.eventually import B_SECONDS, eventually
from tests.support.live import Connect, LiveClient, clients
from tests.support.people import Person
from tests.support.supervised_stack import SupervisedStack
from tests.support.town import Town

STREAMS = 100
USERS = STREAMS // 5
STOP_SECONDS = 10.0
"""The bound of these tests on a busy machine. Without an end of the streams a stop takes 30 s."""

POSTS = 20


@pytest.fixture(scope="module")
def process_names() -> Sequence[str]:
    return ("api", "fanout", "timelines", "sweeper")


@pytest.fixture
def connect() -> Iterator[Connect]:
    with clients() as connect:
        yield connect


@pytest.fixture(scope="module")
def people(graph: Graph, services: SupervisedStack) -> list[Person]:
    """Users, all of whom follow the first, with timelines."""
    assert graph  # its schema
    author, *readers = [services.sign_up("live") for _ in range(USERS)]
    for reader in readers:
        eventually(partial(succeeds, reader, "PUT", f"/v1/me/following/{author.id}"))
        eventually(partial(succeeds, reader, "GET", "/v1/me/feed"))
    return [author, *readers]


def succeeds(person: Person, method: str, path: str) -> bool:
    """Whether the request does. The first ones after the start of a graph can be too slow."""
    return person.call(method, path).status_code < 300


def open_stream(services: SupervisedStack, connect: Connect, person: Person) -> LiveClient:
    """A stream by a ticket."""
    ticket = person.on_new_connection().post("/v1/me/live/tickets").json["ticket"]
    client: LiveClient = connect(services.url, ticket=ticket)
    assert client.status == 200
    assert ticket not in services.log("api")
    return client.wait_for_opening()


def open_streams(
    services: SupervisedStack, connect: Connect, people: Sequence[Person]
) -> list[LiveClient]:
    return [open_stream(services, connect, people[n % USERS]) for n in range(STREAMS)]


def workers_of(services: SupervisedStack) -> list[int]:
    """The processes that hold the streams."""
    children = psutil.Process(services.pid("api")).children()
    return [child.pid for child in children if "resource_tracker" not in " ".join(child.cmdline())]


def publish(town: Town, author: Person) -> int:
    return author.publish(town.photo(author.id))


def test_a_post_makes_a_tick_on_every_device_of_its_readers(
    services: SupervisedStack, connect: Connect, people: list[Person], town: Town
) -> None:
    author, reader = people[0], people[1]
    streams = [open_stream(services, connect, person) for person in (reader, reader, author)]
    seconds = []
    for number in range(1, POSTS + 1):
        post_id = publish(town, author)
        start_time = time.monotonic()
        for stream in streams:
            assert stream.wait("tick", number).data["newest_id"] == str(post_id)
        seconds.append(time.monotonic() - start_time)
    unread = streams[0].wait("tick", POSTS).data["unread"]
    assert unread["count"] >= POSTS
    print(f"201 to tick: median {statistics.median(seconds):.2f} s, longest {max(seconds):.2f} s")


def test_a_tick_comes_after_a_worker_was_killed(
    services: SupervisedStack, connect: Connect, people: list[Person], town: Town
) -> None:
    author, reader = people[0], people[2]
    stream = open_stream(services, connect, reader)
    services.kill("fanout")
    post_id = publish(town, author)
    eventually(
        lambda: any(e.data["newest_id"] == str(post_id) for e in stream.events), seconds=B_SECONDS
    )


def test_the_streams_of_a_killed_process_come_back_and_miss_nothing(
    services: SupervisedStack, connect: Connect, people: list[Person], town: Town
) -> None:
    author, reader = people[0], people[3]
    stream = open_stream(services, connect, reader)
    last_id = stream.last_id
    for pid in workers_of(services):
        os.kill(pid, signal.SIGKILL)
    stream.wait_for_end()
    assert not stream.ended_whole
    eventually(lambda: answers(services))
    post_id = publish(town, author)
    eventually(lambda: post_id in reader.on_new_connection().feed())
    again = connect(services.url, token=reader.token, last_event_id=last_id)
    assert again.wait("tick").data["newest_id"] == str(post_id)


def test_a_reload_ends_the_streams_and_others_open_at_once(
    services: SupervisedStack, connect: Connect, people: list[Person]
) -> None:
    stream = open_stream(services, connect, people[4])
    old = workers_of(services)
    os.kill(services.pid("api"), signal.SIGHUP)
    eventually(lambda: stream.ended_at, seconds=B_SECONDS + len(old) * RESPAWN_SECONDS)
    assert stream.ended_whole
    open_stream(services, connect, people[4])
    eventually(lambda: not set(old) & set(workers_of(services)))


def test_a_stop_ends_all_streams_and_the_process(
    services: SupervisedStack, connect: Connect, people: list[Person]
) -> None:
    streams = open_streams(services, connect, people)
    process = psutil.Process(services.pid("api"))
    start_time = time.monotonic()
    process.terminate()
    seconds = [stream.wait_for_end() - start_time for stream in streams]
    assert all(stream.ended_whole for stream in streams)
    assert max(seconds) < STOP_SECONDS
    print(f"{STREAMS} streams ended after {max(seconds):.2f} s")
    eventually(lambda: answers(services))
    open_stream(services, connect, people[0])


def answers(services: SupervisedStack) -> bool:
    return services.process("api").program.problem() is None
