"""The whole stack, as `make up` starts it: its launcher is killed, then stopped by Ctrl-C."""

import os
import signal
from collections.abc import Iterator

import pytest
import requests

from stack.supervision.records import start_of
from tests.support.eventually import eventually
from tests.system.stack.command_line import PARTS, CommandLine

pytestmark = pytest.mark.timeout(600)
START_SECONDS = 240
"""On two busy cores. An idle machine needs 20 s."""


def create(url: str, body: dict[str, str]) -> None:
    """Repeats a request that gets 503, as Neo4j has just been started.

    A later try may get 409: the first one was carried out.
    """
    is_repeated = False

    def created() -> bool:
        nonlocal is_repeated
        answer = requests.post(url, json=body, timeout=20)
        assert answer.status_code in {201, 503} | ({409} if is_repeated else set()), answer.text
        is_repeated = answer.status_code == 503
        return not is_repeated

    eventually(created, seconds=60, every=1)


@pytest.fixture
def stack() -> Iterator[CommandLine]:
    stack = CommandLine("a whole", {})  # the folder's name has a space
    for name in ("NEO4J_URI", "S3_ENDPOINT_URL", "MEDIA_BASE_URL", "NEO4J_PASSWORD"):
        stack.env.pop(name, None)
    stack.env["NEO4J_PAGECACHE"] = "128m"
    yield stack
    stack.run("down")


def test_a_killed_launcher_costs_no_data_and_ctrl_c_leaves_no_process(stack: CommandLine) -> None:
    launcher = stack.start("up")
    eventually(lambda: stack.is_ready() or launcher.poll() is not None, seconds=START_SECONDS)
    api = f"http://127.0.0.1:{stack.env['API_PORT']}"
    account = {"username": "keeper", "name": "Keeper", "password": "a long enough one"}
    create(f"{api}/v1/accounts", account)
    old = stack.pids()
    assert set(old) == PARTS | {"launcher", "neo4j", "s3"}
    launcher.kill()
    launcher.communicate()
    assert start_of(old["neo4j"])

    launcher = stack.start("up")
    eventually(lambda: not stack.is_ready(), seconds=60)  # the killed launcher's file is removed
    eventually(lambda: stack.is_ready() or launcher.poll() is not None, seconds=START_SECONDS)
    new = stack.pids()
    login = {name: account[name] for name in ("username", "password")}
    create(f"{api}/v1/sessions", login)
    os.killpg(launcher.pid, signal.SIGINT)
    output, _ = launcher.communicate(timeout=120)
    assert "neo4j still runs from an earlier start; it is stopped first." in output
    assert "Everything has stopped" in output
    assert not any(start_of(pid) for pid in {**old, **new}.values())
