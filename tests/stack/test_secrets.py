"""Secrets of the local stack: drawn once, and added to those of an older version."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from api.settings import SHORTEST_TOKEN_KEY, split_keys
from stack.secrets import NAMES, load


def test_a_new_stack_has_every_secret_and_accepts_no_old_tokens(tmp_path: Path) -> None:
    drawn = load(tmp_path / "secrets.env")
    assert set(drawn) == set(NAMES)
    [key] = split_keys(drawn["TOKEN_KEYS"])
    assert len(key) >= SHORTEST_TOKEN_KEY
    assert (tmp_path / "secrets.env").stat().st_mode & 0o777 == 0o600
    assert load(tmp_path / "secrets.env") == drawn


def test_a_stack_of_an_older_version_accepts_old_tokens_for_the_life_of_a_session(
    tmp_path: Path,
) -> None:
    path = tmp_path / "secrets.env"
    path.write_text("CURSOR_SECRET=old\n")
    drawn = load(path, session_days=7)
    until = datetime.fromisoformat(drawn["OLD_TOKENS_UNTIL"])
    assert timedelta(days=6, hours=23) < until - datetime.now(UTC) <= timedelta(days=7)
    assert drawn["CURSOR_SECRET"] == "old"
    assert load(path, session_days=30) == drawn, "a later start prolongs nothing"
