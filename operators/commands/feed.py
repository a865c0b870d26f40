"""`flask feed …`: compares timelines with the graph, and rebuilds them."""

import signal
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path

import click
from flask.cli import AppGroup

from feed.repairing import Repairer
from feed.verifying import DESCRIPTIONS, Difference, Report, Verifier
from graph.errors import GraphError
from graph.ids import MAX_ID
from operators.commands.stores import open_stores
from operators.commands.user_selection import Throttle, UserBatches, UserSelection, select_users
from stack.progress import Progress
from storage.changes import EVERYTHING
from storage.errors import StorageError

USER_ID = click.IntRange(1, MAX_ID)

MAX_SHOWN = 20
"""Timelines that a report names, and posts of each; it counts the others."""

INTERRUPTED = 130
"""The exit status of a command that SIGINT or SIGTERM stopped, as in shells."""

feed = AppGroup("feed", help="Compare timelines with the graph, and rebuild them.")


def user_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options of both commands that select users and limit the rate."""
    options = (
        click.option("--user", "users", type=USER_ID, multiple=True, help="This user."),
        click.option("--sample", type=click.IntRange(1), help="This number of random users."),
        click.option("--all", "all_users", is_flag=True, help="All users, by rising id."),
        click.option(
            "--after", type=click.IntRange(0, MAX_ID), help="With --all: users above this id."
        ),
        click.option(
            "--state",
            type=click.Path(dir_okay=False, path_type=Path),
            help="With --all: a file for the progress, to resume after a stop. Removed at the end.",
        ),
        click.option(
            "--rate",
            type=click.IntRange(1),
            default=200,
            show_default=True,
            help="The most users a second.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


@feed.command("verify")
@user_options
def verify_timelines(
    *,
    users: tuple[int, ...],
    sample: int | None,
    all_users: bool,
    after: int | None,
    state: Path | None,
    rate: int,
) -> None:
    """Compare timelines, and the bodies of their posts, with the graph.

    Changes nothing. A difference is reported if a second comparison, a few seconds later, finds it
    again, so that posts in transit are not reported. The exit status is 1 if there is a difference.
    """
    selection = parse_selection(users, sample, all_users, after, state)
    report = Report()
    with open_stores() as (graph, storage):
        verifier = Verifier(graph, storage)

        def verify(user_ids: Sequence[int]) -> None:
            report.add(verifier.verify(user_ids))

        with print_at_end(lambda: report_lines(report)):
            complete = run("verify", selection, select_users(graph, selection), verify, rate)
    if not complete:
        sys.exit(INTERRUPTED)
    if report.differences:
        click.echo("Repair them with flask feed rebuild.")
        sys.exit(1)


@feed.command("rebuild")
@user_options
@click.option(
    "--drop", is_flag=True, help="Only drop timelines: each reader's next page builds one."
)
def rebuild_timelines(
    *,
    users: tuple[int, ...],
    sample: int | None,
    all_users: bool,
    after: int | None,
    state: Path | None,
    rate: int,
    drop: bool,
) -> None:
    """Build timelines again from the graph, and discard wrong bodies.

    Users without a timeline are skipped: their next page builds one. Readers get their pages from
    the graph meanwhile. At the end every process drops its copies of bodies and sessions.
    """
    selection = parse_selection(users, sample, all_users, after, state)
    outcomes: Counter[str] = Counter()
    with open_stores() as (graph, storage):
        repairer = Repairer(graph, storage, build=not drop)

        def repair(user_ids: Sequence[int]) -> None:
            outcomes.update(map(repairer.repair, user_ids))

        with print_at_end(lambda: summary_lines(outcomes)):
            complete = run("rebuild", selection, select_users(graph, selection), repair, rate)
        storage.changes.announce([EVERYTHING])
    if not complete:
        sys.exit(INTERRUPTED)


def parse_selection(
    users: tuple[int, ...],
    sample: int | None,
    all_users: bool,
    after: int | None,
    state: Path | None,
) -> UserSelection:
    """The selection of the options, after the checkpoint if there is one. Raises UsageError."""
    if (bool(users), sample is not None, all_users).count(True) != 1:
        raise click.UsageError("Select users: --user ID, --sample N or --all.")
    if not all_users and (after is not None or state is not None):
        raise click.UsageError("--after and --state need --all.")
    if after is None and state is not None and state.exists():
        try:
            after = int(state.read_text())
        except ValueError as error:
            raise click.UsageError(f"{state} does not contain a user's id.") from error
    return UserSelection(users=users, sample=sample, after=after or 0, state=state)


def run(
    name: str,
    selection: UserSelection,
    selected: UserBatches,
    process: Callable[[Sequence[int]], None],
    rate: int,
) -> bool:
    """Process all batches; False if SIGINT or SIGTERM stopped it.

    Stopped, or by an error of a store, which it raises, it prints how to resume.
    """
    throttle, last = Throttle(rate), selection.after
    previous_handler = signal.signal(signal.SIGTERM, signal.default_int_handler)
    with Progress(f"feed {name}", selected.total, unit="users", stderr=True) as progress:
        try:
            for batch in selected.batches:
                process(batch)
                last = batch[-1]
                selection.save_checkpoint(last)
                progress.advance(len(batch))
                throttle.wait(len(batch))
        except (KeyboardInterrupt, GraphError, StorageError) as error:
            click.echo("Stopped before the end.", err=True)
            if selection.all_users:
                click.echo(f"Resume with: flask feed {name} --all --after {last}", err=True)
            if not isinstance(error, KeyboardInterrupt):
                raise
            return False
        finally:
            signal.signal(signal.SIGTERM, previous_handler)
    selection.remove_checkpoint()
    return True


@contextmanager
def print_at_end(lines: Callable[[], Iterable[str]]) -> Iterator[None]:
    """Print the lines after the block, also after an error or a stop."""
    try:
        yield
    finally:
        for line in lines():
            click.echo(line)


def summary_lines(outcomes: Counter[str]) -> Iterator[str]:
    """The numbers of a rebuild."""
    yield (
        f"{outcomes['built']} timelines built, {outcomes['dropped']} dropped, {outcomes['left']} "
        f"left to their next reader; {outcomes['none']} users had none."
    )


def report_lines(report: Report) -> Iterator[str]:
    """The report of a comparison."""
    without = report.users - report.timelines
    yield (
        f"{report.users} users compared: {report.timelines} have a timeline, {without} have none "
        "(their feeds come from the graph)."
    )
    if report.late:
        yield f"{report.late} entries are missing because their events are not done yet."
    if report.leftovers:
        yield f"{report.leftovers} entries are of deleted posts; no page shows them."
    if not report.differences:
        yield "No difference."
        return
    for kind, count in sorted(report.count_by_kind().items()):
        yield f"{count} {kind}: {DESCRIPTIONS[kind]}"
    by_user = [(user_id, list(group)) for user_id, group in groupby(report.differences, _user_id)]
    for user_id, differences in by_user[:MAX_SHOWN]:
        yield f"  user {user_id}: {_list_differences(differences)}"
    if len(by_user) > MAX_SHOWN:
        yield f"  and {len(by_user) - MAX_SHOWN} more users"


def _user_id(difference: Difference) -> int:
    return difference.user_id


def _list_differences(differences: Sequence[Difference]) -> str:
    """`missing 5, extra 7 8` for the differences of one user."""
    parts = []
    for kind, group in groupby(differences, lambda difference: difference.kind):
        ids = [difference.post_id for difference in group if difference.post_id]
        more = f" and {len(ids) - MAX_SHOWN} more" if len(ids) > MAX_SHOWN else ""
        parts.append(" ".join([kind, *map(str, ids[:MAX_SHOWN])]) + more)
    return ", ".join(parts)
