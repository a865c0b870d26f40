from pathlib import Path

from drill.history import History


def test_a_saved_history_is_loaded_unchanged(tmp_path: Path) -> None:
    history = History()
    number = history.invoke("s1", "read", viewer=1)
    history.fault("kill-api", (1, 2), "begin", process="api-1")
    history.end(number, "ok", posts=[], next=False)
    history.save(tmp_path / "history.jsonl")
    assert History.load(tmp_path / "history.jsonl").lines() == history.lines()
