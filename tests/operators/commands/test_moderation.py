"""`flask moderation …`: what operators read, what they change, and what is written down."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from drill.support.proxy import proxied
from graph import Graph
from graph.ids import MAX_ID, new_id
from graph.moderation import AuditEntry
from storage import Storage
from tests.operators.commands.conftest import Flask_
from tests.support.commands import moderate, run_command
from tests.support.town import Town

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def town(graph: Graph, storage: Storage) -> Town:
    assert storage
    return Town(graph)


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
    lines = flask("moderation", "reports", "--limit", 1_000).output.splitlines()
    [at] = [number for number, line in enumerate(lines) if line.startswith(str(first))]
    row, text = lines[at], lines[at + 1]
    assert f"post {post} of user {author}, shown" in row
    assert row.split()[-8:] == [*map(str, reporters[:5]), "and", "2", "more"]
    assert " 7  " in row
    assert "spam" in row
    assert "other" in row
    assert text.strip() == '"\\u001b[2J\\u202eevil\\nline \\u200b<b>"'


def test_a_closed_report_is_in_the_list_of_closed_ones(
    flask: Flask_, graph: Graph, town: Town
) -> None:
    author, reporter, other = town.users(3)
    post = town.create_post(author).subject_id
    first = report(graph, reporter, post, author)
    second = report(graph, other, post, author)
    with capture_logs() as lines:
        output = moderate("close", second, "--reason", "no spam")
        repeated = moderate("close", first)
    assert output == f"Report {second} is closed, and 1 others of the same subject.\n"
    assert repeated == f"Report {first} was closed already.\n"
    assert [
        (line["event"], line["report_id"], line["operator"], line["already"])
        for line in lines
        if line.get("security")
    ] == [("report-closed", second, "ola", False), ("report-closed", first, "ola", True)]
    assert f"post {post} " not in flask("moderation", "reports", "--limit", 1_000).output
    closed = flask("moderation", "reports", "--closed", "--after", first - 1, "--limit", 1_000)
    assert f"post {post} " in closed.output
    [entry] = entries_of(graph, second)
    assert (entry.action, entry.subject, entry.reason) == ("close", "report", "no spam")


def test_the_list_is_paged_and_says_how_many_are_open(
    flask: Flask_, graph: Graph, town: Town
) -> None:
    author, *reporters = town.users(4)
    posts = [town.create_post(author).subject_id for _ in range(3)]
    first, *_ = (report(graph, one, post, author) for one in reporters for post in posts)
    total = graph.reports.open_subjects()
    total_line = f"In all, {total:,} posts and users have open reports."
    shown: list[int] = []
    after: list[str | int] = ["--after", first - 1]
    for _ in range(total + 1):
        lines = flask("moderation", "reports", "--limit", 2, *after).output.splitlines()
        assert total_line in lines
        shown += [post for post in posts for line in lines if f"post {post} " in line]
        if not lines[-1].startswith("The next page: flask moderation reports --limit 2 --after "):
            break
        after = ["--after", lines[-1].rsplit(" ", 1)[1]]
    assert shown == posts
    crowded = flask("moderation", "reports", "--most-reported", "--limit", 1_000).output
    assert all(f"post {post} " in crowded for post in posts)
    assert total_line in crowded


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
        (line["event"], line["operator"], line["already"]) for line in lines if line.get("security")
    ]
    assert security == [
        ("post-hidden", "ola", False),
        ("post-hidden", "ola", True),
        ("post-shown", "ola", False),
        ("post-shown", "ola", True),
        ("account-suspended", "ben", False),
        ("account-suspended", "ola", True),
        ("account-unsuspended", "ola", False),
        ("account-unsuspended", "ola", True),
    ]


# Security 22
@pytest.mark.parametrize("command", ["hide-post", "suspend", "close"])
def test_a_change_whose_answer_was_lost_is_logged_by_its_repeat(
    graph: Graph, town: Town, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    """The first process dies after the commit, before its line."""
    author, reporter = town.users(2)
    post = town.create_post(author).subject_id
    subject = {
        "hide-post": post,
        "suspend": author,
        "close": report(graph, reporter, post, author),
    }[command]

    def die(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("observing.security_events.record", die)
        run_command("moderation", command, subject, "--reason", "spam", "--by", "ola")
    assert len(entries_of(graph, subject)) == 1
    with capture_logs() as lines:
        moderate(command, subject, "--reason", "spam")
    [line] = [line for line in lines if line.get("security")]
    assert (line["operator"], line["already"]) == ("ola", True)
    assert subject in line.values()
    assert len(entries_of(graph, subject)) == 1


# Security 22
@pytest.mark.parametrize("suspended", [False, True])
def test_an_account_is_deleted_for_its_owner_once_and_it_is_logged(
    graph: Graph, town: Town, *, suspended: bool
) -> None:
    owner = town.user()
    if suspended:
        moderate("suspend", owner, "--reason", "spam")
    with capture_logs() as lines:
        said = [
            moderate("delete-account", owner, "--reason", "a letter"),
            moderate("delete-account", owner, "--reason", "again"),
        ]
    assert said == [
        f"User {owner} is hidden and signed out, and is deleted in 7 days.\n",
        f"User {owner} was about to be deleted already.\n",
    ]
    events = [line for line in lines if line.get("security")]
    assert [(line["event"], line["account_id"], line["already"]) for line in events] == [
        ("account-deletion-begun", owner, False),
        ("account-deletion-begun", owner, True),
    ]
    entry = entries_of(graph, owner)[-1]
    assert (entry.action, entry.subject, entry.reason) == ("delete-account", "user", "a letter")
    user = graph.moderation.user(owner)
    assert user is not None
    assert (user.state, user.suspended) == ("leaving", suspended)


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
    nothing = flask("moderation", "log", "--before", 1)
    assert nothing.output == "The audit log has no such entry.\n"


def test_what_does_not_exist_is_an_error(flask: Flask_, graph: Graph, town: Town) -> None:
    author = town.user()
    deleted = town.create_post(author).subject_id
    graph.posts.delete(deleted, author_id=author)
    gone = town.user()
    town.query("MATCH (user:User {id: $id}) SET user.state = 'deleted'", id=gone)
    for arguments, text in (
        (("hide-post", deleted, "--reason", "x"), f"There is no post {deleted}"),
        (("show-post", new_id()), "There is no post "),
        (("suspend", new_id(), "--reason", "x"), "There is no user "),
        (("suspend", "@nobody.is.this", "--reason", "x"), "There is no user with this name."),
        (("unsuspend", gone), f"The account of user {gone} is deleted."),
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
        ("reports", "--limit", "0"),
        ("reports", "--after", "0"),
        ("reports", "--after", "9007199254740993"),
        ("reports", "--most-reported", "--after", "7"),
        ("reports", "--most-reported", "--closed"),
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
