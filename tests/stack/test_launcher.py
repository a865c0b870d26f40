"""What a killed launcher has left running, and how the next one finds it."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from stack.supervision import records
from stack.supervision.launcher import stop_orphans
from stack.supervision.records import Record, record_of, running_pids, start_of
from tests.stack.programs import SLEEPS, redis_stack
from tests.support.eventually import eventually

ROOT = Path(__file__).resolve().parents[2]

LAUNCHER = """
import sys
from pathlib import Path
from tests.stack.programs import redis_stack
with redis_stack(Path(sys.argv[1])) as (stack, _):
    print(stack.env["QUEUE_REDIS_URL"], flush=True)
    stack.supervisor.watch()
"""

HAS_CHILD = f"""
import subprocess, sys, time
child = subprocess.Popen([sys.executable, '-c', {SLEEPS!r}])
print(child.pid, flush=True)
time.sleep(600)
"""


@pytest.fixture
def foreign_process() -> Iterator[subprocess.Popen[bytes]]:
    """A process that no stack has started."""
    process = subprocess.Popen(
        [sys.executable, "-c", SLEEPS], stdout=subprocess.PIPE, start_new_session=True
    )
    assert process.stdout
    process.stdout.readline()
    yield process
    process.kill()
    process.communicate()


def kill_launcher(folder: Path) -> tuple[str, list[int]]:
    """Starts a launcher and kills it; the queue's URL and the pids of the parts."""
    launcher = subprocess.Popen(
        [sys.executable, "-c", LAUNCHER, str(folder)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert launcher.stdout
    url = launcher.stdout.readline().strip()
    launcher.kill()
    launcher.communicate()
    pids = [record.pid for record in records.read_all(folder / "run")]
    return url, pids


def test_the_next_launcher_stops_the_orphans_of_a_killed_one_and_has_its_data(
    tmp_path: Path,
) -> None:
    url, pids = kill_launcher(tmp_path)
    assert len(pids) == 2
    assert all(start_of(pid) for pid in pids)
    redis.Redis.from_url(url).set("key", "value")
    with redis_stack(tmp_path) as (stack, lines):
        assert not any(start_of(pid) for pid in pids)
        assert redis.Redis.from_url(stack.env["QUEUE_REDIS_URL"]).get("key") == b"value"
        assert stack.env["QUEUE_REDIS_URL"] == url
    assert sum("still runs from an earlier start" in line for line in lines) == 2


def test_another_process_that_has_a_recorded_pid_is_not_stopped(
    tmp_path: Path, foreign_process: subprocess.Popen[bytes]
) -> None:
    (tmp_path / "run").mkdir()
    real = record_of("queue", foreign_process.pid)
    boot, _, ticks = real.started.rpartition(":")
    Record(name="queue", pid=real.pid, started=f"{boot}:{int(ticks) - 1}").write(tmp_path / "run")
    stop_orphans(tmp_path, print)
    assert foreign_process.poll() is None
    assert records.read_all(tmp_path / "run") == []


def test_records_of_an_earlier_boot_are_void(
    tmp_path: Path, foreign_process: subprocess.Popen[bytes]
) -> None:
    (tmp_path / "run").mkdir()
    ticks = record_of("queue", foreign_process.pid).started.rpartition(":")[2]
    record = Record(name="queue", pid=foreign_process.pid, started=f"another:{ticks}")
    record.write(tmp_path / "run")
    stop_orphans(tmp_path, print)
    assert foreign_process.poll() is None


def test_the_children_of_a_killed_part_are_found_by_its_process_group() -> None:
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
    assert running_pids(record) == [child]
    assert records.stop(record, seconds=5)
    eventually(lambda: start_of(child) is None)
    parent.stdout.close()


def test_a_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    record = Record(name="queue", pid=7, started="boot:1", descendants={"8": "boot:2"})
    record.write(tmp_path)
    assert records.read(tmp_path, "queue") == record


def test_the_keys_of_a_record_are_those_of_older_versions(tmp_path: Path) -> None:
    fields = {"name": "queue", "pid": 7, "started": "boot:1", "also": {"8": "boot:2"}}
    (tmp_path / "queue.json").write_text(json.dumps(fields))
    record = records.read(tmp_path, "queue")
    assert record
    assert record.descendants == {"8": "boot:2"}
    assert json.loads(record.to_json()) == fields


def test_a_damaged_record_is_ignored(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "queue.json").write_text('{"name": "qu')
    with redis_stack(tmp_path) as (stack, _):
        assert stack.process("queue").alive()
