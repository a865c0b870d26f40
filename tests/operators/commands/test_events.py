"""`flask events …`: lists, shows, requeues and quarantines events. Case 12."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from graph import Graph
from graph.events import State
from graph.ids import new_id
from operators import outbox
from operators.outbox import STATES, list_events
from tests.operators.commands.conftest import KIND, Flask_
from tests.support.outbox import claim, finish, release

ROOT = Path(__file__).resolve().parents[3]
FAR = 10**9
"""Milliseconds. No event of another test waits or is due for so long."""


def state_of(graph: Graph, event_id: int) -> str:
    status = graph.events.by_id(event_id)
    return status.state if status else "absent"


def test_the_longest_due_event_is_listed_first(
    flask: Flask_, create_event: Callable[..., int]
) -> None:
    first, second = (create_event(due_in_ms=ago) for ago in (-2 * FAR, -FAR))
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
def test_events_are_filtered_by_state_and_kind(
    graph: Graph, create_event: Callable[..., int], state: State, due_in_ms: int | None
) -> None:
    event_id = create_event(due_in_ms=due_in_ms)

    def is_listed(state_filter: State | None, kind: str | None) -> bool:
        statuses = list_events(graph, state=state_filter, kind=kind, limit=10_000)
        return event_id in {status.event.id for status in statuses}

    for other in STATES:
        assert is_listed(other, KIND) == (other == state)
        assert not is_listed(other, "blocked")
    assert is_listed(None, KIND)


def test_a_truncated_list_says_so(flask: Flask_, create_event: Callable[..., int]) -> None:
    create_event(), create_event()
    lines = flask("events", "list", "--state", "quarantined", "--limit", 1).output.splitlines()
    assert len(lines) == 3
    assert lines[-1] == "There are more than these 1: give a larger --limit."


def test_an_empty_list_says_so(flask: Flask_) -> None:
    result = flask("events", "list", "--state", "quarantined", "--kind", "profile-changed")
    assert result.output == "No event of kind profile-changed is quarantined.\n"


def test_all_facts_about_an_event_are_shown(
    flask: Flask_, create_event: Callable[..., int]
) -> None:
    event_id = create_event(
        due_in_ms=FAR, kind="photo-uploaded", subject_id=17, author_id=18, attempts=3, cursor=7
    )
    facts = dict(
        line.split(maxsplit=1) for line in flask("events", "show", event_id).output.splitlines()
    )
    assert facts["event"] == str(event_id)
    assert facts["kind"] == "photo-uploaded"
    assert facts["owes"].startswith("examine the photo")
    assert facts["state"].startswith("waiting, due in ")
    assert facts["subject"] == "17 (photo)"
    assert facts["author"] == "18 (owner)"
    assert facts["attempts"].startswith("3 ")
    assert facts["cursor"].startswith("7 ")
    assert facts["epoch"].startswith("9 ")
    assert facts["queue"] == "photos"


def test_an_event_is_requeued_once(
    flask: Flask_, graph: Graph, create_event: Callable[..., int]
) -> None:
    event_id = create_event()
    with capture_logs() as lines:
        assert "is due again" in flask("events", "requeue", event_id).output
    [event] = [line for line in lines if line.get("security")]
    assert (event["event"], event["event_id"]) == ("event-requeued", event_id)
    assert state_of(graph, event_id) == "due"
    status = graph.events.by_id(event_id)
    assert status
    assert (status.event.epoch, status.event.attempts) == (10, 0)
    repeat = flask("events", "requeue", event_id)
    assert repeat.exit_code == 1
    assert "is not in quarantine: it is due since" in repeat.output


def test_requeue_all_with_a_kind_leaves_other_kinds(
    flask: Flask_,
    graph: Graph,
    create_event: Callable[..., int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(outbox, "REQUEUE_PAGE", 1)
    mine, others = [create_event(kind="blocked") for _ in range(3)], create_event(kind="followed")
    result = flask("events", "requeue", "--all", "--kind", "blocked")
    assert "requeued." in result.output
    assert "quarantined" not in {state_of(graph, event_id) for event_id in mine}
    assert state_of(graph, others) == "quarantined"


def test_an_event_quarantined_by_hand_is_fenced_from_its_worker(
    flask: Flask_, graph: Graph, create_event: Callable[..., int]
) -> None:
    event_id = create_event(due_in_ms=0, attempts=0)
    claimed = claim(graph, event_id, 9)
    assert claimed
    result = flask("events", "quarantine", event_id)
    assert result.output == f"Event {event_id} ({KIND}) is in quarantine until it is requeued.\n"
    assert not graph.events.advance(event_id, claimed.epoch, 5)
    assert not finish(graph, event_id, claimed.epoch)
    assert release(graph, event_id, claimed.epoch, delay_seconds=0) is None
    assert state_of(graph, event_id) == "quarantined"
    repeat = flask("events", "quarantine", event_id)
    assert (repeat.exit_code, repeat.output) == (0, f"Event {event_id} is in quarantine already.\n")
    assert flask("events", "requeue", event_id).exit_code == 0
    assert claim(graph, event_id, claimed.epoch + 2)


@pytest.mark.parametrize("action", ["show", "requeue", "quarantine"])
def test_an_absent_event_is_reported(flask: Flask_, action: str) -> None:
    event_id = new_id()
    result = flask("events", action, event_id)
    assert result.exit_code == 1
    assert result.output == f"There is no event {event_id}: it is done, or it never existed.\n"


@pytest.mark.parametrize(
    "arguments",
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
def test_invalid_arguments_are_a_usage_error(flask: Flask_, arguments: list[str]) -> None:
    result = flask("events", *arguments)
    assert result.exit_code == 2
    assert "Usage:" in result.output


@pytest.mark.parametrize(
    ("changes", "messages"),
    [
        ({"NEO4J_URI": "bolt://127.0.0.1:1"}, ["Neo4j: Couldn't connect", "Is it running"]),
        ({"NEO4J_URI": ""}, ["NEO4J_URI must begin with"]),
        ({"CACHE_REDIS_URL": "nonsense"}, ["A store's URL cannot be used: Redis URL must"]),
        ({"NEO4J_URI": None, "S3_BUCKET": None}, ["NEO4J_URI: ", "S3_BUCKET: "]),
    ],
)
def test_flask_finds_the_commands_and_prints_errors_as_sentences(
    stack_env: dict[str, str], changes: dict[str, str | None], messages: list[str]
) -> None:
    env = {k: v for k, v in {**os.environ, **stack_env, **changes}.items() if v is not None}
    env.pop("CURSOR_SECRET", None)  # commands must not need the secrets of the API
    process = subprocess.run(
        [sys.executable, "-m", "flask", "events", "list"],
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert process.returncode == 1
    assert process.stdout == ""
    lines = process.stderr.splitlines()
    assert len(lines) <= 2
    for line, message in zip(lines, messages, strict=False):
        assert line.startswith(message)
