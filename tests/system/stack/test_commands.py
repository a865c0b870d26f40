"""The commands: our own processes and Redis servers, on the Neo4j and S3 of the tests."""

import os
import signal
import sys
from collections.abc import Iterator

import pytest
import requests

from stack.supervision.records import start_of
from tests.support.eventually import eventually
from tests.system.stack.command_line import PARTS, CommandLine


@pytest.fixture
def stack(stack_env: dict[str, str]) -> Iterator[CommandLine]:
    stack = CommandLine("commands", stack_env)
    yield stack
    stack.run("down")


def test_a_stack_in_the_background_is_started_shown_used_and_stopped(stack: CommandLine) -> None:
    status, output = stack.run("up", "--detach")
    assert status == 0, output
    api = f"http://127.0.0.1:{stack.env['API_PORT']}"
    assert f"{api}/docs" in output
    assert requests.get(f"{api}/readyz", timeout=10).status_code == 200
    pids = stack.pids()
    assert set(pids) == PARTS | {"launcher"}

    status, output = stack.run("status")
    assert status == 0
    assert all(name in output and str(pid) in output for name, pid in pids.items())

    status, output = stack.run("up", "--detach")
    assert (status, "runs already" in output) == (1, True)

    script = "import os; print(os.environ['API_URL'])"
    assert stack.run("run", sys.executable, "-c", script) == (0, f"{api}\n")
    status, output = stack.run("run", "flask", "events", "list", "--limit", "1")
    assert status == 0, output
    assert output.startswith(("event ", "No event is owed."))
    assert stack.run("run", "no-such-command") == (1, "\nThere is no command no-such-command.\n")
    status, output = stack.run("run", "flask", "graph", "backup", str(stack.folder / "x.dump"))
    assert (status, "only its own machine can copy it" in output) == (1, True)

    status, output = stack.run("down")
    assert (status, "Everything has stopped" in output) == (0, True)
    assert not any(start_of(pid) for pid in pids.values())
    assert stack.run("status") == (1, "\nNothing runs. `make up` starts it.\n")


def test_ctrl_c_stops_everything_and_leaves_no_process(stack: CommandLine) -> None:
    launcher = stack.start("up")
    eventually(lambda: stack.is_ready() or launcher.poll() is not None, seconds=120)
    pids = stack.pids()
    os.killpg(launcher.pid, signal.SIGINT)  # a terminal signals its whole foreground group
    output, _ = launcher.communicate(timeout=90)
    assert set(pids) == PARTS | {"launcher"}, output
    assert "Everything has stopped" in output
    assert "had to be killed" not in output
    assert not any(start_of(pid) for pid in pids.values())
    assert stack.pids() == {}


def test_ctrl_c_during_the_start_leaves_no_process(stack: CommandLine) -> None:
    stack.env["PYTHONIOENCODING"] = "latin-1"  # it lacks `…`, which must not prevent the stop
    launcher = stack.start("up")
    pids = eventually(lambda: stack.pids() if "queue" in stack.pids() else None, seconds=60)
    assert pids
    os.killpg(launcher.pid, signal.SIGINT)
    output, _ = launcher.communicate(timeout=90)
    assert "Everything has stopped" in output
    assert not any(start_of(pid) for pid in pids.values())
    assert stack.pids() == {}


def test_down_stops_the_orphans_of_a_killed_launcher(stack: CommandLine) -> None:
    status, output = stack.run("up", "--detach")
    assert status == 0, output
    pids = stack.pids()
    os.kill(pids.pop("launcher"), signal.SIGKILL)
    assert all(start_of(pid) for pid in pids.values())
    status, output = stack.run("down")
    assert status == 0, output
    assert not any(start_of(pid) for pid in pids.values())


def test_a_wrong_password_of_an_external_neo4j_is_an_error_message(stack: CommandLine) -> None:
    stack.env["NEO4J_PASSWORD"] = "surely-not-this-one"
    status, output = stack.run("up")
    assert status == 1
    assert "refuses user neo4j with the password given" in output
    assert "Set NEO4J_USER and NEO4J_PASSWORD" in output
    assert "Traceback" not in output
    assert stack.pids() == {}


def test_an_invalid_setting_is_an_error_message(stack: CommandLine) -> None:
    stack.env["API_PORT"] = "eighty"
    status, output = stack.run("up")
    assert status == 1
    assert "API_PORT" in output
    assert "Traceback" not in output


def test_commands_without_a_running_stack_name_the_command_that_starts_it(
    stack: CommandLine,
) -> None:
    for words in (("status",), ("restart",), ("run", "true")):
        status, output = stack.run(*words)
        assert (status, "`make up`" in output) == (1, True)
