"""The log lines of granian, the web server."""

import json
from collections.abc import Sequence

import pytest

from tests.support.eventually import eventually
from tests.support.supervised_stack import SupervisedStack


@pytest.fixture(scope="module")
def process_names() -> Sequence[str]:
    return ("api", "admin")


@pytest.mark.parametrize(("name", "workers"), [("api", 2), ("admin", 1)])
def test_the_server_writes_its_own_log_lines_in_our_format(
    services: SupervisedStack, name: str, workers: int
) -> None:
    eventually(lambda: services.log(name).count("Started worker-") == workers)
    lines = [json.loads(line) for line in services.log(name).splitlines()]
    server_lines = [line for line in lines if "granian" in line["event"].lower()]
    assert server_lines
    assert all({"time", "level", "event"} <= line.keys() for line in lines)
    assert {line["service"] for line in lines} == {name}
