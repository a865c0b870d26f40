import os
import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import psutil
import pytest

from stack import StackError
from stack.supervision.records import start_of
from tests.stack.programs import EXITS, SLEEPS, Script, Supervision
from tests.support.eventually import eventually

IGNORES_SIGTERM = f"import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n{SLEEPS}"
HAS_CHILD = (
    f"import subprocess, sys\nsubprocess.Popen([sys.executable, '-c', {SLEEPS!r}])\n{SLEEPS}"
)


@pytest.fixture
def supervision(tmp_path: Path) -> Iterator[Supervision]:
    supervision = Supervision(tmp_path)
    yield supervision
    supervision.stop()


def test_a_part_that_crashes_is_restarted_and_this_is_reported(
    supervision: Supervision, tmp_path: Path
) -> None:
    supervision.supervisor.start([Script("one", SLEEPS, folder=tmp_path)])
    supervision.watch()
    first = supervision.pid("one")
    os.kill(first, signal.SIGKILL)
    eventually(lambda: supervision.pid("one") != first)
    eventually(lambda: supervision.has_reported("one answers again."))
    assert supervision.has_reported("one ended (SIGKILL); it is started again in 0.5 s.")
    assert start_of(first) is None


def test_each_crash_soon_after_another_is_followed_by_a_longer_delay(
    supervision: Supervision, tmp_path: Path
) -> None:
    supervision.supervisor.start([Script("one", SLEEPS, folder=tmp_path)])
    supervision.watch()
    for delay in ("0.5", "1", "2"):
        pid = supervision.pid("one")
        os.kill(pid, signal.SIGKILL)
        eventually(partial(supervision.has_reported, f"again in {delay} s."))
        eventually(partial(supervision.is_replaced, "one", pid))


def test_a_part_that_keeps_crashing_ends_the_watch_with_the_end_of_its_log(tmp_path: Path) -> None:
    supervision = Supervision(tmp_path, max_crashes=2)
    supervision.supervisor.start([Script("one", SLEEPS, folder=tmp_path)])
    supervision.watch()
    for _ in range(2):
        pid = supervision.pid("one")
        os.kill(pid, signal.SIGKILL)
        eventually(partial(supervision.is_replaced, "one", pid))
    assert isinstance(supervision.error, StackError)
    assert "one has ended 2 times within 60 s, at last SIGKILL" in str(supervision.error)
    assert "awake" in str(supervision.error)
    supervision.stop()


def test_a_part_that_ends_at_its_start_is_an_error_with_the_end_of_its_log(
    supervision: Supervision, tmp_path: Path
) -> None:
    script = Script("one", EXITS, folder=tmp_path)
    script.answers = False
    message = r"(?s)one ended while it was starting.*the cause is in the log"
    with pytest.raises(StackError, match=message):
        supervision.supervisor.start([script])


def test_a_part_that_fails_to_start_ends_the_wait_for_the_others(
    supervision: Supervision, tmp_path: Path
) -> None:
    silent = Script("silent", SLEEPS, folder=tmp_path)
    silent.answers = False
    crashing = Script("crashing", EXITS, folder=tmp_path)
    crashing.answers = False
    with pytest.raises(StackError, match="crashing ended"):
        supervision.supervisor.start([silent, crashing])


def test_a_process_of_ours_waits_for_the_store_it_needs(
    supervision: Supervision, tmp_path: Path
) -> None:
    store = Script("store", SLEEPS, folder=tmp_path)
    supervision.supervisor.start([store])
    supervision.supervisor.start([Script("worker", SLEEPS, folder=tmp_path)], needs=[store])
    store.answers = False
    supervision.watch()
    first = supervision.pid("worker")
    os.kill(first, signal.SIGKILL)
    eventually(lambda: supervision.has_reported("worker ended"))
    worker = supervision.supervisor._supervised[1]
    restart_at = worker.restart_at
    eventually(lambda: worker.restart_at != restart_at)  # it was due, and the store was down
    assert supervision.pid("worker") == first
    assert not worker.crashes
    store.answers = True
    eventually(lambda: supervision.pid("worker") != first)


def test_stopping_a_part_stops_its_children(supervision: Supervision, tmp_path: Path) -> None:
    supervision.supervisor.start([Script("one", HAS_CHILD, folder=tmp_path)])
    children = eventually(lambda: psutil.Process(supervision.pid("one")).children())
    supervision.supervisor.stop()
    assert [child.pid for child in children if start_of(child.pid)] == []


def test_the_children_of_a_part_that_was_killed_are_stopped(
    supervision: Supervision, tmp_path: Path
) -> None:
    supervision.supervisor.start([Script("one", HAS_CHILD, folder=tmp_path)])
    supervision.watch()
    first = supervision.pid("one")
    children = eventually(lambda: psutil.Process(first).children())
    os.kill(first, signal.SIGKILL)
    eventually(lambda: supervision.pid("one") != first)
    assert [child.pid for child in children if start_of(child.pid)] == []


def test_a_part_that_ignores_sigterm_is_killed(supervision: Supervision, tmp_path: Path) -> None:
    supervision.supervisor.start([Script("one", IGNORES_SIGTERM, folder=tmp_path)])
    pid = supervision.pid("one")
    supervision.supervisor.stop()
    assert start_of(pid) is None
    assert supervision.has_reported("one had to be killed.")


def test_parts_are_stopped_in_the_reverse_of_their_start_order(
    supervision: Supervision, tmp_path: Path
) -> None:
    writes_its_name = f"""
import signal, sys, time
def end(*_):
    open({str(tmp_path)!r} + "/order", "a").write(sys.argv[0] + NAME + "\\n")
    sys.exit()
signal.signal(signal.SIGTERM, end)
{SLEEPS}"""
    store = Script("store", f"NAME = 'store'{writes_its_name}", folder=tmp_path)
    worker = Script("worker", f"NAME = 'worker'{writes_its_name}", folder=tmp_path)
    supervision.supervisor.start([store])
    supervision.supervisor.start([worker], needs=[store])
    supervision.supervisor.stop()
    assert (tmp_path / "order").read_text().split() == ["-cworker", "-cstore"]
