import contextlib
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.peers.processes import HERE
from bench.report.results import has_failures
from bench.rows.row import Check, Row, Sides
from bench.rows.table import ROWS, row_ids, select_rows
from bench.run import Options, run_rows
from bench.stage.measurement import Measurement
from bench.stage.resources import Resources
from bench.stage.run_context import RunContext

ROOT = Path(__file__).resolve().parents[2]
OPTIONS = Options(quick=False, seed=1, seconds=0.01, growth=False)


def row(name: str, *, passed: bool = True, needs: tuple[str, ...] = ()) -> Row:
    @contextlib.contextmanager
    def open_sides(_: RunContext) -> Iterator[Sides]:
        yield Sides(
            ours=lambda: Measurement(value=2.0),
            against=lambda: Measurement(value=1.0),
            check=lambda: Check(what="things", count=1, passed=passed),
        )

    return Row(
        id=name, title=name, unit="/s", target=1.0, better="higher", open=open_sides, needs=needs
    )


def broken(_: RunContext) -> contextlib.AbstractContextManager[Sides]:
    raise RuntimeError("no such server")


def test_a_row_that_fails_has_a_reason_and_does_not_stop_the_others() -> None:
    bad = Row(id="X1", title="x", unit="/s", target=1.0, better="higher", open=broken)
    result = run_rows([bad, row("X2")], OPTIONS)
    assert [one["verdict"] for one in result["rows"]] == ["failed", "met"]
    assert result["rows"][0]["reason"] == "RuntimeError: no such server"
    assert has_failures(result)


def test_a_wrong_row_fails_the_run_and_has_no_rounds() -> None:
    result = run_rows([row("X1", passed=False)], OPTIONS)
    assert has_failures(result)
    assert (result["rows"][0]["median"], result["rows"][0]["rounds"]) == (None, [])


def test_a_row_without_its_program_is_not_run_and_names_what_to_install() -> None:
    result = run_rows([row("X1", needs=("no-such-program",))], OPTIONS)
    assert result["rows"][0]["verdict"] == "not run"
    assert "no-such-program" in result["rows"][0]["reason"]
    assert not has_failures(result)


def test_a_result_has_the_machine_the_versions_and_the_commit() -> None:
    result = json.loads(json.dumps(run_rows([], OPTIONS)))
    assert {"cpu", "cores", "ram", "load", "steal"} <= set(result["machine"])
    assert {"python", "redis", "redis-server", "kernel"} <= set(result["versions"])
    assert {"commit", "dirty", "seed", "started", "seconds"} <= set(result)


def test_a_shared_resource_is_opened_once_and_closed_at_the_end() -> None:
    calls: list[str] = []

    @contextlib.contextmanager
    def opener() -> Iterator[str]:
        calls.append("opened")
        yield "it"
        calls.append("closed")

    with Resources() as resources:
        assert [resources.open_once("key", opener) for _ in range(3)] == ["it"] * 3
        assert calls == ["opened"]
    assert calls == ["opened", "closed"]


def test_rows_are_selected_by_id_and_an_unknown_one_is_refused() -> None:
    assert [one.id for one in select_rows("F2,F1")] == ["F1", "F2"]
    assert select_rows("") == list(ROWS)
    with pytest.raises(LookupError, match="no row F99"):
        select_rows("F1,F99")


def test_every_row_is_explained() -> None:
    page = (ROOT / "docs" / "benchmarking.md").read_text()
    meant = page.partition("## What each row means")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (.+?) \|", meant, re.MULTILINE)
    explained = set(re.findall(r"\b[A-Z]\d[a-z]?\b", " ".join(rows)))
    assert {row_id.partition("@")[0] for row_id in row_ids()} <= explained
    assert len(row_ids()) == len(set(row_ids()))


@pytest.mark.parametrize("name", ["stream", "textbook"])
def test_every_file_of_a_peer_is_pinned_by_its_hash(name: str) -> None:
    text = (HERE / f"{name}.txt").read_text().replace("\\\n", "")
    pins = [line for line in text.splitlines() if re.match(r"[a-z]", line)]
    assert len(pins) > 10
    for pin in pins:
        assert re.match(r"[a-z0-9._-]+==\S+ .*--hash=sha256:", pin), pin


def test_a_quick_run_of_the_command_proves_a_row_and_writes_its_files(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "bench", "--quick", "--rows", "F2", "--out", str(tmp_path)]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert re.search(r"^F2 .* checked +2,000 lists$", done.stdout, re.MULTILINE)
    assert {path.suffix for path in tmp_path.iterdir()} == {".json", ".md"}


def test_an_unknown_row_is_a_sentence(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "bench", "--rows", "Z1", "--out", str(tmp_path)]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 2
    assert done.stderr.strip().startswith("There is no row Z1")
