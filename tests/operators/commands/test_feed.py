"""`flask feed verify` and `flask feed rebuild`."""

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from feed.rebuilding import rebuild
from feed.verifying import Verifier
from graph import Graph
from graph.errors import GraphUnavailableError
from graph.ids import MAX_ID
from operators.commands import create_app, user_selection
from storage import Storage
from storage.timeline_layout import DISORDER, timeline_key
from tests.support.local_copies import CopyingProcess
from tests.support.private_server import PrivateServer
from tests.support.stage import Stage
from tests.support.town import Town

Flask = Callable[..., Result]


@pytest.fixture
def stage(open_stage: Callable[[str], Stage], cache: PrivateServer) -> Stage:
    """The stage on a cache of this test alone."""
    return open_stage(cache.url)


@pytest.fixture
def flask(stack_env: dict[str, str]) -> Flask:
    """Runs a command in this process, on the stores of the environment."""
    assert stack_env
    runner = create_app().test_cli_runner()
    return lambda *arguments: runner.invoke(args=[str(argument) for argument in arguments])


@pytest.fixture
def readers(graph: Graph, storage: Storage, stack_env: dict[str, str]) -> list[int]:
    """Three users with a timeline of two posts each."""
    assert stack_env
    town = Town(graph)
    author, *readers = town.users(4)
    town.add_followers(author, readers)
    town.old_posts(author, [author - 2 * DISORDER, author - DISORDER])
    for reader in readers:
        assert rebuild(graph, storage, reader)
    return readers


def damage_timeline(storage: Storage, reader: int) -> None:
    storage.cache.client.rpop(timeline_key(reader))


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("feed.verifying.PAUSE_SECONDS", 0.0)


def test_a_timeline_is_verified_then_rebuilt(
    flask: Flask, readers: list[int], storage: Storage
) -> None:
    options = [option for reader in readers for option in ("--user", reader)]
    correct = flask("feed", "verify", *options)
    assert correct.exit_code == 0
    assert "3 users compared: 3 have a timeline" in correct.stdout
    assert "No difference" in correct.stdout

    before = storage.timelines.entries(readers[0])
    damage_timeline(storage, readers[0])
    wrong = flask("feed", "verify", *options)
    assert wrong.exit_code == 1
    assert f"user {readers[0]}: missing {before[-1]}" in wrong.stdout

    rebuilt = flask("feed", "rebuild", "--user", readers[0])
    assert rebuilt.exit_code == 0
    assert "1 timelines built" in rebuilt.stdout
    assert storage.timelines.entries(readers[0]) == before
    assert flask("feed", "verify", *options).exit_code == 0

    dropped = flask("feed", "rebuild", "--drop", "--user", readers[0])
    assert "1 dropped" in dropped.stdout
    assert not storage.timelines.entries(readers[0])


def test_a_stopped_walk_resumes_from_its_state(
    flask: Flask,
    readers: list[int],
    storage: Storage,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setattr(user_selection, "BATCH_SIZE", 1)
    for reader in readers:
        damage_timeline(storage, reader)
    verified: list[int] = []
    verify = Verifier.verify

    def interrupted_verify(verifier: Verifier, user_ids: list[int]) -> object:
        if user_ids[0] == readers[1] and readers[1] not in verified:
            verified.append(readers[1])
            raise KeyboardInterrupt
        verified.extend(user_ids)
        return verify(verifier, user_ids)

    monkeypatch.setattr(Verifier, "verify", interrupted_verify)
    state = tmp_path / "state"
    command = ("feed", "verify", "--all", "--rate", 100_000)
    stopped = flask(*command, "--after", readers[0] - 1, "--state", state)
    assert stopped.exit_code == 130
    assert f"--all --after {readers[0]}" in stopped.stderr
    assert f"user {readers[0]}: missing" in stopped.stdout, (
        "the report of a stopped walk is printed"
    )
    assert int(state.read_text()) == readers[0]

    resumed = flask(*command, "--state", state)
    assert resumed.exit_code == 1
    assert f"user {readers[0]}:" not in resumed.stdout
    assert all(f"user {reader}:" in resumed.stdout for reader in readers[1:])
    assert not state.exists(), "a complete walk removes its checkpoint"
    assert verified[:4] == [readers[0], readers[1], readers[1], readers[2]]


def test_an_unavailable_store_stops_a_walk_which_can_be_resumed(
    flask: Flask, readers: list[int], storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    verify = Verifier.verify

    def failing_verify(verifier: Verifier, user_ids: list[int]) -> object:
        if user_ids[0] == readers[1]:
            raise GraphUnavailableError("it is down")
        return verify(verifier, user_ids)

    monkeypatch.setattr(user_selection, "BATCH_SIZE", 1)
    monkeypatch.setattr(Verifier, "verify", failing_verify)
    damage_timeline(storage, readers[0])
    stopped = flask("feed", "verify", "--all", "--after", readers[0] - 1)
    assert stopped.exit_code == 1
    assert f"user {readers[0]}: missing" in stopped.stdout, (
        "the report of a stopped walk is printed"
    )
    assert f"--all --after {readers[0]}" in stopped.stderr
    assert "Neo4j: it is down" in stopped.stderr


def test_a_sample_has_the_requested_size(flask: Flask, readers: list[int]) -> None:
    assert readers
    result = flask("feed", "verify", "--sample", 3)
    assert "3 users compared" in result.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--all", "--user", 5),
        ("--sample", 3, "--all"),
        ("--user", 5, "--after", 3),
        ("--sample", 3, "--state", "x"),
        ("--user", 0),
        ("--user", MAX_ID + 1),
        ("--all", "--after", MAX_ID + 1),
    ],
)
def test_a_selection_of_users_is_required(flask: Flask, arguments: tuple[object, ...]) -> None:
    for command in ("verify", "rebuild"):
        assert flask("feed", command, *arguments).exit_code == 2


def test_what_is_no_id_of_a_user_is_refused_with_the_bounds(flask: Flask) -> None:
    result = flask("feed", "verify", "--user", 2**60)
    assert result.exit_code == 2
    assert f"{2**60} is not in the range 1<=x<={MAX_ID}" in result.stderr


def test_progress_is_printed_without_a_terminal(flask: Flask, readers: list[int]) -> None:
    result = flask("feed", "rebuild", "--user", readers[0], "--user", readers[1])
    assert "feed rebuild: 2 of 2 users" in result.stderr


def test_a_rebuild_drops_the_copies_of_every_process(
    flask: Flask, readers: list[int], storage: Storage
) -> None:
    [*_, post] = storage.timelines.entries(readers[0])
    storage.cache.client.set(f"p:{post}", b'{"id":"%d","author":{"id":"1"}}' % post)
    process = CopyingProcess(storage.cache)
    assert process.body(post, viewer_id=1)
    storage.bodies.discard([post])  # by an earlier rebuild that was killed before it announced
    assert process.body(post, viewer_id=1)
    assert flask("feed", "rebuild", "--user", readers[0]).exit_code == 0
    process.body(post, viewer_id=1)
    assert not process.has_body(post)
