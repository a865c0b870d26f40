"""`flask moderation …`: reports, hidden posts, suspended and deleted accounts, the audit log."""

import getpass
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click
from flask.cli import AppGroup

from graph import Graph
from graph.errors import NotFoundError
from graph.ids import MAX_ID
from graph.reports import ReportPage
from observing import security_events
from operators import moderation as actions
from operators.commands.stores import CommandError, open_stores
from operators.moderation import Outcome, UnknownSubjectError
from operators.report_text import audit_lines, report_lines, total_text

ID = click.IntRange(1, MAX_ID)
LONGEST_ID = len(str(MAX_ID))
"""Digits. Python refuses to read thousands of them."""
LONGEST_REASON, LONGEST_OPERATOR = 1_000, 100
"""Characters."""

moderation = AppGroup(
    "moderation", help="Reports, hidden posts, suspended accounts, and the audit log."
)


def check_operator(_context: click.Context, _parameter: click.Parameter, name: str | None) -> str:
    """The operator's name, by default that of the system's user. Raises BadParameter."""
    if name is None:
        try:
            name = getpass.getuser()
        except (KeyError, OSError):
            raise click.BadParameter("this system does not name you: give it.") from None
    if not (name.isprintable() and name.strip() and len(name) <= LONGEST_OPERATOR):
        raise click.BadParameter(f"a name has 1 to {LONGEST_OPERATOR} visible characters.")
    return name


def check_reason(
    _context: click.Context, _parameter: click.Parameter, reason: str | None
) -> str | None:
    """The reason. Raises BadParameter."""
    if reason is not None and not (
        reason.strip() and len(reason) <= LONGEST_REASON and is_unicode(reason)
    ):
        raise click.BadParameter(f"a reason has 1 to {LONGEST_REASON} characters.")
    return reason


def is_unicode(text: str) -> bool:
    """False for an argument whose bytes are not UTF-8: no store takes them."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def signed(*, needs_reason: bool) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Decorates a command: the options of its audit entry, `operator` and `reason`."""

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        reason = click.option(
            "--reason",
            required=needs_reason,
            callback=check_reason,
            help="Why, for the audit log.",
        )
        operator = click.option(
            "--by",
            "operator",
            callback=check_operator,
            help="Your name in the audit log; by default that of the system's user.",
        )
        return reason(operator(command))

    return decorate


@moderation.command("reports")
@click.option("--after", type=ID, help="Only those after this report: the next page.")
@click.option(
    "--limit",
    type=click.IntRange(1, 1_000),
    default=100,
    show_default=True,
    help="Posts and users; with --closed, reports.",
)
@click.option("--most-reported", is_flag=True, help="Those with the most open reports first.")
@click.option("--closed", is_flag=True, help="Closed reports instead, of 90 days.")
def list_reports(*, after: int | None, limit: int, most_reported: bool, closed: bool) -> None:
    """List reported posts and users, the longest open first."""
    if most_reported and (closed or after):
        raise click.UsageError("--most-reported goes with --limit alone.")
    with open_stores() as (graph, _storage):
        page = read_reports(
            graph, after=after or 0, limit=limit, most_reported=most_reported, closed=closed
        )
        total = graph.reports.open_subjects()
    for line in report_lines(page.subjects) if page.subjects else ():
        click.echo(line)
    if closed and not page.subjects:
        click.echo(f"No {'further ' if after else ''}report is closed.")
    click.echo(total_text(total))
    if page.next_after is not None:
        options = f"{'--closed ' if closed else ''}--limit {limit} --after {page.next_after}"
        click.echo(f"The next page: flask moderation reports {options}")


def read_reports(
    graph: Graph, *, after: int, limit: int, most_reported: bool, closed: bool
) -> ReportPage:
    """A page of the list that the options ask for."""
    if most_reported:
        return ReportPage(subjects=graph.reports.most_reported(limit), next_after=None)
    pages = graph.reports.closed_page if closed else graph.reports.open_page
    return pages(after=after, limit=limit)


@moderation.command("close")
@click.argument("report_id", type=ID)
@signed(needs_reason=False)
def close_report(*, report_id: int, operator: str, reason: str | None) -> None:
    """Close a report, and all other open ones of the same post or user."""
    with open_stores() as (graph, _storage):
        try:
            closed = graph.reports.close(report_id, operator=operator, reason=reason)
        except NotFoundError:
            raise CommandError(f"There is no report {report_id}.") from None
    security_events.record(
        "report-closed", report_id=report_id, operator=operator, already=not closed
    )
    if not closed:
        click.echo(f"Report {report_id} was closed already.")
        return
    click.echo(f"Report {report_id} is closed, and {closed - 1} others of the same subject.")


@moderation.command("hide-post")
@click.argument("post_id", type=ID)
@signed(needs_reason=True)
def hide_post(*, post_id: int, **entry: Any) -> None:
    """Hide a post from everybody, its author too. `show-post` undoes it."""
    with open_stores() as (graph, storage), unknown_subjects():
        outcome = actions.hide_post(graph, storage, post_id, **entry)
    say(outcome, f"Post {post_id}", "is hidden from everybody", "was hidden already")


@moderation.command("show-post")
@click.argument("post_id", type=ID)
@signed(needs_reason=False)
def show_post(*, post_id: int, **entry: Any) -> None:
    """Show a hidden post again, at the place where it was."""
    with open_stores() as (graph, storage), unknown_subjects():
        outcome = actions.show_post(graph, storage, post_id, **entry)
    say(outcome, f"Post {post_id}", "is shown again", "was not hidden")


@moderation.command("suspend")
@click.argument("user")
@signed(needs_reason=True)
def suspend(*, user: str, **entry: Any) -> None:
    """Suspend the account of USER, an id or @username.

    The user and all posts are hidden, all sessions end, and nobody can sign in. `unsuspend` undoes
    it, but for the sessions.
    """
    with open_stores() as (graph, storage), unknown_subjects():
        user_id = find_user(graph, user)
        outcome = actions.suspend(graph, storage, user_id, **entry)
    say(outcome, f"User {user_id}", "is suspended and signed out", "was suspended already")


@moderation.command("unsuspend")
@click.argument("user")
@signed(needs_reason=False)
def unsuspend(*, user: str, **entry: Any) -> None:
    """End the suspension of USER, an id or @username."""
    with open_stores() as (graph, storage), unknown_subjects():
        user_id = find_user(graph, user)
        outcome = actions.unsuspend(graph, storage, user_id, **entry)
    say(outcome, f"User {user_id}", "is not suspended any more", "was not suspended")


@moderation.command("delete-account")
@click.argument("user")
@signed(needs_reason=True)
def delete_account(*, user: str, **entry: Any) -> None:
    """Delete the account of USER, an id or @username, for an owner who cannot sign in.

    The user and all posts are hidden and all sessions end; a week later everything is deleted.
    Until then the owner can restore it, unless it is suspended.
    """
    with open_stores() as (graph, storage), unknown_subjects():
        user_id = find_user(graph, user)
        outcome = actions.delete_account(graph, storage, user_id, **entry)
    say(
        outcome,
        f"User {user_id}",
        "is hidden and signed out, and is deleted in 7 days",
        "was about to be deleted already",
    )


@moderation.command("log")
@click.option("--before", type=ID, default=MAX_ID, help="Only entries older than this one.")
@click.option("--limit", type=click.IntRange(1, 1_000), default=50, show_default=True)
def show_log(*, before: int, limit: int) -> None:
    """Show the audit log, newest first."""
    with open_stores() as (graph, _storage):
        entries = graph.moderation.log(before=before, limit=limit + 1)
    if not entries:
        click.echo("The audit log has no such entry.")
        return
    for line in audit_lines(entries[:limit]):
        click.echo(line)
    if len(entries) > limit:
        click.echo(f"Older ones: flask moderation log --before {entries[limit - 1].id}")


def find_user(graph: Graph, user: str) -> int:
    """The id of a user who is given by id or @username. Raises CommandError, UsageError."""
    if user.startswith("@") and is_unicode(user):
        user_id = graph.users.id_of(user.removeprefix("@"))
        if user_id is None:
            raise CommandError("There is no user with this name.")
        return user_id
    is_number = user.isascii() and user.isdecimal() and len(user) <= LONGEST_ID
    if not (is_number and 0 < int(user) <= MAX_ID):
        raise click.UsageError("Give the user's id, or @username.")
    return int(user)


@contextmanager
def unknown_subjects() -> Iterator[None]:
    """Raises CommandError for a subject that does not exist."""
    try:
        yield
    except UnknownSubjectError as error:
        raise CommandError(str(error)) from None


def say(outcome: Outcome, subject: str, done: str, repeated: str) -> None:
    """Print what has happened. Raises CommandError if copies could not be dropped."""
    text = f"{subject} {done if outcome.changed else repeated}."
    if outcome.failure is None:
        click.echo(text)
        return
    if outcome.event is None:
        owed = "If the first command could not drop them, its event does: see flask events list"
    else:
        owed = f"Event {outcome.event.id} drops them when it does: see flask events show"
    raise CommandError(
        f"{text} But a store does not answer ({outcome.failure}), so pages may have old copies. "
        f"{owed}. The command can be repeated."
    )
