"""The pages of events: the same as `flask events`, in a browser."""

from http import HTTPStatus
from typing import Any

from flask import Flask, abort, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from graph import Graph
from graph.event_kinds import KINDS
from graph.events import EventStatus
from graph.ids import MAX_ID
from operators import outbox
from operators.event_text import event_facts, owed_text, state_text
from storage import Storage

LIMITS = (50, 200, 1_000)
"""The choices of events on one page. `flask events list` can show more."""

ID = f"<int(min=1, max={MAX_ID}):event_id>"


def add_event_pages(app: Flask, graph: Graph, storage: Storage) -> None:
    """Add the list, a page for each event, and the buttons to requeue and quarantine it."""

    @app.get("/events")
    def list_events() -> str:
        state = query_choice("state", outbox.STATES)
        kind = query_choice("kind", sorted(KINDS))
        limit = query_choice("limit", LIMITS) or LIMITS[0]
        statuses = outbox.list_events(graph, state=state, kind=kind, limit=limit + 1)
        return render_template(
            "admin/events.html",
            statuses=statuses[:limit],
            more=len(statuses) > limit,
            state=state,
            kind=kind,
            limit=limit,
            states=outbox.STATES,
            kinds=sorted(KINDS),
            limits=LIMITS,
            state_text=state_text,
            owed_text=owed_text,
        )

    @app.get(f"/events/{ID}")
    def show_event(event_id: int) -> str:
        status = get_event(graph, event_id)
        return render_template("admin/event.html", status=status, facts=event_facts(status))

    @app.post(f"/events/{ID}/requeue")
    def requeue_event(event_id: int) -> Response:
        if outbox.requeue(graph, storage, event_id) is None:
            get_event(graph, event_id)
            abort(HTTPStatus.CONFLICT, "This event is not in quarantine.")
        quarantine = url_for("list_events", state="quarantined", requeued=event_id)
        return redirect(quarantine, HTTPStatus.SEE_OTHER)  # the event may be done and deleted

    @app.post(f"/events/{ID}/quarantine")
    def quarantine_event(event_id: int) -> Response:
        if graph.events.quarantine(event_id) is None:
            get_event(graph, event_id)  # in quarantine already
        return redirect(url_for("show_event", event_id=event_id), HTTPStatus.SEE_OTHER)


def query_choice(name: str, choices: Any) -> Any:
    """The choice that the query gives by this name; None if it is absent. 400 for any other."""
    text = request.args.get(name, "")
    if not text:
        return None
    choice = next((choice for choice in choices if str(choice) == text), None)
    if choice is None:
        abort(HTTPStatus.BAD_REQUEST, f"There is no such {name}.")
    return choice


def get_event(graph: Graph, event_id: int) -> EventStatus:
    """The event and its state; 404 if it does not exist."""
    status = graph.events.by_id(event_id)
    if status is None:
        abort(
            HTTPStatus.NOT_FOUND, f"There is no event {event_id}: it is done, or it never existed."
        )
    return status
