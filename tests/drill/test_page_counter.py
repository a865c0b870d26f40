import threading
from pathlib import Path

from drill.checking.operations import operations
from drill.counters import PAGES
from drill.history import History
from drill.load.page_counter import PageCounter
from observing.metrics import TIMELINE_READS
from tests.drill.test_counters import count_in_a_process


def test_each_count_is_an_operation_with_the_pages_until_then(tmp_path: Path) -> None:
    history = History()
    counter = PageCounter(history, str(tmp_path), threading.Event())
    counter.sample()
    count_in_a_process(tmp_path)
    counter.sample()
    counts = [op for op in operations(history.lines()) if op.op == "sources"]
    assert [op.facts["pages"].get("window", 0) for op in counts] == [0, 3]


def test_it_ends_when_the_drill_stops(tmp_path: Path) -> None:
    stop = threading.Event()
    counter = PageCounter(History(), str(tmp_path), stop)
    counter.start()
    stop.set()
    counter.join(10)
    assert not counter.is_alive()


def test_the_counter_has_the_name_that_the_drill_reads() -> None:
    [metric] = TIMELINE_READS.collect()
    assert f"{metric.name}_total" == PAGES
