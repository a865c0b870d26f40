import json
from pathlib import Path

import pytest

from demo.state import Addresses, State, stack_folder


def test_the_password_is_stored_for_the_next_run_and_only_its_owner_can_read_it(
    tmp_path: Path,
) -> None:
    path = tmp_path / "demo.json"
    first = State.load(path, seed=None)
    assert path.stat().st_mode & 0o777 == 0o600
    assert State.load(path, seed=None) == first
    second = State.load(path, seed=9)
    assert (second.seed, second.password) == (9, first.password)
    assert State.load(path, seed=None).seed == 9
    assert json.loads(path.read_text())["password"] == first.password


def test_the_addresses_are_those_of_the_running_stack_then_of_the_environment(
    tmp_path: Path,
) -> None:
    assert Addresses.find(tmp_path, {}, api_url=None).api_url == "http://127.0.0.1:8000"
    exported = {"API_URL": "http://b"}
    assert Addresses.find(tmp_path, exported, api_url=None).api_url == "http://b"
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "stack.env").write_text(
        "API_URL=http://127.0.0.1:8123\nNEO4J_BROWSER_URL=http://127.0.0.1:7474/browser/\n"
        "NEO4J_URI=bolt://127.0.0.1:7999\nNEO4J_USER=neo4j\n"
    )
    found = Addresses.find(tmp_path, exported, api_url=None)
    assert found.api_url == "http://127.0.0.1:8123"
    assert found.browser_url.endswith("/browser/?connectURL=bolt://neo4j@127.0.0.1:7999")
    assert Addresses.find(tmp_path, exported, api_url="http://c/").api_url == "http://c"


def test_the_stacks_folder_is_set_by_the_environment_or_by_the_env_file_of_the_checkout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STACK_FOLDER", "elsewhere")
    assert stack_folder(tmp_path) == Path("elsewhere")
    monkeypatch.delenv("STACK_FOLDER")
    assert stack_folder(tmp_path) == tmp_path / ".local"
    (tmp_path / ".env").write_text("STACK_FOLDER=/somewhere\n")
    assert stack_folder(tmp_path) == Path("/somewhere")
