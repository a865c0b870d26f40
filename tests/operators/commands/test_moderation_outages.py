"""Moderation while a store is away: what is owed, and what the command says."""

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from drill.support.proxy import proxied
from graph import Graph
from graph.queries import LOADED
from storage.queues import Queues
from storage.redis.server import Server
from tests.support.commands import entries_of, moderate, run_command
from tests.support.private_server import PrivateServer, start
from tests.support.town import Town

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[PrivateServer]:
    """A queue that no other test uses."""
    with start(tmp_path) as server:
        yield server


@pytest.mark.parametrize("command", ["hide-post", "suspend"])
def test_what_the_cache_did_not_hear_is_owed_and_the_command_says_so(
    graph: Graph,
    town: Town,
    stack_env: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    command: str,
) -> None:
    author = town.user()
    post = town.create_post(author).subject_id
    subject = post if command == "hide-post" else author
    proxy, url = proxied(stack_env["CACHE_REDIS_URL"])
    monkeypatch.setenv("CACHE_REDIS_URL", url)
    with proxy:
        with proxy.outage():
            result = run_command("moderation", command, subject, "--reason", "spam")
            repeat = run_command("moderation", command, subject, "--reason", "spam")
        assert (result.exit_code, repeat.exit_code) == (1, 1)
        [event] = [
            one
            for one in town.events_of(author)
            if one.kind in {"post-moderated", "account-suspended"}
        ]
        assert f"Event {event.id} drops them" in result.output
        assert "already. But a store does not answer" in repeat.output
        assert len(entries_of(graph, subject)) == 1
        assert graph.posts.many([post]) == {}
        done = run_command("moderation", command, subject, "--reason", "spam")
        assert done.exit_code == 0


def test_what_the_graph_did_not_answer_is_owed_and_the_command_says_so(
    graph: Graph, town: Town, stack_env: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    user = town.user()
    proxy, url = proxied(stack_env["NEO4J_URI"])
    monkeypatch.setenv("NEO4J_URI", url)
    with proxy, ThreadPoolExecutor(1) as pool:
        hold = proxy.hold(LOADED["sessions/ended_page"].text.encode())
        command = pool.submit(run_command, "moderation", "suspend", user, "--reason", "spam")
        hold.wait(60)
        with proxy.outage():
            hold.release()
            result = command.result(60)
    assert result.exit_code == 1
    [event] = [one for one in town.events_of(user) if one.kind == "account-suspended"]
    assert "is suspended and signed out. But a store does not answer" in result.output
    assert f"Event {event.id} drops them" in result.output
    assert len(entries_of(graph, user)) == 1


def test_each_change_wakes_a_worker_for_what_its_command_may_not_have_done(
    town: Town, queue: PrivateServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUEUE_REDIS_URL", queue.url)
    author = town.user()
    post = town.create_post(author).subject_id
    for arguments in (
        ("hide-post", post, "--reason", "spam"),
        ("show-post", post),
        ("suspend", author, "--reason", "spam"),
        ("unsuspend", author),
        ("delete-account", author, "--reason", "a letter"),
    ):
        moderate(*arguments)
        assert Queues(Server("queue", queue.url)).depth("removal") == 1, arguments
        queue.client.flushall()


def test_without_the_graph_nothing_is_changed(
    graph: Graph, town: Town, stack_env: dict[str, str]
) -> None:
    author = town.user()
    post = town.create_post(author).subject_id
    proxy, url = proxied(stack_env["NEO4J_URI"])
    with proxy, proxy.outage():
        result = run_flask({"NEO4J_URI": url}, "hide-post", str(post), "--reason", "spam")
    assert result.returncode == 1
    assert result.stderr.startswith("Neo4j: ")
    assert "Traceback" not in result.stderr
    assert entries_of(graph, post) == []
    assert post in graph.posts.many([post])


def run_flask(changes: dict[str, str], *arguments: str) -> Any:
    """`flask moderation …` as a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "flask", "moderation", *arguments],
        cwd=ROOT,
        env={**os.environ, **changes},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
