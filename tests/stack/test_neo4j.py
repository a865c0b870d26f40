"""What the local Neo4j refuses to statements."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import neo4j
import psutil
import pytest
from neo4j.exceptions import AuthError, Neo4jError

from graph import Graph
from stack.parts.neo4j import LocalNeo4j
from stack.ports import HOST


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


def test_the_temporary_files_of_a_killed_server_are_in_its_folder_and_cleared_at_its_start(
    graph: Graph, stack_env: dict[str, str], tmp_path: Path
) -> None:
    assert graph
    mine = f":{stack_env['NEO4J_URI'].rpartition(':')[2]}"
    config = f"server.bolt.listen_address={HOST}{mine}"
    [home] = {
        folder
        for process in psutil.process_iter(["cmdline"])
        for word in process.info["cmdline"] or []
        if word.startswith("--home-dir=")
        and config in ((folder := Path(word[11:])) / "conf/neo4j.conf").read_text()
    }
    assert list((home / "tmp").glob("jetty-*")), "the Browser is unpacked there"
    server = LocalNeo4j(
        tmp_path,
        bolt=1,
        http=2,
        password="-",
        heap="1m",
        pagecache="1m",
        java_options=(),
        other_libraries=[home / "lib"],
        stopping=threading.Event(),
    )
    (tmp_path / "data/databases/system").mkdir(parents=True)
    (tmp_path / "tmp/jetty-left").mkdir(parents=True)
    server.prepare()
    assert list((tmp_path / "tmp").iterdir()) == []
    assert f"-Djava.io.tmpdir={tmp_path / 'tmp'}" in server.command()
