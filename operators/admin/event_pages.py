"""The operators' pages of events: the same as `flask events`, in a browser."""

from http import HTTPStatus
from typing import Any

from flask import Flask, abort, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from graph import Graph
from graph.event_kinds import KINDS
from graph.events import Standing
from graph.ids import MAX_ID
from operators import outbox
from operators.wording import facts, standing
from storage import Storage

LIMITS = (50, 200, 1_000)
"""How many events one page may show; the command shows more."""

ID = f"<int(min=1, max={MAX_ID}):event_id>"


def add_event_pages(app: Flask, graph: Graph, storage: Storage) -> None:
    """Their list, each one's page, and the buttons that requeue and quarantine."""

    @app.get("/events")
    def list_events() -> str:
        state = chosen("state", outbox.STATES)
        kind = chosen("kind", sorted(KINDS))
        limit = chosen("limit", LIMITS) or LIMITS[0]
        found = outbox.owed(graph, state=state, kind=kind, limit=limit + 1)
        return render_template(
            "admin/events.html",
            found=found[:limit],
            more=len(found) > limit,
            state=state,
            kind=kind,
            limit=limit,
            states=outbox.STATES,
            kinds=sorted(KINDS),
            limits=LIMITS,
            standing=standing,
        )

    @app.get(f"/events/{ID}")
    def show_event(event_id: int) -> str:
        one = known(graph, event_id)
        return render_template("admin/event.html", one=one, facts=facts(one))

    @app.post(f"/events/{ID}/requeue")
    def requeue_event(event_id: int) -> Response:
        if outbox.requeue(graph, storage, event_id) is None:
            known(graph, event_id)
            abort(HTTPStatus.CONFLICT, "This event is not in quarantine.")
        rest = url_for("list_events", state="quarantined", requeued=event_id)
        return redirect(rest, HTTPStatus.SEE_OTHER)  # its own page may be gone: it is done

    @app.post(f"/events/{ID}/quarantine")
    def quarantine_event(event_id: int) -> Response:
        if graph.events.quarantine(event_id) is None:
            known(graph, event_id)  # in quarantine already: as asked
        return redirect(url_for("show_event", event_id=event_id), HTTPStatus.SEE_OTHER)


def chosen(name: str, allowed: Any) -> Any:
    """The one of `allowed` that the address names; None if it names none, else 400."""
    given = request.args.get(name, "")
    if not given:
        return None
    found = next((one for one in allowed if str(one) == given), None)
    if found is None:
        abort(HTTPStatus.BAD_REQUEST, f"There is no such {name}.")
    return found


def known(graph: Graph, event_id: int) -> Standing:
    """The event and where it stands; else 404."""
    one = graph.events.by_id(event_id)
    if one is None:
        abort(HTTPStatus.NOT_FOUND, f"There is no event {event_id}: it is done, or it never was.")
    return one
