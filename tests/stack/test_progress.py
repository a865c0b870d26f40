from concurrent.futures import ThreadPoolExecutor

import pytest

from stack import progress
from stack.progress import Progress
from tests.support.eventually import eventually


def test_the_last_line_has_the_count_the_unit_and_the_detail(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with Progress("Fetching", 3, unit="jars", done=1) as bar:
        bar.advance(2)
        bar.describe("12 MB")
    assert capsys.readouterr().out == "Fetching: 3 of 3 jars, 12 MB (0 s)\n"


def test_lines_are_printed_while_the_work_stands_still(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "LINE_SECONDS", 0.01)
    with Progress("People", 5):
        eventually(lambda: "People: 0 of 5" in capsys.readouterr().out)


@pytest.mark.parametrize("stderr", [False, True])
def test_all_goes_to_the_stream_that_was_chosen(
    capsys: pytest.CaptureFixture[str], *, stderr: bool
) -> None:
    with Progress("Posts", 1, stderr=stderr) as bar:
        bar.print("a line of its own")
    out, err = capsys.readouterr()
    written, empty = (err, out) if stderr else (out, err)
    assert written.splitlines()[0] == "a line of its own"
    assert not empty


def test_no_step_of_several_threads_is_lost(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress("Steps", 4_000) as bar, ThreadPoolExecutor(4) as threads:
        for _ in range(4_000):
            threads.submit(bar.advance)
    assert "Steps: 4000 of 4000 (" in capsys.readouterr().out


def test_a_terminal_shows_a_bar_and_no_lines(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    with Progress("People", 5, unit="users") as bar:
        bar.advance(5)
        bar.print("a line of its own")
    out = capsys.readouterr().out
    assert "5/5" in out
    assert "a line of its own" in out
    assert "5 of 5" not in out
