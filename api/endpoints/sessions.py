"""Signing in and out, and all of one's sessions."""

from typing import Any

from api.http import context, limits
from api.http.auth import forgetting_refused, login_required
from api.http.context import graph, storage, viewer
from api.http.parsing import Blueprint
from api.schemas.accounts import Credentials, SessionList, SignedInSchema
from api.services import accounts, sessions
from api.services.sessions import SignedIn
from graph.users import User

blueprint = Blueprint("sessions", __name__, description="Signing in and out")

NO_STORE = {"Cache-Control": "no-store"}
"""Of answers that carry a token."""


@blueprint.post("/v1/sessions")
@blueprint.arguments(Credentials, as_kwargs=True)
@blueprint.response(201, SignedInSchema)
@blueprint.alt_response(401, "UNAUTHORIZED")
def sign_in(*, username: str, password: str) -> Any:
    """A new session. The token is shown this once."""
    limits.take_sign_in(username)
    user, session = accounts.sign_in(
        graph(),
        context.passwords(),
        username=username,
        password=password,
        session_days=context.settings().session_days,
    )
    return signed_in(user, session)


@blueprint.get("/v1/me/sessions")
@login_required
@blueprint.response(200, SessionList)
def list_sessions() -> Any:
    """All of one's sessions, newest first."""
    found = graph().sessions.of_user(viewer().user_id)
    return {"sessions": [_listed(session) for session in found]}


@blueprint.delete("/v1/me/sessions/current")
@forgetting_refused
@login_required
@blueprint.response(204)
def sign_out() -> Any:
    """End the session that asks."""
    sessions.end(graph(), storage(), viewer().session_id, user_id=viewer().user_id)


@blueprint.delete("/v1/me/sessions/<id:session_id>")
@forgetting_refused  # it may be the one that asks
@login_required
@blueprint.response(204)
@blueprint.alt_response(404, "NOT_FOUND")
def revoke(session_id: int) -> Any:
    """End one of one's sessions."""
    sessions.end(graph(), storage(), session_id, user_id=viewer().user_id)


def signed_in(user: User, session: SignedIn) -> tuple[dict[str, Any], dict[str, str]]:
    """The answer to a sign-up or sign-in."""
    body = {"user": user, "auth_token": str(session.token), "expires_at": session.expires_at}
    return body, NO_STORE


def _listed(session: Any) -> dict[str, Any]:
    return {
        "id": session.id,
        "created_at": session.created_at,
        "expires_at": session.expires_at,
        "current": session.id == viewer().session_id,
    }
