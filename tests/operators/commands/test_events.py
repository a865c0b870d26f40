"""`flask events …`: what an operator does with work that is owed. Case 12."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from graph import Graph
from graph.events import State
from graph.ids import new_id
from operators import outbox
from operators.outbox import STATES, owed
from tests.operators.commands.conftest import KIND, Flask_

ROOT = Path(__file__).resolve().parents[3]
FAR = 10**9
"""Milliseconds: no other test's event waits so long, or has been due for so long."""


def state_of(graph: Graph, event_id: int) -> str:
    one = graph.events.by_id(event_id)
    return one.state if one else "gone"


def test_what_is_due_longest_is_listed_first(flask: Flask_, owing: Callable[..., int]) -> None:
    first, second = (owing(due_in_ms=ago) for ago in (-2 * FAR, -FAR))
    lines = flask("events", "list", "--state", "due", "--limit", 2).output
    assert [line.split()[0] for line in lines.splitlines()[:3]] == [
        "event",
        str(first),
        str(second),
    ]
    assert "due since 23 days" in lines


@pytest.mark.parametrize(
    ("state", "due_in_ms"), [("due", -FAR), ("waiting", FAR), ("quarantined", None)]
)
def test_a_list_is_of_one_state_and_one_kind(
    graph: Graph, owing: Callable[..., int], state: State, due_in_ms: int | None
) -> None:
    mine = owing(due_in_ms=due_in_ms)

    def shown(in_state: State | None, kind: str | None) -> bool:
        found = owed(graph, state=in_state, kind=kind, limit=10_000)
        return mine in {one.event.id for one in found}

    for other in STATES:
        assert shown(other, KIND) == (other == state)
        assert not shown(other, "blocked")
    assert shown(None, KIND)


def test_a_list_that_is_cut_says_so(flask: Flask_, owing: Callable[..., int]) -> None:
    owing(), owing()
    listed = flask("events", "list", "--state", "quarantined", "--limit", 1).output.splitlines()
    assert len(listed) == 3
    assert listed[-1] == "There are more than these 1: give a larger --limit."


def test_an_empty_list_says_so(flask: Flask_) -> None:
    listed = flask("events", "list", "--state", "quarantined", "--kind", "profile-changed")
    assert listed.output == "No event of kind profile-changed is quarantined.\n"


def test_everything_that_is_known_of_an_event_is_shown(
    flask: Flask_, owing: Callable[..., int]
) -> None:
    event_id = owing(
        due_in_ms=FAR, kind="photo-uploaded", subject_id=17, author_id=18, attempts=3, cursor=7
    )
    shown = dict(
        line.split(maxsplit=1) for line in flask("events", "show", event_id).output.splitlines()
    )
    assert shown["event"] == str(event_id)
    assert shown["kind"] == "photo-uploaded"
    assert shown["owes"].startswith("examine the photo")
    assert shown["state"].startswith("waiting, due in ")
    assert shown["subject"] == "17 (photo)"
    assert shown["author"] == "18 (owner)"
    assert shown["attempts"].startswith("3 ")
    assert shown["cursor"].startswith("7 ")
    assert shown["epoch"].startswith("9 ")
    assert shown["queue"] == "photos"


def test_an_event_is_requeued_once(flask: Flask_, graph: Graph, owing: Callable[..., int]) -> None:
    event_id = owing()
    assert "is due again" in flask("events", "requeue", event_id).output
    assert state_of(graph, event_id) == "due"
    one = graph.events.by_id(event_id)
    assert one
    assert (one.event.epoch, one.event.attempts) == (10, 0)
    again = flask("events", "requeue", event_id)
    assert again.exit_code == 1
    assert "is not in quarantine: it is due since" in again.output


def test_all_of_one_kind_are_requeued_and_no_other(
    flask: Flask_,
    graph: Graph,
    owing: Callable[..., int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(outbox, "REQUEUE_PAGE", 1)
    mine, others = [owing(kind="blocked") for _ in range(3)], owing(kind="followed")
    done = flask("events", "requeue", "--all", "--kind", "blocked")
    assert "requeued." in done.output
    assert "quarantined" not in {state_of(graph, one) for one in mine}
    assert state_of(graph, others) == "quarantined"


def test_an_event_in_quarantine_by_hand_is_taken_from_whoever_works_on_it(
    flask: Flask_, graph: Graph, owing: Callable[..., int]
) -> None:
    event_id = owing(due_in_ms=0, attempts=0)
    claimed = graph.events.claim(event_id, 9)
    assert claimed
    done = flask("events", "quarantine", event_id)
    assert done.output == f"Event {event_id} ({KIND}) is in quarantine until it is requeued.\n"
    assert not graph.events.advance(event_id, claimed.epoch, 5)
    assert not graph.events.finish(event_id, claimed.epoch)
    assert not graph.events.release(event_id, claimed.epoch, delay_seconds=0)
    assert state_of(graph, event_id) == "quarantined"
    again = flask("events", "quarantine", event_id)
    assert (again.exit_code, again.output) == (0, f"Event {event_id} is in quarantine already.\n")
    assert flask("events", "requeue", event_id).exit_code == 0
    assert graph.events.claim(event_id, claimed.epoch + 2)


@pytest.mark.parametrize("action", ["show", "requeue", "quarantine"])
def test_an_event_that_is_not_there_is_said_to_be_done(flask: Flask_, action: str) -> None:
    event_id = new_id()
    said = flask("events", action, event_id)
    assert said.exit_code == 1
    assert said.output == f"There is no event {event_id}: it is done, or it never was.\n"


@pytest.mark.parametrize(
    "words",
    [
        ("show", "abc"),
        ("show", "0"),
        ("show", str(2**64)),
        ("requeue",),
        ("requeue", "5", "--all"),
        ("requeue", "5", "--kind", "left"),
        ("list", "--kind", "nonsense"),
        ("list", "--state", "nonsense"),
        ("list", "--limit", "0"),
    ],
)
def test_words_that_cannot_be_meant_are_a_usage_error(flask: Flask_, words: list[str]) -> None:
    said = flask("events", *words)
    assert said.exit_code == 2
    assert "Usage:" in said.output


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"NEO4J_URI": "bolt://127.0.0.1:1"}, ["Neo4j: Couldn't connect", "Is it running"]),
        ({"NEO4J_URI": ""}, ["NEO4J_URI must begin with"]),
        ({"CACHE_REDIS_URL": "nonsense"}, ["A store's URL cannot be used: Redis URL must"]),
        ({"NEO4J_URI": None, "S3_BUCKET": None}, ["NEO4J_URI: ", "S3_BUCKET: "]),
    ],
)
def test_flask_itself_finds_the_commands_and_says_what_is_wrong_in_a_sentence(
    stack_env: dict[str, str], changed: dict[str, str | None], said: list[str]
) -> None:
    env = {k: v for k, v in {**os.environ, **stack_env, **changed}.items() if v is not None}
    env.pop("CURSOR_SECRET", None)  # the API's own: no business of a command's
    done = subprocess.run(
        [sys.executable, "-m", "flask", "events", "list"],
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert len(lines) <= 2
    for line, words in zip(lines, said, strict=False):
        assert line.startswith(words)
