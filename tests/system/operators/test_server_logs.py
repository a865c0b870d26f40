import json

import pytest

from tests.support.running import Running


@pytest.mark.parametrize("name", ["api", "admin"])
def test_the_server_writes_its_own_lines_as_we_write_ours(running: Running, name: str) -> None:
    lines = [json.loads(line) for line in running.log(name).splitlines()]
    servers = [line for line in lines if "granian" in line["event"].lower()]
    assert servers
    assert all({"time", "level", "event"} <= line.keys() for line in lines)
    assert {line["service"] for line in lines} == {name}
