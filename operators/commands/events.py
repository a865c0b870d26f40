"""`flask events …`: lists, shows, requeues and quarantines events."""

import click
from flask.cli import AppGroup

from graph import Graph
from graph.event_kinds import KINDS
from graph.events import EventStatus, State
from graph.ids import MAX_ID
from operators import outbox
from operators.commands.stores import CommandError, open_stores
from operators.event_text import event_facts, owed_text, state_text

EVENT_ID = click.IntRange(1, MAX_ID)
KIND = click.Choice(sorted(KINDS))

events = AppGroup("events", help="Owed work: list, show, requeue and quarantine events.")


@events.command("list")
@click.option("--state", type=click.Choice(outbox.STATES), help="Only events in this state.")
@click.option("--kind", type=KIND, help="Only events of this kind.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True)
def list_events(state: State | None, kind: str | None, limit: int) -> None:
    """List events: due ones, longest due first, then waiting ones, then those in quarantine."""
    with open_stores() as (graph, _storage):
        statuses = outbox.list_events(graph, state=state, kind=kind, limit=limit + 1)
    if not statuses:
        of_kind = f"of kind {kind} " if kind else ""
        click.echo(f"No event {of_kind}is {state or 'owed'}.")
        return
    click.echo(
        f"{'event':<17} {'kind':<16} {'state':<26} {'owed for':<9} {'subject':<17} {'author':<17} "
        "attempts"
    )
    for status in statuses[:limit]:
        event = status.event
        click.echo(
            f"{event.id:<17} {event.kind:<16} {state_text(status):<26} {owed_text(status):<9} "
            f"{event.subject_id:<17} {event.author_id:<17} {event.attempts}"
        )
    if len(statuses) > limit:
        click.echo(f"There are more than these {limit}: give a larger --limit.")


@events.command("show")
@click.argument("event_id", type=EVENT_ID)
def show_event(event_id: int) -> None:
    """Show all facts about an event."""
    with open_stores() as (graph, _storage):
        status = get_event(graph, event_id)
    for name, value in event_facts(status):
        click.echo(f"{name:<11} {value}")


@events.command("requeue")
@click.argument("event_id", type=EVENT_ID, required=False)
@click.option("--all", "all_events", is_flag=True, help="All events in quarantine.")
@click.option("--kind", type=KIND, help="With --all: only events of this kind.")
def requeue_events(event_id: int | None, all_events: bool, kind: str | None) -> None:
    """Take events out of quarantine: they are due now, and their attempts begin at 0."""
    if (event_id is None) is not all_events:
        raise click.UsageError("Give one event, or --all.")
    if kind and not all_events:
        raise click.UsageError("--kind needs --all.")
    with open_stores() as (graph, storage):
        if event_id is None:
            count = 0
            for event in outbox.requeue_all(graph, storage, kind):
                count += 1
                click.echo(f"Event {event.id} ({event.kind}) is due again.")
            click.echo(f"{count} requeued." if count else "No such event is in quarantine.")
            return
        requeued = outbox.requeue(graph, storage, event_id)
        if requeued is None:
            status = get_event(graph, event_id)
            raise CommandError(
                f"Event {event_id} is not in quarantine: it is {state_text(status)}."
            )
    click.echo(f"Event {event_id} ({requeued.kind}) is due again.")


@events.command("quarantine")
@click.argument("event_id", type=EVENT_ID)
def quarantine_event(event_id: int) -> None:
    """Put an event into quarantine: no worker claims it until it is requeued.

    A worker that holds it stops at its next step. The owed work is not done meanwhile.
    """
    with open_stores() as (graph, _storage):
        event = graph.events.quarantine(event_id)
        if event is None:
            get_event(graph, event_id)
            click.echo(f"Event {event_id} is in quarantine already.")
            return
    click.echo(f"Event {event_id} ({event.kind}) is in quarantine until it is requeued.")


def get_event(graph: Graph, event_id: int) -> EventStatus:
    """The event and its state. Raises CommandError if it does not exist."""
    status = graph.events.by_id(event_id)
    if status is None:
        raise CommandError(f"There is no event {event_id}: it is done, or it never existed.")
    return status
