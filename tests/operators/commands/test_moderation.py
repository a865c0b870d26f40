"""`flask moderation …`: what operators read, what they change, and what is written down."""

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from drill.support.proxy import proxied
from graph import Graph
from graph.ids import MAX_ID, new_id
from graph.moderation import AuditEntry
from graph.queries import LOADED
from storage import Storage
from storage.queues import Queues
from storage.redis.server import Server
from tests.operators.commands.conftest import Flask_
from tests.support.commands import moderate, run_command
from tests.support.private_server import PrivateServer, start
from tests.support.town import Town

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def town(graph: Graph, storage: Storage) -> Town:
    assert storage
    return Town(graph)


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[PrivateServer]:
    """A queue that no other test uses."""
    with start(tmp_path) as server:
        yield server


def report(graph: Graph, reporter: int, post: int, author: int, text: str | None = None) -> int:
    report_id = new_id()
    graph.reports.create(
        report_id=report_id,
        reporter_id=reporter,
        subject="post",
        subject_id=post,
        author_id=author,
        reason="spam" if text is None else "other",
        text=text,
    )
    return report_id


def entries_of(graph: Graph, subject_id: int) -> list[AuditEntry]:
    """The audit entries of a subject, the oldest first."""
    log = graph.moderation.log(before=MAX_ID, limit=1_000)
    return [entry for entry in reversed(log) if entry.subject_id == subject_id]


# Security 22
def test_reports_are_listed_by_subject_with_their_texts_escaped(
    flask: Flask_, graph: Graph, town: Town
) -> None:
    author, *reporters = town.users(8)
    post = town.create_post(author).subject_id
    first = report(graph, reporters[0], post, author)
    report(graph, reporters[1], post, author, "\x1b[2J\u202eevil\nline \u200b<b>")
    for reporter in reporters[2:]:
        report(graph, reporter, post, author)
    three_hours = "MATCH (one:Report {id: $id}) SET one.created_at = timestamp() - 10800000"
    town.query(three_hours, id=first)
    lines = flask("moderation", "reports", "--limit", 1_000).output.splitlines()
    [at] = [number for number, line in enumerate(lines) if line.startswith(str(first))]
    row, text = lines[at], lines[at + 1]
    assert row.split()[:3] == [str(first), "3", "h"]
    assert f"post {post} of user {author}, shown" in row
    assert row.split()[-8:] == [*map(str, reporters[:5]), "and", "2", "more"]
    assert " 7  " in row
    assert "spam" in row
    assert "other" in row
    assert text.strip() == '"\\u001b[2J\\u202eevil\\nline \\u200b<b>"'


def test_a_list_has_as_many_subjects_as_asked_for_and_says_if_there_are_more(
    flask: Flask_, graph: Graph, town: Town
) -> None:
    reporter, *authors = town.users(3)
    for author in authors:
        report(graph, reporter, town.create_post(author).subject_id, author)
    lines = flask("moderation", "reports", "--limit", 1).output.splitlines()
    assert len([line for line in lines if not line.startswith(" ")]) == 3
    assert lines[-1] == "There are more than these 1: give a larger --limit."
    assert "There are more" not in flask("moderation", "reports", "--limit", 1_000).output


def test_a_closed_report_is_listed_only_if_all_are(flask: Flask_, graph: Graph, town: Town) -> None:
    author, reporter, other = town.users(3)
    post = town.create_post(author).subject_id
    first = report(graph, reporter, post, author)
    second = report(graph, other, post, author)
    with capture_logs() as lines:
        output = moderate("close", second, "--reason", "no spam")
        assert moderate("close", first) == f"Report {first} was closed already.\n"
    assert output == f"Report {second} is closed, and 1 others of the same subject.\n"
    [line] = [line for line in lines if line.get("security")]
    assert (line["event"], line["report_id"], line["operator"]) == ("report-closed", second, "ola")
    assert f"post {post} " not in flask("moderation", "reports", "--limit", 1_000).output
    town.query("MATCH (one:Report {state: 'open'}) SET one.state = 'put aside'")
    try:
        everything = flask("moderation", "reports", "--all", "--limit", 1_000).output
    finally:
        town.query("MATCH (one:Report {state: 'put aside'}) SET one.state = 'open'")
    assert everything.startswith("closed:\n")
    assert f"post {post} " in everything
    assert everything.endswith("No report is open.\n")
    [entry] = entries_of(graph, second)
    assert (entry.action, entry.subject, entry.reason) == ("close", "report", "no spam")


# Security 22
def test_each_change_is_said_and_logged_once_and_a_repeat_says_so(graph: Graph, town: Town) -> None:
    author = town.user()
    post = town.create_post(author).subject_id
    with capture_logs() as lines:
        said = [
            moderate("hide-post", post, "--reason", "spam"),
            moderate("hide-post", post, "--reason", "again"),
            moderate("show-post", post),
            moderate("show-post", post, "--reason", "again"),
            moderate("suspend", author, "--reason", "a bot", by="ben"),
            moderate("suspend", author, "--reason", "again"),
            moderate("unsuspend", author, "--reason", "a mistake"),
            moderate("unsuspend", author),
        ]
    assert said == [
        f"Post {post} is hidden from everybody.\n",
        f"Post {post} was hidden already.\n",
        f"Post {post} is shown again.\n",
        f"Post {post} was not hidden.\n",
        f"User {author} is suspended and signed out.\n",
        f"User {author} was suspended already.\n",
        f"User {author} is not suspended any more.\n",
        f"User {author} was not suspended.\n",
    ]
    facts = [
        (entry.operator, entry.action, entry.subject, entry.reason)
        for entry in (*entries_of(graph, post), *entries_of(graph, author))
    ]
    assert facts == [
        ("ola", "hide-post", "post", "spam"),
        ("ola", "show-post", "post", None),
        ("ben", "suspend", "user", "a bot"),
        ("ola", "unsuspend", "user", "a mistake"),
    ]
    security = [
        (line["event"], line["operator"], line.get("post_id"), line.get("account_id"))
        for line in lines
        if line.get("security")
    ]
    assert security == [
        ("post-hidden", "ola", post, None),
        ("post-shown", "ola", post, None),
        ("account-suspended", "ben", None, author),
        ("account-unsuspended", "ola", None, author),
    ]


def test_the_log_is_newest_first_and_paged(flask: Flask_, graph: Graph, town: Town) -> None:
    author = town.user()
    post = town.create_post(author).subject_id
    moderate("hide-post", post, "--reason", "spam\x1b[0m")
    moderate("show-post", post)
    shown, hidden = reversed(entries_of(graph, post))
    first = flask("moderation", "log", "--limit", 1).output.splitlines()
    assert first[1].startswith(str(shown.id))
    assert first[-1] == f"Older ones: flask moderation log --before {shown.id}"
    second = flask("moderation", "log", "--before", shown.id, "--limit", 1).output.splitlines()
    assert second[1].startswith(str(hidden.id))
    assert second[1].endswith('ola, "spam\\u001b[0m"')
    assert f"post {post}" in second[1]
    oldest = graph.moderation.log(before=MAX_ID, limit=1_000)[-1].id
    last = flask("moderation", "log", "--before", oldest + 1, "--limit", 1).output.splitlines()
    assert last[-1].startswith(str(oldest))
    nothing = flask("moderation", "log", "--before", 1)
    assert nothing.output == "The audit log has no such entry.\n"


def test_what_does_not_exist_is_an_error(flask: Flask_, graph: Graph, town: Town) -> None:
    author = town.user()
    deleted = town.create_post(author).subject_id
    graph.posts.delete(deleted, author_id=author)
    gone = town.user()
    town.query("MATCH (user:User {id: $id}) SET user.state = 'deleted'", id=gone)
    going = town.user()
    town.query("MATCH (user:User {id: $id}) SET user.state = 'deleting'", id=going)
    for arguments, text in (
        (("hide-post", deleted, "--reason", "x"), f"There is no post {deleted}"),
        (("show-post", new_id()), "There is no post "),
        (("suspend", new_id(), "--reason", "x"), "There is no user "),
        (("suspend", "@nobody.is.this", "--reason", "x"), "There is no user with this name."),
        (("unsuspend", gone), f"The account of user {gone} is deleted."),
        (("suspend", going, "--reason", "x"), f"The account of user {going} is deleting."),
        (("close", new_id()), "There is no report "),
    ):
        result = flask("moderation", *arguments)
        assert result.exit_code == 1, arguments
        assert text in result.output
    assert entries_of(graph, deleted) == []


@pytest.mark.parametrize(
    "arguments",
    [
        ("hide-post", "7"),
        ("suspend", "7"),
        ("hide-post", "0", "--reason", "x"),
        ("hide-post", "7", "--reason", " "),
        ("hide-post", "7", "--reason", "x" * 1_001),
        ("hide-post", "7", "--reason", "x", "--by", "\x1b"),
        ("hide-post", "7", "--reason", "x", "--by", ""),
        ("suspend", "ana", "--reason", "x"),
        ("suspend", "9007199254740993", "--reason", "x"),
        ("suspend", "9" * 5_000, "--reason", "x"),
        ("suspend", "\u0663", "--reason", "x"),
        ("suspend", "@\udcff", "--reason", "x"),
        ("hide-post", "7", "--reason", "\udcff"),
        ("reports", "--limit", "0"),
    ],
)
def test_wrong_arguments_are_refused(flask: Flask_, arguments: tuple[str, ...]) -> None:
    assert flask("moderation", *arguments).exit_code == 2


def test_the_operator_is_the_systems_user_unless_named(
    flask: Flask_, graph: Graph, town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOGNAME", "oskar")
    user = town.user()
    assert flask("moderation", "suspend", user, "--reason", "x").exit_code == 0
    assert [entry.operator for entry in entries_of(graph, user)] == ["oskar"]


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
