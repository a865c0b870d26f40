"""What is left when the launcher itself is killed."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from stack.local import end_leftovers
from stack.supervision import records
from stack.supervision.records import Record, record_of, start_of, survivors
from tests.eventually import eventually
from tests.stack.programs import SLEEPS, redis_stack

ROOT = Path(__file__).resolve().parents[2]

LAUNCHER = """
import sys
from pathlib import Path
from tests.stack.programs import redis_stack
with redis_stack(Path(sys.argv[1])) as (stack, _):
    print(stack.env["QUEUE_REDIS_URL"], flush=True)
    stack.supervisor.watch()
"""


@pytest.fixture
def stranger() -> Iterator[subprocess.Popen[bytes]]:
    """A process that the stack has never started."""
    process = subprocess.Popen(
        [sys.executable, "-c", SLEEPS], stdout=subprocess.PIPE, start_new_session=True
    )
    assert process.stdout
    process.stdout.readline()
    yield process
    process.kill()
    process.communicate()


def killed_launcher(folder: Path) -> tuple[str, list[int]]:
    """The queue's URL and the pids of the parts of a launcher that was killed."""
    launcher = subprocess.Popen(
        [sys.executable, "-c", LAUNCHER, str(folder)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert launcher.stdout
    url = launcher.stdout.readline().strip()
    launcher.kill()
    launcher.communicate()
    pids = [record.pid for record in records.read_all(folder / "run")]
    return url, pids


def test_a_killed_launcher_is_recovered_from_with_its_data(tmp_path: Path) -> None:
    url, pids = killed_launcher(tmp_path)
    assert len(pids) == 2
    assert all(start_of(pid) for pid in pids)
    redis.Redis.from_url(url).set("kept", "yes")
    with redis_stack(tmp_path) as (stack, said):
        assert not any(start_of(pid) for pid in pids)
        assert redis.Redis.from_url(stack.env["QUEUE_REDIS_URL"]).get("kept") == b"yes"
        assert stack.env["QUEUE_REDIS_URL"] == url
    assert sum("still runs from an earlier start" in line for line in said) == 2


def test_a_process_that_has_got_a_recorded_pid_by_chance_is_left_alone(
    tmp_path: Path, stranger: subprocess.Popen[bytes]
) -> None:
    (tmp_path / "run").mkdir()
    real = record_of("queue", stranger.pid)
    boot, _, ticks = real.started.rpartition(":")
    Record(name="queue", pid=real.pid, started=f"{boot}:{int(ticks) - 1}").write(tmp_path / "run")
    end_leftovers(tmp_path, print)
    assert stranger.poll() is None
    assert records.read_all(tmp_path / "run") == []


def test_records_of_an_earlier_boot_mean_nothing(
    tmp_path: Path, stranger: subprocess.Popen[bytes]
) -> None:
    (tmp_path / "run").mkdir()
    ticks = record_of("queue", stranger.pid).started.rpartition(":")[2]
    Record(name="queue", pid=stranger.pid, started=f"another:{ticks}").write(tmp_path / "run")
    end_leftovers(tmp_path, print)
    assert stranger.poll() is None


HAS_CHILD = f"""
import subprocess, sys, time
child = subprocess.Popen([sys.executable, '-c', {SLEEPS!r}])
print(child.pid, flush=True)
time.sleep(600)
"""


def test_what_a_killed_part_has_started_is_found_by_its_group() -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", HAS_CHILD],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    record = record_of("one", parent.pid)
    assert parent.stdout
    child = int(parent.stdout.readline())
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    assert survivors(record) == [child]
    assert records.end(record, seconds=5)
    eventually(lambda: start_of(child) is None)
    parent.stdout.close()


def test_a_record_that_was_cut_short_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "queue.json").write_text('{"name": "qu')
    with redis_stack(tmp_path) as (stack, _):
        assert stack.process("queue").alive()
