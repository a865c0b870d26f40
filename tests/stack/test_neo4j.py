"""What the local Neo4j refuses to statements."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import neo4j
import pytest
from neo4j.exceptions import Neo4jError

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
