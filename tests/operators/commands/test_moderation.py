"""`flask moderation …`: what operators read, what they change, and what is written down."""

import time
from collections.abc import Mapping
from typing import Any

import pytest
from structlog.testing import capture_logs

from graph import Graph
from graph.ids import MAX_ID, new_id
from tests.operators.commands.conftest import Flask_
from tests.support.commands import entries_of, moderate, run_command
from tests.support.reports import create
from tests.support.town import Town


def report(
    graph: Graph,
    reporter: int,
    post: int,
    author: int,
    text: str | None = None,
    *,
    hours_old: int = 0,
) -> int:
    then_ms = time.time_ns() // 1_000_000 - hours_old * 3_600_000
    report_id = new_id(then_ms) if hours_old else new_id()
    reason = "spam" if text is None else "other"
    create(
        graph,
        reporter,
        post,
        subject="post",
        author=author,
        report_id=report_id,
        reason=reason,
        text=text,
    )
    return report_id


def subject_of(line: Mapping[str, Any]) -> int | None:
    """The id of the post or user of a security event."""
    found: int | None = line.get("post_id", line.get("account_id"))
    return found


# Security 22
def test_reports_are_listed_by_subject_with_their_texts_escaped(
    flask: Flask_, graph: Graph, town: Town
) -> None:
    author, *reporters = town.users(8)
    post = town.create_post(author).subject_id
    first = report(graph, reporters[0], post, author, hours_old=3)
    report(graph, reporters[1], post, author, "\x1b[2J\u202eevil\nline \u200b<b>")
    for reporter in reporters[2:]:
        report(graph, reporter, post, author)
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
        (
            line["event"],
            line["operator"],
            line["already"],
            line.get("post_id", line.get("account_id")),
        )
        for line in lines
        if line.get("security")
    ]
    assert security == [
        ("post-hidden", "ola", False, post),
        ("post-hidden", "ola", True, post),
        ("post-shown", "ola", False, post),
        ("post-shown", "ola", True, post),
        ("account-suspended", "ben", False, author),
        ("account-suspended", "ola", True, author),
        ("account-unsuspended", "ola", False, author),
        ("account-unsuspended", "ola", True, author),
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
