import json
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from stack import StackError
from stack.supervision import records
from stack.supervision.holds import hold, is_on_hold, stop_on_hold
from tests.stack.programs import SLEEPS, Script, Supervision
from tests.support.eventually import eventually


def test_a_part_on_hold_stays_down_and_its_end_is_no_crash(tmp_path: Path) -> None:
    supervision = Supervision(tmp_path, max_crashes=1)
    supervision.supervisor.start([Script("one", SLEEPS, folder=tmp_path)])
    supervision.watch()
    run_folder = tmp_path / "run"
    for _ in range(3):
        record = records.read(run_folder, "one")
        assert record
        with hold(run_folder, "one"):
            stop_on_hold(run_folder, record, seconds=10)
            with pytest.raises(StackError, match="Another command works on one"):
                hold(run_folder, "one").__enter__()
            assert not supervision.supervisor.process("one").alive()
        eventually(partial(supervision.is_replaced, "one", record.pid))
    supervision.stop()
    assert supervision.error is None
    assert supervision.has_reported(
        "one is on hold; it is started again when the hold is released."
    )


def test_the_supervisor_of_an_older_version_reads_a_hold(tmp_path: Path) -> None:
    with hold(tmp_path, "one"):
        fields = json.loads((tmp_path / "one.hold").read_text())
    assert fields.keys() == {"name", "pid", "started", "also"}


def test_a_hold_is_void_once_its_process_has_ended(tmp_path: Path) -> None:
    text = (
        "import os, sys; from pathlib import Path; from stack.supervision.holds import hold\n"
        "with hold(Path(sys.argv[1]), 'one'): os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", text, str(tmp_path)], check=True, timeout=30)
    assert (tmp_path / "one.hold").exists()
    assert not is_on_hold(tmp_path, "one")
