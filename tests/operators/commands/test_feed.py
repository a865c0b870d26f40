"""`flask feed verify` and `flask feed rebuild`, as operators type them."""

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from feed.rebuilding import rebuild
from feed.verifying import Verifier
from graph import Graph
from graph.errors import GraphUnavailableError
from operators.commands import create_app, walking
from storage import Storage
from storage.timeline_layout import DISORDER, timeline_key
from tests.support.private_server import PrivateServer
from tests.support.stage import Stage
from tests.support.town import Town

Flask = Callable[..., Result]


@pytest.fixture
def stage(open_stage: Callable[[str], Stage], cache: PrivateServer) -> Stage:
    """The stage on the test's own cache."""
    return open_stage(cache.url)


@pytest.fixture
def flask(stack_env: dict[str, str]) -> Flask:
    """Runs a command in this process, on the stores of the environment."""
    assert stack_env
    runner = create_app().test_cli_runner()
    return lambda *words: runner.invoke(args=[str(word) for word in words])


@pytest.fixture
def readers(graph: Graph, storage: Storage, stack_env: dict[str, str]) -> list[int]:
    """Three people with a list of two posts each."""
    assert stack_env
    town = Town(graph)
    author, *readers = town.users(4)
    town.followers(author, readers)
    town.old_posts(author, [author - 2 * DISORDER, author - DISORDER])
    for reader in readers:
        assert rebuild(graph, storage, reader)
    return readers


def break_list(storage: Storage, reader: int) -> None:
    storage.cache.client.rpop(timeline_key(reader))


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("feed.verifying.PAUSE_SECONDS", 0.0)


def test_a_timeline_is_verified_then_rebuilt(
    flask: Flask, readers: list[int], storage: Storage
) -> None:
    named = [word for reader in readers for word in ("--user", reader)]
    well = flask("feed", "verify", *named)
    assert well.exit_code == 0
    assert "3 users looked at: 3 timelines stand" in well.stdout
    assert "No difference" in well.stdout

    before = storage.timelines.whole(readers[0])
    break_list(storage, readers[0])
    wrong = flask("feed", "verify", *named)
    assert wrong.exit_code == 1
    assert f"user {readers[0]}: missing {before[-1]}" in wrong.stdout

    mended = flask("feed", "rebuild", "--user", readers[0])
    assert mended.exit_code == 0
    assert "1 timelines built" in mended.stdout
    assert storage.timelines.whole(readers[0]) == before
    assert flask("feed", "verify", *named).exit_code == 0

    dropped = flask("feed", "rebuild", "--drop", "--user", readers[0])
    assert "1 dropped" in dropped.stdout
    assert not storage.timelines.whole(readers[0])


def test_a_walk_through_all_that_was_stopped_goes_on_where_it_was(
    flask: Flask,
    readers: list[int],
    storage: Storage,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setattr(walking, "PAGE", 1)
    for reader in readers:
        break_list(storage, reader)
    seen: list[int] = []
    verify = Verifier.verify

    def stopping(verifier: Verifier, user_ids: list[int]) -> object:
        if user_ids[0] == readers[1] and readers[1] not in seen:
            seen.append(readers[1])
            raise KeyboardInterrupt
        seen.extend(user_ids)
        return verify(verifier, user_ids)

    monkeypatch.setattr(Verifier, "verify", stopping)
    state = tmp_path / "state"
    every = ("feed", "verify", "--all", "--rate", 100_000)
    stopped = flask(*every, "--after", readers[0] - 1, "--state", state)
    assert stopped.exit_code == 130
    assert f"--all --after {readers[0]}" in stopped.stderr
    assert f"user {readers[0]}: missing" in stopped.stdout, "what was found so far is told"
    assert int(state.read_text()) == readers[0]

    gone_on = flask(*every, "--state", state)
    assert gone_on.exit_code == 1
    assert f"user {readers[0]}:" not in gone_on.stdout
    assert all(f"user {reader}:" in gone_on.stdout for reader in readers[1:])
    assert not state.exists(), "it came to its end"
    assert seen[:4] == [readers[0], readers[1], readers[1], readers[2]]


def test_a_store_that_goes_away_in_the_middle_is_said_with_the_way_to_go_on(
    flask: Flask, readers: list[int], storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    verify = Verifier.verify

    def away(verifier: Verifier, user_ids: list[int]) -> object:
        if user_ids[0] == readers[1]:
            raise GraphUnavailableError("it is gone")
        return verify(verifier, user_ids)

    monkeypatch.setattr(walking, "PAGE", 1)
    monkeypatch.setattr(Verifier, "verify", away)
    break_list(storage, readers[0])
    stopped = flask("feed", "verify", "--all", "--after", readers[0] - 1)
    assert stopped.exit_code == 1
    assert f"user {readers[0]}: missing" in stopped.stdout, "what was found so far is told"
    assert f"--all --after {readers[0]}" in stopped.stderr
    assert "Neo4j: it is gone" in stopped.stderr


def test_a_sample_is_as_large_as_asked_or_as_everybody(flask: Flask, readers: list[int]) -> None:
    assert readers
    result = flask("feed", "verify", "--sample", 3)
    assert "3 users looked at" in result.stdout


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("--all", "--user", 5),
        ("--sample", 3, "--all"),
        ("--user", 5, "--after", 3),
        ("--sample", 3, "--state", "x"),
    ],
)
def test_it_must_be_said_whose_timelines_are_meant(flask: Flask, words: tuple[object, ...]) -> None:
    for command in ("verify", "rebuild"):
        assert flask("feed", command, *words).exit_code == 2


def test_progress_is_printed_where_there_is_no_terminal(flask: Flask, readers: list[int]) -> None:
    result = flask("feed", "rebuild", "--user", readers[0], "--user", readers[1])
    assert "feed rebuild: 2 of 2 users" in result.stderr
