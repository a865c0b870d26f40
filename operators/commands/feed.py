"""`flask feed …`: timelines held against the graph, and mended."""

import signal
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path

import click
from flask.cli import AppGroup

from feed.verifying import MEANINGS, Difference, Mender, Report, Verifier
from graph.errors import GraphError
from operators.commands.opening import opened_stores
from operators.commands.walking import Pace, Walk, chosen
from stack.progress import Progress
from storage.errors import StorageError

SHOWN = 20
"""Timelines, and posts of one, that a report names; the rest is counted."""
INTERRUPTED = 130
"""The exit status of a command that was stopped by its user, as shells have it."""

feed = AppGroup("feed", help="Compare timelines with the graph, and rebuild them.")


def whose(command: Callable[..., None]) -> Callable[..., None]:
    """The options that say whose timelines, and how fast; the same for both commands."""
    options = (
        click.option("--user", "users", type=click.IntRange(1), multiple=True, help="This user."),
        click.option("--sample", type=click.IntRange(1), help="So many users, drawn at random."),
        click.option("--all", "everyone", is_flag=True, help="Everybody, in the order of ids."),
        click.option("--after", type=click.IntRange(0), help="With --all: go on above this id."),
        click.option(
            "--state",
            type=click.Path(dir_okay=False, path_type=Path),
            help="With --all: a file that remembers how far it came; it is removed at the end.",
        ),
        click.option(
            "--rate",
            type=click.IntRange(1),
            default=200,
            show_default=True,
            help="At most so many users a second.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


@feed.command("verify")
@whose
def verify_timelines(
    *,
    users: tuple[int, ...],
    sample: int | None,
    everyone: bool,
    after: int | None,
    state: Path | None,
    rate: int,
) -> None:
    """Compare timelines and the bodies in them with the graph.

    Changes nothing. What differs is looked at twice, a few seconds apart, so that posts on their
    way raise no alarm. The exit status is 1 if something differs.
    """
    walk = asked(users, sample, everyone, after, state)
    report = Report()
    with opened_stores() as (graph, storage):
        verifier = Verifier(graph, storage)

        def verify(user_ids: Sequence[int]) -> None:
            report.add(verifier.verify(user_ids))

        with at_last(lambda: told(report)):
            whole = run("verify", walk, chosen(graph, walk), verify, rate)
    if not whole:
        sys.exit(INTERRUPTED)
    if report.differences:
        click.echo("Mend them with flask feed rebuild.")
        sys.exit(1)


@feed.command("rebuild")
@whose
@click.option("--drop", is_flag=True, help="Only drop them: each reader's next page builds anew.")
def rebuild_timelines(
    *,
    users: tuple[int, ...],
    sample: int | None,
    everyone: bool,
    after: int | None,
    state: Path | None,
    rate: int,
    drop: bool,
) -> None:
    """Make timelines anew from the graph, and take away bodies that are wrong.

    Users without a timeline are passed over: their next page builds one. Readers go on meanwhile,
    answered by the graph while theirs is being built.
    """
    walk = asked(users, sample, everyone, after, state)
    done: Counter[str] = Counter()
    with opened_stores() as (graph, storage):
        mender = Mender(graph, storage, build=not drop)

        def mend(user_ids: Sequence[int]) -> None:
            done.update(map(mender.mend, user_ids))

        with at_last(lambda: summed_up(done)):
            whole = run("rebuild", walk, chosen(graph, walk), mend, rate)
    if not whole:
        sys.exit(INTERRUPTED)


def asked(
    users: tuple[int, ...],
    sample: int | None,
    everyone: bool,
    after: int | None,
    state: Path | None,
) -> Walk:
    """Whom to walk through. Raises UsageError."""
    if (bool(users), sample is not None, everyone).count(True) != 1:
        raise click.UsageError("Say whose: --user ID, --sample N or --all.")
    if not everyone and (after is not None or state is not None):
        raise click.UsageError("--after and --state go with --all.")
    if after is None and state is not None and state.exists():
        try:
            after = int(state.read_text())
        except ValueError as error:
            raise click.UsageError(f"{state} does not hold a user's id.") from error
    return Walk(users=users, sample=sample, after=after or 0, state=state)


def run(
    name: str,
    walk: Walk,
    batches: tuple[int, Iterator[list[int]]],
    work: Callable[[Sequence[int]], None],
    rate: int,
) -> bool:
    """Whether all was done. Stopped, or without a store, it says how to go on."""
    total, pages = batches
    pace, last = Pace(rate), walk.after
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    with Progress(f"feed {name}", total, unit="users", stderr=True) as progress:
        try:
            for page in pages:
                work(page)
                last = page[-1]
                walk.remember(last)
                progress.advance(len(page))
                pace.keep(len(page))
        except (KeyboardInterrupt, GraphError, StorageError) as error:
            click.echo("Stopped before the end.", err=True)
            if walk.everyone:
                click.echo(f"Go on with: flask feed {name} --all --after {last}", err=True)
            if not isinstance(error, KeyboardInterrupt):
                raise
            return False
        finally:
            signal.signal(signal.SIGTERM, before)
    walk.forget()
    return True


@contextmanager
def at_last(lines: Callable[[], Iterable[str]]) -> Iterator[None]:
    """Says the lines at the end, whichever it is: what a stopped walk has found is not lost."""
    try:
        yield
    finally:
        for line in lines():
            click.echo(line)


def summed_up(done: Counter[str]) -> Iterator[str]:
    """What became of the timelines."""
    yield (
        f"{done['built']} timelines built, {done['dropped']} dropped, {done['left']} left to their "
        f"next reader; {done['none']} users had none."
    )


def told(report: Report) -> Iterator[str]:
    """The report, line by line."""
    without = report.users - report.timelines
    yield (
        f"{report.users} users looked at: {report.timelines} timelines stand, {without} have none "
        "(the graph answers)."
    )
    if report.late:
        yield f"{report.late} entries are still to come: their posts are on their way."
    if report.leftovers:
        yield f"{report.leftovers} entries of posts that are gone, and that nobody is shown."
    if not report.differences:
        yield "No difference."
        return
    for what, count in sorted(report.by_what().items()):
        yield f"{count} {what}: {MEANINGS[what]}"
    timelines = [(user_id, list(found)) for user_id, found in groupby(report.differences, _user_id)]
    for user_id, found in timelines[:SHOWN]:
        yield f"  user {user_id}: {_named(found)}"
    if len(timelines) > SHOWN:
        yield f"  and {len(timelines) - SHOWN} more users"


def _user_id(difference: Difference) -> int:
    return difference.user_id


def _named(found: Sequence[Difference]) -> str:
    """`missing 5, extra 7 8` of one user's differences."""
    parts = []
    for what, same in groupby(found, lambda one: one.what):
        ids = [one.post_id for one in same if one.post_id]
        more = f" and {len(ids) - SHOWN} more" if len(ids) > SHOWN else ""
        parts.append(" ".join([what, *map(str, ids[:SHOWN])]) + more)
    return ", ".join(parts)
