"""Requests that hide another one: it is not executed, and front and back agree on their number."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from graph import Graph
from tests.support.people import Person
from tests.support.town import Town
from tests.system.wire.payloads import Forge, Payload
from tests.system.wire.servers import WireServer

pytestmark = pytest.mark.timeout(400)  # the first test waits for all payloads

AT_ONCE = 12
PATIENT_SECONDS = 30.0
"""For an answer after which the server closes."""

TWO_REQUESTS = {
    "length with an underscore in its name": "It is no length.",
    "length in the query of another header": "It is no length.",
    "length over coding: underscore in its name": "It is no coding.",
    "head that ends in LFs": "A line may end in LF (RFC 9112, 2.2).",
    "head that ends in CR LF LF": "The same.",
    "head that ends in LF CR LF": "The same.",
    "chunk: size of many zeros": "Zeros before a size mean nothing.",
    "after a CONNECT": "It is answered as any request, and the connection stays what it was.",
    "no host": "The API reads no Host. Caddy refuses the first request, and closes.",
    "two hosts": "The same.",
    "host in a target": "It is a request.",
    "trailers that are headers": "They end with an empty line, and are left out.",
}
"""Payloads in which the other request is not hidden: by the standard's reading, and by Caddy's."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a payload."""

    statuses: list[int]
    executed: bool
    """Whether the hidden request was."""


def authorization_of(person: Person) -> bytes:
    return f"Authorization: Bearer {person.token}\r\n".encode()


def payloads_of(server: WireServer, person: Person, graph: Graph) -> dict[int, Payload]:
    """Every payload, by the user whom its hidden request would follow."""
    count = len(list(Forge(b"", b"x").payloads()))
    return {
        target: list(_forge(server, person, target).payloads())[number]
        for number, target in enumerate(Town(graph).users(count))
    }


def _forge(server: WireServer, person: Person, target: int) -> Forge:
    """Payloads that hide a request which shows in the graph that it was executed."""
    host, authorization = b"Host: " + server.host + b"\r\n", authorization_of(person)
    start = f"PUT /v1/me/following/{target} HTTP/1.1\r\n".encode()
    hidden = start + host + authorization + b"Content-Length: 0\r\n\r\n"
    return Forge(authorization, hidden, host)


def followed(person: Person) -> set[int]:
    found: set[int] = set()
    path = "/v1/me/following?limit=100"
    while path:
        page = person.read(path)
        found |= {int(user["id"]) for user in page["users"]}
        path = f"/v1/me/following?limit=100&cursor={page['next']}" if "next" in page else ""
    return found


def send_all(server: WireServer, person: Person, graph: Graph) -> dict[str, Outcome]:
    """The outcome of each payload at a server, by its name."""
    by_target = payloads_of(server, person, graph)
    data = [payload.data for payload in by_target.values()]
    with ThreadPoolExecutor(AT_ONCE) as threads:
        statuses = dict(zip(by_target, threads.map(server.exchange, data), strict=True))
    done = followed(person)
    return {
        payload.name: Outcome(statuses[target], target in done)
        for target, payload in by_target.items()
    }


@pytest.fixture(scope="module")
def outcomes(
    servers: dict[str, WireServer], attacker: Person, graph: Graph
) -> dict[str, dict[str, Outcome]]:
    """The outcomes by server and payload."""
    found = {name: send_all(server, attacker, graph) for name, server in servers.items()}
    for name, outcome in found.items():
        print(name, *outcome.items(), sep="\n  ")
    return found


# Security 11
@pytest.mark.parametrize("server", ["asgi.py", "wsgi.py"])
def test_a_hidden_request_is_not_executed(
    outcomes: dict[str, dict[str, Outcome]], server: str
) -> None:
    executed = {name for name, outcome in outcomes[server].items() if outcome.executed}
    assert executed == TWO_REQUESTS.keys()


# Security 11
def test_the_edge_sees_every_request_that_is_executed_behind_it(
    outcomes: dict[str, dict[str, Outcome]],
) -> None:
    for name, outcome in outcomes["Caddy"].items():
        assert not outcome.executed or 204 in outcome.statuses, (name, outcome)


# Security 11
@pytest.mark.parametrize("server", ["asgi.py", "wsgi.py"])
def test_no_odd_request_is_answered_by_a_server_error(
    outcomes: dict[str, dict[str, Outcome]], server: str
) -> None:
    errors = {
        name: outcome.statuses
        for name, outcome in outcomes[server].items()
        if any(status >= 500 for status in outcome.statuses)
    }
    assert errors == {}


# Security 11
def test_the_api_answers_each_request_of_the_edge_with_its_own_answer(
    servers: dict[str, WireServer], outcomes: dict[str, dict[str, Outcome]], attacker: Person
) -> None:
    """No payload has left an answer, or a part of a request, on a connection behind the edge."""
    assert outcomes
    edge = servers["Caddy"]
    for number in range(40):
        request_id = f"{number:032x}".encode()
        lines = b"X-Request-Id: " + request_id + b"\r\nConnection: close\r\n\r\n"
        start = b"GET /v1/me HTTP/1.1\r\nHost: " + edge.host + b"\r\n"
        request = start + authorization_of(attacker) + lines
        answer = edge.read(request, quiet_seconds=PATIENT_SECONDS)
        assert answer.startswith(b"HTTP/1.1 200 "), answer
        assert request_id in answer
        assert str(attacker.id).encode() in answer


# Security 11
def test_pipelined_requests_are_executed_at_the_edge_and_behind_it(
    servers: dict[str, WireServer], attacker: Person, graph: Graph
) -> None:
    """What the other tests rely on: a request that is not hidden is executed."""
    for server in servers.values():
        target = Town(graph).user()
        forge = _forge(server, attacker, target)
        first = forge.head(b"", b"GET /v1/me HTTP/1.1\r\n")
        assert server.exchange(first + forge.hidden) == [200, 204], server.name
        assert target in followed(attacker), server.name
