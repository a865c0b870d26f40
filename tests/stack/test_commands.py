"""`python -m stack`, as the Makefile calls it: our own processes on the stores of the tests."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from stack import ports
from stack.settings import PORT_VARIABLES
from stack.supervision import records
from stack.supervision.records import record_of, start_of
from tests.eventually import eventually
from tests.folders import TESTS, free_folder

ROOT = Path(__file__).resolve().parents[2]
OWNER = "owner"
"""The record of the test run that a folder's stack belongs to."""
WORKING = {"photos", "fanout", "fanout-large", "timelines", "removal", "sweeper"}
OURS = {"api", "admin", "queue", "cache", *WORKING}


class Stack:
    """A stack with Redis servers of its own, Neo4j and S3 being those of the other tests."""

    def __init__(self, kind: str, stack_env: dict[str, str]) -> None:
        end_orphans(kind)
        self.folder = folder = free_folder(kind)
        record_of(OWNER, os.getpid()).write(folder)
        chosen = ports.choose(
            PORT_VARIABLES, memory=folder / "wanted", usual=None, asked=None, say=print
        )
        outside = {
            name: value
            for name, value in stack_env.items()
            if name.startswith(("NEO4J_", "S3_", "AWS_"))
        }
        plain = {name: value for name, value in os.environ.items() if "REDIS" not in name}
        asked = {PORT_VARIABLES[name]: str(port) for name, port in chosen.items()}
        self.env = plain | outside | asked | {"STACK_FOLDER": str(folder), "API_WORKERS": "1"}

    def start(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "stack", *words],
            cwd=ROOT,
            env=self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self, *words: str) -> tuple[int, str]:
        command = self.start(*words)
        output, _ = command.communicate(timeout=150)
        return command.returncode, output

    def pids(self) -> dict[str, int]:
        return {record.name: record.pid for record in records.read_all(self.folder / "run")}

    def ready(self) -> bool:
        return (self.folder / "run" / "stack.env").exists()


def end_orphans(kind: str) -> None:
    """Stops the stacks whose test run was killed: they hold their folders and would go on."""
    for folder in TESTS.glob(f"{kind}-*"):
        owner = records.read(folder, OWNER)
        if owner and not owner.alive():
            subprocess.run(
                [sys.executable, "-m", "stack", "down"],
                cwd=ROOT,
                env=os.environ | {"STACK_FOLDER": str(folder)},
                timeout=200,
                check=False,
            )


@pytest.fixture
def stack(stack_env: dict[str, str]) -> Iterator[Stack]:
    stack = Stack("commands", stack_env)
    yield stack
    stack.run("down")


def test_in_the_background_it_is_started_shown_used_and_stopped(stack: Stack) -> None:
    status, output = stack.run("up", "--detach")
    assert status == 0, output
    api = f"http://127.0.0.1:{stack.env['API_PORT']}"
    assert f"{api}/docs" in output
    assert requests.get(f"{api}/readyz", timeout=10).status_code == 200
    pids = stack.pids()
    assert set(pids) == OURS | {"launcher"}

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


def test_ctrl_c_stops_everything_and_leaves_no_process(stack: Stack) -> None:
    launcher = stack.start("up")
    eventually(lambda: stack.ready() or launcher.poll() is not None, seconds=120)
    pids = stack.pids()
    os.killpg(launcher.pid, signal.SIGINT)  # as a terminal does, to all of its foreground group
    output, _ = launcher.communicate(timeout=90)
    assert set(pids) == OURS | {"launcher"}, output
    assert "Everything has stopped" in output
    assert "had to be killed" not in output
    assert not any(start_of(pid) for pid in pids.values())
    assert stack.pids() == {}


def test_ctrl_c_during_the_start_leaves_no_process_either(stack: Stack) -> None:
    stack.env["PYTHONIOENCODING"] = "latin-1"  # has no `…`, and must stop all the same
    launcher = stack.start("up")
    pids = eventually(lambda: stack.pids() if "queue" in stack.pids() else None, seconds=60)
    assert pids
    os.killpg(launcher.pid, signal.SIGINT)
    output, _ = launcher.communicate(timeout=90)
    assert "Everything has stopped" in output
    assert not any(start_of(pid) for pid in pids.values())
    assert stack.pids() == {}


def test_after_kill_9_of_the_launcher_down_finds_what_is_left(stack: Stack) -> None:
    status, output = stack.run("up", "--detach")
    assert status == 0, output
    pids = stack.pids()
    os.kill(pids.pop("launcher"), signal.SIGKILL)
    assert all(start_of(pid) for pid in pids.values())
    status, output = stack.run("down")
    assert status == 0, output
    assert not any(start_of(pid) for pid in pids.values())


def test_the_wrong_password_of_an_external_neo4j_is_a_sentence(stack: Stack) -> None:
    stack.env["NEO4J_PASSWORD"] = "surely-not-this-one"
    status, output = stack.run("up")
    assert status == 1
    assert "refuses user neo4j with the password given" in output
    assert "Set NEO4J_USER and NEO4J_PASSWORD" in output
    assert "Traceback" not in output
    assert stack.pids() == {}


def test_a_setting_that_cannot_be_read_is_a_sentence(stack: Stack) -> None:
    stack.env["API_PORT"] = "eighty"
    status, output = stack.run("up")
    assert status == 1
    assert "API_PORT" in output
    assert "Traceback" not in output


def test_commands_without_a_running_stack_say_how_to_start_it(stack: Stack) -> None:
    for words in (("status",), ("restart",), ("run", "true")):
        status, output = stack.run(*words)
        assert (status, "`make up`" in output) == (1, True)
