"""The servers of the API as raw bytes reach them, and a user whose follows show what was done."""

from collections.abc import Iterator

import pytest

from tests.support.edge import EdgePorts, edge_before
from tests.support.granian import Server, asgi_command, free_port, serving, wsgi_command
from tests.support.people import Person, sign_up
from tests.support.transports import PatientTransport
from tests.system.wire.servers import WireServer, plain_server


@pytest.fixture(scope="module")
def env(stack_env: dict[str, str]) -> dict[str, str]:
    """The environment of the servers: without quotas, so that many payloads are answered."""
    return {**stack_env, "LIMITS_SCALE": "100000"}


@pytest.fixture(scope="module")
def by_loop(env: dict[str, str]) -> Iterator[Server]:
    """The whole API by asgi.py."""
    port = free_port()
    with serving(asgi_command("asgi:app", port), port, env) as server:
        yield server


@pytest.fixture(scope="module")
def by_view(env: dict[str, str]) -> Iterator[Server]:
    """The whole API by wsgi.py."""
    port = free_port()
    with serving(wsgi_command("wsgi:app", port), port, env) as server:
        yield server


@pytest.fixture(scope="module")
def edge(
    by_loop: Server, env: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[WireServer]:
    """Caddy before asgi.py."""
    folder = tmp_path_factory.mktemp("edge")
    with edge_before(by_loop, env, EdgePorts.free(), folder) as running:
        yield WireServer("Caddy", running.connect, running.url.partition("//")[2].encode())


@pytest.fixture(scope="module")
def servers(by_loop: Server, by_view: Server, edge: WireServer) -> dict[str, WireServer]:
    """All of them, by name."""
    plain = [plain_server("asgi.py", by_loop.url), plain_server("wsgi.py", by_view.url)]
    return {server.name: server for server in (*plain, edge)}


@pytest.fixture(scope="module")
def attacker(by_loop: Server) -> Person:
    """The user whose requests are sent."""
    return sign_up(PatientTransport(by_loop.url), "wire")
