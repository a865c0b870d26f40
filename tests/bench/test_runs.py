import contextlib
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.peers import processes as peers
from bench.report.results import failed
from bench.rows import table
from bench.rows.row import Check, Measured, Row, Sides, Sizes
from bench.run import Asked, run
from bench.stage.shared import Shared

ROOT = Path(__file__).resolve().parents[2]
ASKED = Asked(quick=False, seed=1, seconds=0.01, growth=False)


def row(name: str, *, passed: bool = True, needs: tuple[str, ...] = ()) -> Row:
    @contextlib.contextmanager
    def ready(_: Sizes) -> Iterator[Sides]:
        yield Sides(
            ours=lambda: Measured(value=2.0),
            against=lambda: Measured(value=1.0),
            check=lambda: Check(what="things", count=1, passed=passed),
        )

    return Row(
        id=name, title=name, unit="/s", target=1.0, better="higher", ready=ready, needs=needs
    )


def broken(_: Sizes) -> contextlib.AbstractContextManager[Sides]:
    raise RuntimeError("no such server")


def test_a_row_that_breaks_is_told_and_does_not_stop_the_others() -> None:
    bad = Row(id="X1", title="x", unit="/s", target=1.0, better="higher", ready=broken)
    result = run([bad, row("X2")], ASKED)
    assert [one["verdict"] for one in result["rows"]] == ["failed", "met"]
    assert result["rows"][0]["reason"] == "RuntimeError: no such server"
    assert failed(result)


def test_a_wrong_row_fails_the_run_and_has_no_rounds() -> None:
    result = run([row("X1", passed=False)], ASKED)
    assert failed(result)
    assert (result["rows"][0]["median"], result["rows"][0]["rounds"]) == (None, [])


def test_a_row_without_its_program_says_what_to_install_and_is_not_run() -> None:
    result = run([row("X1", needs=("no-such-program",))], ASKED)
    assert result["rows"][0]["verdict"] == "not run"
    assert "no-such-program" in result["rows"][0]["reason"]
    assert not failed(result)


def test_a_result_says_on_what_it_was_measured() -> None:
    result = json.loads(json.dumps(run([], ASKED)))
    assert {"cpu", "cores", "ram", "load", "steal"} <= set(result["machine"])
    assert {"python", "redis", "redis-server", "kernel"} <= set(result["versions"])
    assert {"commit", "dirty", "seed", "started", "seconds"} <= set(result)


def test_what_rows_share_is_opened_once_and_closed_at_the_end() -> None:
    happened: list[str] = []

    @contextlib.contextmanager
    def opener() -> Iterator[str]:
        happened.append("opened")
        yield "it"
        happened.append("closed")

    with Shared() as shared:
        assert [shared.once("key", opener) for _ in range(3)] == ["it"] * 3
        assert happened == ["opened"]
    assert happened == ["opened", "closed"]


def test_rows_are_chosen_by_id_and_an_unknown_one_is_refused() -> None:
    assert [one.id for one in table.chosen("F2,F1")] == ["F1", "F2"]
    assert table.chosen("") == list(table.ROWS)
    with pytest.raises(LookupError, match="no row F99"):
        table.chosen("F1,F99")


def test_every_row_is_explained() -> None:
    page = (ROOT / "docs" / "performance.md").read_text()
    meant = page.partition("## What each row means")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (.+?) \|", meant, re.MULTILINE)
    explained = set(re.findall(r"\b[A-Z]\d\b", " ".join(rows)))
    assert {row_id.partition("@")[0] for row_id in table.ids()} <= explained
    assert len(table.ids()) == len(set(table.ids()))


@pytest.mark.parametrize("name", ["stream", "textbook"])
def test_every_file_of_a_peer_is_pinned_by_its_hash(name: str) -> None:
    text = (peers.HERE / f"{name}.txt").read_text().replace("\\\n", "")
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
