"""The whole stack, Neo4j included, as `make up` starts it: once killed, once asked to stop."""

import os
import signal
from collections.abc import Iterator

import pytest
import requests

from stack.supervision.records import start_of
from tests.eventually import eventually
from tests.stack.test_commands import OURS, Stack

pytestmark = pytest.mark.timeout(600)
START_SECONDS = 240
"""With everything on two cores that others use too; an idle machine needs 20."""


def create(url: str, body: dict[str, str]) -> None:
    """As a client must: 503 of a Neo4j that has just been started means to come again.

    409 then means that the first try had done it.
    """
    refused = False

    def created() -> bool:
        nonlocal refused
        answer = requests.post(url, json=body, timeout=20)
        assert answer.status_code in {201, 503} | ({409} if refused else set()), answer.text
        refused = answer.status_code == 503
        return not refused

    eventually(created, seconds=60, every=1)


@pytest.fixture
def stack() -> Iterator[Stack]:
    stack = Stack("a whole", {})  # every part can live in a folder with a space
    for name in ("NEO4J_URI", "S3_ENDPOINT_URL", "MEDIA_BASE_URL", "NEO4J_PASSWORD"):
        stack.env.pop(name, None)
    stack.env["NEO4J_PAGECACHE"] = "128m"
    yield stack
    stack.run("down")


def test_a_killed_launcher_costs_no_data_and_ctrl_c_leaves_no_process(stack: Stack) -> None:
    launcher = stack.start("up")
    eventually(lambda: stack.ready() or launcher.poll() is not None, seconds=START_SECONDS)
    api = f"http://127.0.0.1:{stack.env['API_PORT']}"
    account = {"username": "keeper", "name": "Keeper", "password": "a long enough one"}
    create(f"{api}/v1/accounts", account)
    old = stack.pids()
    assert set(old) == OURS | {"launcher", "neo4j", "s3"}
    launcher.kill()
    launcher.communicate()
    assert start_of(old["neo4j"])

    launcher = stack.start("up")
    eventually(lambda: not stack.ready(), seconds=60)  # what the killed one had noted is gone
    eventually(lambda: stack.ready() or launcher.poll() is not None, seconds=START_SECONDS)
    new = stack.pids()
    login = {name: account[name] for name in ("username", "password")}
    create(f"{api}/v1/sessions", login)
    os.killpg(launcher.pid, signal.SIGINT)
    output, _ = launcher.communicate(timeout=120)
    assert "neo4j still runs from an earlier start; it is stopped first." in output
    assert "Everything has stopped" in output
    assert not any(start_of(pid) for pid in {**old, **new}.values())
