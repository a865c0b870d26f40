"""The files of ended processes are archived: nothing is lost, and nothing is counted twice."""

import itertools
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import Gauge
from prometheus_client.mmap_dict import MmapedDict, mmap_key
from prometheus_client.multiprocess import MultiProcessCollector

from observing import metric_files, metrics
from observing.metric_files import settled

ENDED = itertools.count(5_000_000)
"""Pids that no process can have: Linux has none above 4,194,304."""
SETTLE = """
import sys
from pathlib import Path
from observing.metric_files import settled
for _ in range(20):
    with settled(Path(sys.argv[1])):
        pass
"""


class Died(BaseException):
    """The process was killed here."""


def key(metric: str, sample: str, labels: dict[str, str]) -> str:
    text = mmap_key(metric, sample, list(labels), list(labels.values()), "help")
    return str(text)


COUNTER = key("done", "done_total", {"kind": "a"})
HISTOGRAM = {
    key("seconds", "seconds_bucket", {"le": "0.5"}): 2.0,
    key("seconds", "seconds_bucket", {"le": "+Inf"}): 1.0,
    key("seconds", "seconds_sum", {}): 9.5,
}
GAUGE = key("open", "open", {})


def write(path: Path, values: dict[str, float]) -> None:
    """Add the values to the file, as a process does that goes on in a file of its pid."""
    opened: Any = MmapedDict(str(path))  # type: ignore[no-untyped-call]
    for name, value in values.items():
        opened.write_value(name, opened.read_value(name)[0] + value, 0.0)
    opened.close()


def process_that_ended(folder: Path, *, done: float = 1.0) -> None:
    pid = next(ENDED)
    write(folder / f"counter_{pid}.db", {COUNTER: done})
    write(folder / f"histogram_{pid}.db", HISTOGRAM)
    write(folder / f"gauge_livesum_{pid}.db", {GAUGE: 7.0})


def totals(folder: Path) -> dict[tuple[str, str], float]:
    """The samples by name and `le`, as a scrape has them."""
    with settled(folder) as files:
        merged: Any = MultiProcessCollector.merge([str(file) for file in files])  # type: ignore[no-untyped-call]
    return {
        (sample.name, sample.labels.get("le", "")): sample.value
        for metric in merged
        for sample in metric.samples
    }


def expected(processes: int) -> dict[tuple[str, str], float]:
    return {
        ("done_total", ""): processes,
        ("seconds_bucket", "0.5"): 2 * processes,
        ("seconds_bucket", "+Inf"): 3 * processes,
        ("seconds_count", ""): 3 * processes,
        ("seconds_sum", ""): 9.5 * processes,
    }


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_counts_stay_and_the_number_of_files_is_bounded(tmp_path: Path) -> None:
    for number in range(1, 6):
        process_that_ended(tmp_path)
        assert totals(tmp_path) == expected(number)
        assert names(tmp_path) == {
            "lock",
            f"counter_archive-{number}.db",
            f"histogram_archive-{number}.db",
        }
    before = names(tmp_path)
    assert totals(tmp_path) == expected(5)
    assert names(tmp_path) == before, "nothing has ended, so nothing is written"


def test_the_files_of_running_processes_stay(tmp_path: Path) -> None:
    process_that_ended(tmp_path)
    own = [tmp_path / f"{kind}_{os.getpid()}.db" for kind in ("counter", "gauge_livesum")]
    write(own[0], {COUNTER: 1.0})
    write(own[1], {GAUGE: 4.0})
    assert totals(tmp_path)["done_total", ""] == 2
    assert totals(tmp_path)["open", ""] == 4
    assert all(path.exists() for path in own)


def test_a_process_that_is_just_starting_has_an_empty_file(tmp_path: Path) -> None:
    (tmp_path / f"counter_{os.getpid()}.db").touch()
    (tmp_path / f"counter_{next(ENDED)}.db").touch()
    process_that_ended(tmp_path)
    assert totals(tmp_path) == expected(1)


def dying_at(step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process dies before its change of the folder of that number, from 0."""
    steps = itertools.count()

    def before(change: Callable[..., Any]) -> Callable[..., Any]:
        def changed(*arguments: Any, **named: Any) -> Any:
            if next(steps) == step:
                raise Died
            return change(*arguments, **named)

        return changed

    for name in ("rename", "replace", "unlink"):
        monkeypatch.setattr(Path, name, before(getattr(Path, name)))


def dies(folder: Path, step: int) -> bool:
    """Whether archiving has a step of that number, at which it died."""
    with pytest.MonkeyPatch.context() as patch:
        dying_at(step, patch)
        try:
            totals(folder)
        except Died:
            return True
    return False


def test_after_a_death_at_any_step_nothing_is_lost_or_counted_twice(tmp_path: Path) -> None:
    deaths = 0
    for step in itertools.count():
        folder = tmp_path / str(step)
        folder.mkdir()
        process_that_ended(folder)
        assert totals(folder) == expected(1)
        for _ in range(2):
            process_that_ended(folder)
        died = dies(folder, step)
        process_that_ended(folder)
        died_again = dies(folder, step)
        assert totals(folder) == expected(4), f"died at step {step}"
        assert len(names(folder)) == 3
        if not died and not died_again:
            break
        deaths += died + died_again
    assert deaths > 20


def test_readers_at_once_in_several_processes_see_every_count_once(tmp_path: Path) -> None:
    for _ in range(10):
        process_that_ended(tmp_path)
    others = [subprocess.Popen([sys.executable, "-c", SETTLE, str(tmp_path)]) for _ in range(2)]

    def read(_number: int) -> set[float]:
        return {totals(tmp_path)["done_total", ""] for _ in range(50)}

    with ThreadPoolExecutor(4) as pool:
        seen = set().union(*pool.map(read, range(4)))
    assert seen == {10.0}
    assert [other.wait(30) for other in others] == [0, 0]
    assert len(names(tmp_path)) == 3


def test_a_new_process_with_the_pid_of_an_ended_one_keeps_the_file_that_it_has_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / f"counter_{next(ENDED)}.db"
    write(path, {COUNTER: 3.0})
    opened: Any = MmapedDict(str(path))  # type: ignore[no-untyped-call]
    answers = iter([False, False, True])  # it starts between the second check and the renaming
    monkeypatch.setattr(metric_files, "_runs", lambda _path: next(answers, True))
    assert totals(tmp_path)["done_total", ""] == 3
    opened.write_value(COUNTER, 5.0, 0.0)
    assert totals(tmp_path)["done_total", ""] == 5
    monkeypatch.undo()
    assert totals(tmp_path)["done_total", ""] == 5, "it has ended"
    opened.close()


def test_a_new_process_with_the_pid_of_an_ended_one_can_begin_a_file_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / f"counter_{next(ENDED)}.db"
    write(path, {COUNTER: 3.0})

    def begins(_path: Path) -> bool:
        if path.exists():
            return False
        write(path, {COUNTER: 2.0})
        return True

    with monkeypatch.context() as patch:
        patch.setattr(metric_files, "_runs", begins)
        assert totals(tmp_path)["done_total", ""] == 5
    assert totals(tmp_path)["done_total", ""] == 5, "it has ended"


def test_the_file_of_an_ended_process_whose_pid_a_thread_has_is_archived(tmp_path: Path) -> None:
    ended = threading.Event()
    thread = threading.Thread(target=ended.wait, args=(30,))
    thread.start()
    try:
        assert thread.native_id != os.getpid()
        for pid in (thread.native_id, os.getpid()):
            write(tmp_path / f"counter_{pid}.db", {COUNTER: 1.0})
        assert totals(tmp_path)["done_total", ""] == 2
        assert names(tmp_path) == {f"counter_{os.getpid()}.db", "counter_archive-1.db", "lock"}
    finally:
        ended.set()
        thread.join()


def test_every_gauge_counts_running_processes_alone() -> None:
    gauges = [value for value in vars(metrics).values() if isinstance(value, Gauge)]
    assert gauges
    assert all(gauge._multiprocess_mode.startswith("live") for gauge in gauges)
