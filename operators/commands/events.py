"""`flask events …`: the work that is owed, as operators see and mend it."""

import click
from flask.cli import AppGroup

from graph import Graph
from graph.event_kinds import KINDS
from graph.events import Standing, State
from graph.ids import MAX_ID
from operators import outbox
from operators.commands.opening import CommandError, opened_stores
from operators.wording import facts, standing

EVENT_ID = click.IntRange(1, MAX_ID)
KIND = click.Choice(sorted(KINDS))

events = AppGroup("events", help="Work that is owed: list it, look at it, requeue, quarantine.")


@events.command("list")
@click.option("--state", type=click.Choice(outbox.STATES), help="Only those in this state.")
@click.option("--kind", type=KIND, help="Only those of this kind.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True)
def list_events(state: State | None, kind: str | None, limit: int) -> None:
    """List events: first what is due longest, then what waits, then the quarantine."""
    with opened_stores() as (graph, _storage):
        found = outbox.owed(graph, state=state, kind=kind, limit=limit + 1)
    if not found:
        what = f"of kind {kind} " if kind else ""
        where = f"is {state}" if state else "is owed"
        click.echo(f"No event {what}{where}.")
        return
    click.echo(f"{'event':<17} {'kind':<16} {'state':<26} {'subject':<17} {'author':<17} attempts")
    for one in found[:limit]:
        event = one.event
        click.echo(
            f"{event.id:<17} {event.kind:<16} {standing(one):<26} {event.subject_id:<17} "
            f"{event.author_id:<17} {event.attempts}"
        )
    if len(found) > limit:
        click.echo(f"There are more than these {limit}: give a larger --limit.")


@events.command("show")
@click.argument("event_id", type=EVENT_ID)
def show_event(event_id: int) -> None:
    """Say all that is known of an event."""
    with opened_stores() as (graph, _storage):
        one = known(graph, event_id)
    for name, value in facts(one):
        click.echo(f"{name:<11} {value}")


@events.command("requeue")
@click.argument("event_id", type=EVENT_ID, required=False)
@click.option("--all", "everything", is_flag=True, help="All that is in quarantine.")
@click.option("--kind", type=KIND, help="With --all: only those of this kind.")
def requeue_events(event_id: int | None, everything: bool, kind: str | None) -> None:
    """Let an event out of quarantine: it is due again, its attempts forgiven."""
    if (event_id is None) is not everything:
        raise click.UsageError("Name one event, or say --all.")
    if kind and not everything:
        raise click.UsageError("--kind goes with --all.")
    with opened_stores() as (graph, storage):
        if event_id is None:
            count = 0
            for event in outbox.requeue_all(graph, storage, kind):
                count += 1
                click.echo(f"Event {event.id} ({event.kind}) is due again.")
            click.echo(f"{count} requeued." if count else "Nothing to requeue is in quarantine.")
            return
        requeued = outbox.requeue(graph, storage, event_id)
        if requeued is None:
            one = known(graph, event_id)
            raise CommandError(f"Event {event_id} is not in quarantine: it is {standing(one)}.")
    click.echo(f"Event {event_id} ({requeued.kind}) is due again.")


@events.command("quarantine")
@click.argument("event_id", type=EVENT_ID)
def quarantine_event(event_id: int) -> None:
    """Put an event into quarantine by hand: nobody takes it up until it is requeued.

    A worker that is at it stops at its next step. What an event owes is not done meanwhile.
    """
    with opened_stores() as (graph, _storage):
        event = graph.events.quarantine(event_id)
        if event is None:
            known(graph, event_id)
            click.echo(f"Event {event_id} is in quarantine already.")
            return
    click.echo(f"Event {event_id} ({event.kind}) is in quarantine until it is requeued.")


def known(graph: Graph, event_id: int) -> Standing:
    """The event and where it stands. Raises CommandError if there is none."""
    one = graph.events.by_id(event_id)
    if one is None:
        raise CommandError(f"There is no event {event_id}: it is done, or it never was.")
    return one
