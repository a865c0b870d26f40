"""Sign-in, sign-out, and the user's sessions."""

from collections.abc import Callable
from typing import Any

from api.http import context, guesses, security_events
from api.http.auth import drop_copy_on_refusal, login_required
from api.http.clients import client, lifetime
from api.http.context import graph, storage, viewer
from api.http.limits import TooManyRequestsError
from api.http.openapi import raises
from api.http.parsing import Blueprint
from api.schemas.accounts import Credentials, NewSessionSchema, SessionList
from api.services import accounts, sessions
from api.services.errors import (
    AccountSuspendedError,
    TooBusyError,
    WrongCredentialsError,
)
from api.services.sessions import NewSession
from graph.errors import NotFoundError
from graph.sessions import Session
from graph.users import User

blueprint = Blueprint("sessions", __name__, description="Sign-in, sign-out, and your sessions.")

NO_STORE = {"Cache-Control": "no-store"}
"""For responses that contain a token."""


@blueprint.post("/v1/sessions")
@blueprint.arguments(Credentials, as_kwargs=True)
@blueprint.response(201, NewSessionSchema)
@raises(WrongCredentialsError, AccountSuspendedError, TooManyRequestsError, TooBusyError)
def create_session(*, username: str, password: str) -> Any:
    """Signs in: creates a session and returns its token.

    The response is the same for an unknown username and a wrong password. 403 for the right
    password of an account that operators have suspended. A user has at most 50 sessions: a further
    one ends the oldest. Quotas: `sign-ins`, `sign-ins-of-network`, `sign-ins-of-range`; for those
    that fail: `sign-in-failures`, `sign-in-failures-from-range`, `sign-in-failures-of-network`,
    `sign-in-failures-of-range`.

    **Retries**: if the response is lost, sign in again; each request creates a session.
    """
    return sign_in_by(accounts.sign_in, "signed-in", username=username, password=password)


@blueprint.get("/v1/me/sessions")
@login_required
@blueprint.response(200, SessionList)
def list_sessions() -> Any:
    """Lists all your sessions, newest first.

    Sessions that have ended or expired are not in the list. Network and user agent are those of the
    sign-in. The last use is written once an hour.
    """
    listed = graph().sessions.of_user(viewer().user_id)
    return {"sessions": [_session_fields(session) for session in listed]}


@blueprint.delete("/v1/me/sessions/current")
@drop_copy_on_refusal
@login_required
@blueprint.response(204)
def end_current_session() -> Any:
    """Signs out: ends the session of this request.

    After the response the token is refused.

    **Retries**: after a 503, repeat it: 204, or 401 if the session has ended.
    """
    sessions.end(graph(), storage(), viewer().session_id, user_id=viewer().user_id)
    security_events.record("signed-out", viewer().user_id)


@blueprint.delete("/v1/me/sessions/<id:session_id>")
@drop_copy_on_refusal  # it can be the session of this request
@login_required
@blueprint.response(204)
@raises(NotFoundError)
def end_session(session_id: int) -> Any:
    """Ends one of your sessions.

    After the response its token is refused.

    **Retries**: can be repeated; 204 again for 24 hours. After a 503, repeat it until it is 204.
    """
    sessions.end(graph(), storage(), session_id, user_id=viewer().user_id)
    security_events.record("session-revoked", viewer().user_id)


def sign_in_by(
    sign_in: Callable[..., tuple[User, NewSession]], event: str, *, username: str, password: str
) -> tuple[dict[str, Any], dict[str, str]]:
    """The response of a sign-in by this function of a service; records the security event.

    Failures are counted; the right password of a suspended account is none. Raises what the
    function raises, and TooManyRequestsError.
    """
    with guesses.counted_sign_in(username):
        user, session = sign_in(
            graph(),
            storage(),
            context.passwords(),
            username=username,
            password=password,
            lifetime=lifetime(),
            client=client(),
        )
    security_events.record(event, user.id)
    return session_response(user, session)


def session_response(user: User, session: NewSession) -> tuple[dict[str, Any], dict[str, str]]:
    """The body and headers after a sign-up or sign-in."""
    token = context.token_keys().sign(session.token)
    body = {"user": user, "auth_token": token, "expires_at": session.ends_at}
    return body, NO_STORE


def _session_fields(session: Session) -> dict[str, Any]:
    return {
        "id": session.id,
        "created_at": session.created_at,
        "expires_at": session.ends_at or session.expires_at,
        "last_used_at": session.last_used_at,
        "network": session.network,
        "user_agent": session.user_agent,
        "current": session.id == viewer().session_id,
    }
