"""What the local Neo4j refuses to statements."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import neo4j
import pytest
from neo4j.exceptions import AuthError, Neo4jError

from graph import Graph


@pytest.fixture
def requested() -> Iterator[tuple[str, list[str]]]:
    """The URL of a server on loopback, and the paths that were asked of it."""
    paths: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            paths.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"a,b\n")

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/secret.csv", paths
    server.shutdown()
    server.server_close()


# Security 22
def test_no_statement_reads_a_file_or_a_url(
    graph: Graph, stack_env: dict[str, str], requested: tuple[str, list[str]]
) -> None:
    assert graph
    url, paths = requested
    login = stack_env["NEO4J_USER"], stack_env["NEO4J_PASSWORD"]
    with neo4j.GraphDatabase.driver(stack_env["NEO4J_URI"], auth=login) as driver:
        for source in ("file:///etc/passwd", "file:///../conf/neo4j.conf", url):
            with pytest.raises(Neo4jError):
                driver.execute_query("LOAD CSV FROM $url AS line RETURN line", url=source)
    assert paths == []


# Security 22
def test_wrong_passwords_do_not_keep_the_right_one_out(
    graph: Graph, stack_env: dict[str, str]
) -> None:
    assert graph
    uri, user = stack_env["NEO4J_URI"], stack_env["NEO4J_USER"]
    for number in range(6):  # three lock a user out by default
        with (
            neo4j.GraphDatabase.driver(uri, auth=(user, f"wrong-{number}")) as guessing,
            pytest.raises(AuthError) as refused,
        ):
            guessing.verify_connectivity()
        assert refused.value.code == "Neo.ClientError.Security.Unauthorized"
    with neo4j.GraphDatabase.driver(uri, auth=(user, stack_env["NEO4J_PASSWORD"])) as right:
        right.verify_connectivity()
