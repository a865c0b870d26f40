"""The whole stack, Neo4j included, as `make up` starts it: once killed, once asked to stop."""

import os
import signal
from collections.abc import Iterator

import pytest
import requests

from stack.records import start_of
from tests.eventually import eventually
from tests.stack.test_commands import OURS, Stack

pytestmark = pytest.mark.timeout(600)
START_SECONDS = 240
"""With everything on two cores that others use too; an idle machine needs 20."""


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
    created = requests.post(f"{api}/v1/accounts", json=account, timeout=20)
    assert created.status_code == 201, created.text
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
    answer = requests.post(f"{api}/v1/sessions", json=login, timeout=20)
    assert answer.status_code == 201, answer.text
    os.killpg(launcher.pid, signal.SIGINT)
    output, _ = launcher.communicate(timeout=120)
    assert "neo4j still runs from an earlier start; it is stopped first." in output
    assert "Everything has stopped" in output
    assert not any(start_of(pid) for pid in {**old, **new}.values())
