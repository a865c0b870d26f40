"""A process of the API under its server, on the stores of the tests, for real sockets."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field

import pytest
import requests

from feed.rebuilding import rebuild
from graph import Graph
from storage import Storage
from tests.support.eventually import eventually
from tests.support.granian import Server, asgi_command, free_port, serving
from tests.support.live import LiveClient, clients
from tests.support.people import Builders, Person

LIMITS = {"LIMITS_SCALE": "10000", "LOG_LEVEL": "info"}

OpenServer = Callable[..., Server]


@pytest.fixture(scope="session")
def open_server(stack_env: Mapping[str, str], storage: Storage) -> Iterator[OpenServer]:
    """A function that starts asgi.py under granian with some settings changed."""
    assert storage
    with ExitStack() as closing:

        def open_it(**env: str) -> Server:
            port = free_port()
            command = asgi_command("asgi:app", port)
            server = closing.enter_context(serving(command, port, {**stack_env, **LIMITS, **env}))
            eventually(lambda: is_alive(server))
            return server

        yield open_it


@pytest.fixture(scope="session")
def server(open_server: OpenServer) -> Server:
    return open_server()


def is_alive(server: Server) -> bool:
    try:
        return requests.get(f"{server.url}/livez", timeout=5).status_code == 200
    except requests.RequestException:
        return False


@dataclass
class Reader:
    """A user with a timeline, and the streams of the user at a server."""

    person: Person
    storage: Storage
    graph: Graph
    builders: Builders
    server: Server
    connect: Callable[..., LiveClient]
    posts: list[int] = field(default_factory=list)

    @property
    def id(self) -> int:
        return self.person.id

    def ticket(self) -> str:
        response = self.person.post("/v1/me/live/tickets")
        assert response.status_code == 201, response.text
        return str(response.json["ticket"])

    def open(self, *, last_event_id: str = "", url: str = "") -> LiveClient:
        """A stream by a ticket, which has looked once."""
        client = self.connect(
            url or self.server.url, ticket=self.ticket(), last_event_id=last_event_id
        )
        assert client.status == 200, client.problem()
        return client.wait_for_opening()

    def follow_new(self) -> Person:
        author = self.builders.new_user()
        self.person.follow(author)
        self.build()
        return author

    def push(self, author: Person) -> int:
        """A post of the author, pushed as the fan-out pushes it; its id."""
        post_id = int(self.builders.publish(author)["id"])
        self.push_id(post_id)
        return post_id

    def push_id(self, post_id: int) -> None:
        self.storage.timelines.push([self.id], post_id, read_at=time.monotonic())

    def build(self) -> None:
        """Build the timeline, unless there is one."""
        eventually(
            lambda: (
                rebuild(self.graph, self.storage, self.id)
                or self.storage.timelines.entries(self.id)
            )
        )


@pytest.fixture
def connect() -> Iterator[Callable[..., LiveClient]]:
    with clients() as connect:
        yield connect


@pytest.fixture
def reader(
    server: Server,
    builders: Builders,
    graph: Graph,
    storage: Storage,
    connect: Callable[..., LiveClient],
) -> Reader:
    """A user who follows nobody, with an empty timeline."""
    reader = Reader(builders.new_user(), storage, graph, builders, server, connect)
    reader.build()
    return reader
