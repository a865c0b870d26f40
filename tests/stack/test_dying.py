import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import psutil
import pytest

from stack import StackError
from stack.supervision import records
from stack.supervision.holds import ended, held, is_held
from stack.supervision.records import start_of
from tests.eventually import eventually
from tests.stack.programs import DIES, SLEEPS, Bench, Script

IGNORES_SIGTERM = f"import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n{SLEEPS}"
HAS_CHILD = (
    f"import subprocess, sys\nsubprocess.Popen([sys.executable, '-c', {SLEEPS!r}])\n{SLEEPS}"
)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    bench.stop()


def test_a_part_that_dies_is_started_again_and_this_is_said(bench: Bench, tmp_path: Path) -> None:
    bench.supervisor.start([Script("one", SLEEPS, folder=tmp_path)])
    bench.watch()
    first = bench.pid("one")
    os.kill(first, signal.SIGKILL)
    eventually(lambda: bench.pid("one") != first)
    eventually(lambda: bench.heard("one answers again."))
    assert bench.heard("one ended (SIGKILL); it is started again in 0.5 s.")
    assert start_of(first) is None


def test_each_death_soon_after_another_is_followed_by_a_longer_pause(
    bench: Bench, tmp_path: Path
) -> None:
    bench.supervisor.start([Script("one", SLEEPS, folder=tmp_path)])
    bench.watch()
    for pause in ("0.5", "1", "2"):
        pid = bench.pid("one")
        os.kill(pid, signal.SIGKILL)
        eventually(partial(bench.heard, f"again in {pause} s."))
        eventually(partial(bench.replaced, "one", pid))


def test_a_part_that_keeps_dying_ends_the_watch_with_its_last_lines(tmp_path: Path) -> None:
    bench = Bench(tmp_path, max_deaths=2)
    bench.supervisor.start([Script("one", SLEEPS, folder=tmp_path)])
    bench.watch()
    for _ in range(2):
        pid = bench.pid("one")
        os.kill(pid, signal.SIGKILL)
        eventually(partial(bench.replaced, "one", pid))
    assert isinstance(bench.error, StackError)
    assert "one has ended 2 times within 60 s, at last SIGKILL" in str(bench.error)
    assert "awake" in str(bench.error)
    bench.stop()


def test_a_part_that_dies_at_its_start_is_an_error_with_its_last_lines(
    bench: Bench, tmp_path: Path
) -> None:
    script = Script("one", DIES, folder=tmp_path)
    script.answers = False
    with pytest.raises(StackError, match=r"(?s)one ended while it was starting.*the reason stands"):
        bench.supervisor.start([script])


def test_one_that_fails_does_not_keep_the_others_waiting(bench: Bench, tmp_path: Path) -> None:
    silent = Script("silent", SLEEPS, folder=tmp_path)
    silent.answers = False
    failing = Script("failing", DIES, folder=tmp_path)
    failing.answers = False
    with pytest.raises(StackError, match="failing ended"):
        bench.supervisor.start([silent, failing])


def test_a_process_of_ours_waits_for_the_store_it_needs(bench: Bench, tmp_path: Path) -> None:
    store = Script("store", SLEEPS, folder=tmp_path)
    bench.supervisor.start([store])
    bench.supervisor.start([Script("worker", SLEEPS, folder=tmp_path)], needs=[store])
    store.answers = False
    bench.watch()
    first = bench.pid("worker")
    os.kill(first, signal.SIGKILL)
    eventually(lambda: bench.heard("worker ended"))
    watched = bench.supervisor._watched[1]
    put_off = watched.restart_at
    eventually(lambda: watched.restart_at != put_off)  # it was time, and the store was away
    assert bench.pid("worker") == first
    assert not watched.deaths
    store.answers = True
    eventually(lambda: bench.pid("worker") != first)


def test_stopping_ends_the_children_of_a_part_too(bench: Bench, tmp_path: Path) -> None:
    bench.supervisor.start([Script("one", HAS_CHILD, folder=tmp_path)])
    children = eventually(lambda: psutil.Process(bench.pid("one")).children())
    bench.supervisor.stop()
    assert [child.pid for child in children if start_of(child.pid)] == []


def test_the_children_of_a_part_that_was_killed_do_not_outlive_it(
    bench: Bench, tmp_path: Path
) -> None:
    bench.supervisor.start([Script("one", HAS_CHILD, folder=tmp_path)])
    bench.watch()
    first = bench.pid("one")
    children = eventually(lambda: psutil.Process(first).children())
    os.kill(first, signal.SIGKILL)
    eventually(lambda: bench.pid("one") != first)
    assert [child.pid for child in children if start_of(child.pid)] == []


def test_a_part_that_does_not_obey_is_killed(bench: Bench, tmp_path: Path) -> None:
    bench.supervisor.start([Script("one", IGNORES_SIGTERM, folder=tmp_path)])
    pid = bench.pid("one")
    bench.supervisor.stop()
    assert start_of(pid) is None
    assert bench.heard("one had to be killed.")


def test_parts_are_stopped_in_the_reverse_of_their_order(bench: Bench, tmp_path: Path) -> None:
    says_when = f"""
import signal, sys, time
def end(*_):
    open({str(tmp_path)!r} + "/order", "a").write(sys.argv[0] + NAME + "\\n")
    sys.exit()
signal.signal(signal.SIGTERM, end)
{SLEEPS}"""
    store = Script("store", f"NAME = 'store'{says_when}", folder=tmp_path)
    bench.supervisor.start([store])
    bench.supervisor.start(
        [Script("worker", f"NAME = 'worker'{says_when}", folder=tmp_path)], needs=[store]
    )
    bench.supervisor.stop()
    assert (tmp_path / "order").read_text().split() == ["-cworker", "-cstore"]


def test_a_part_that_is_held_stays_down_and_its_end_counts_as_no_death(tmp_path: Path) -> None:
    bench = Bench(tmp_path, max_deaths=1)
    bench.supervisor.start([Script("one", SLEEPS, folder=tmp_path)])
    bench.watch()
    run_folder = tmp_path / "run"
    for _ in range(3):
        record = records.read(run_folder, "one")
        assert record
        with held(run_folder, "one"):
            ended(run_folder, record, seconds=10)
            with pytest.raises(StackError, match="Somebody else is working on one"):
                held(run_folder, "one").__enter__()
            assert not bench.supervisor.process("one").alive()
        eventually(partial(bench.replaced, "one", record.pid))
    bench.stop()
    assert bench.error is None
    assert bench.heard("one was stopped as asked; it is started again when it may be.")


def test_a_hold_ends_with_the_process_that_had_it(tmp_path: Path) -> None:
    text = (
        "import os, sys; from pathlib import Path; from stack.supervision.holds import held\n"
        "with held(Path(sys.argv[1]), 'one'): os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", text, str(tmp_path)], check=True, timeout=30)
    assert (tmp_path / "one.hold").exists()
    assert not is_held(tmp_path, "one")
