"""Authentication of requests by `Authorization: Bearer pf_…`."""

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import structlog
from flask import g, request
from werkzeug.exceptions import BadRequest

from api.http import context, limits
from api.http.handover import handover_of
from api.services import account_deletion, sessions
from api.services.errors import NotSignedInError
from api.services.tokens import Token

P = ParamSpec("P")
R = TypeVar("R")

SCHEME = "bearer"
"""The name of the security scheme in the API document."""

QUERY_NAMES = frozenset({"auth_token", "access_token", "token"})
"""Query parameters that are refused: URLs appear in logs, histories and Referer headers."""


class TokenInQueryError(BadRequest):
    """The URL has one of `QUERY_NAMES`."""

    description = "Send the token in the Authorization header, never in the URL."


def refuse_token_in_query() -> None:
    """Raises TokenInQueryError. Called before every request, also of unknown paths."""
    if QUERY_NAMES.intersection(request.args):
        raise TokenInQueryError


def login_required(view: Callable[P, R]) -> Callable[P, R]:
    """Decorates a view: it needs a valid token, and counts under the general limit.

    The view can call `viewer()` and `viewer_id()`. Raises NotSignedInError, TooManyRequestsError.
    """

    @functools.wraps(view)
    def authenticated_view(*args: P.args, **kwargs: P.kwargs) -> R:
        admitted = _admit()
        g.viewer = admitted.viewer if admitted else _authenticate()
        structlog.contextvars.bind_contextvars(viewer_id=g.viewer.user_id)
        if admitted:
            limits.record(context.admissions().policy, admitted.limit_use)
        else:
            limits.consume(limits.GENERAL, g.viewer.user_id)
        return view(*args, **kwargs)

    authenticated_view.login_required = True  # type: ignore[attr-defined]
    return authenticated_view


def drop_copy_on_refusal(view: Callable[P, R]) -> Callable[P, R]:
    """Decorates a sign-out, around `login_required`: drops the session's copies before a 401.

    An earlier try may have ended the session in the graph and failed at the cache. Other processes
    then still accept a copy, so a 401 would be wrong. Raises StorageUnavailableError if the copies
    cannot be dropped.
    """
    return _repeat_on_refusal(view, _drop_copies)


def hide_on_refusal(view: Callable[P, R]) -> Callable[P, R]:
    """Decorates the deletion of an account, around `login_required`: hides it before a 401.

    An earlier try may have hidden it in the graph, and failed at the cache. Raises
    StorageUnavailableError if its copies cannot be dropped.
    """
    return _repeat_on_refusal(view, _hide)


def _repeat_on_refusal(view: Callable[P, R], repeat: Callable[[Token], None]) -> Callable[P, R]:
    """The view that repeats its work on the cache if the token's session has ended."""

    @functools.wraps(view)
    def repeating_view(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return view(*args, **kwargs)
        except NotSignedInError:
            token = sessions.proven_token(context.graph(), _bearer_token())
            if token:
                limits.consume(limits.ENDED_SIGN_OUTS, f"session {token.session_id}")
                repeat(token)
            raise

    return repeating_view


def _drop_copies(token: Token) -> None:
    sessions.drop_copies(context.storage(), token.user_id, token.session_id)


def _hide(token: Token) -> None:
    account_deletion.hide_again(context.graph(), context.storage(), token.user_id)


def _admit() -> sessions.AdmittedViewer | None:
    """The viewer by the cache alone, from the handover if the front has read it already."""
    handover = handover_of(request.environ)
    if handover:
        return handover.admitted
    return sessions.admit(context.admissions(), _bearer_token())


def _authenticate() -> sessions.Viewer:
    return sessions.authenticate(context.graph(), context.storage(), _bearer_token())


def _bearer_token() -> str:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != SCHEME:
        raise NotSignedInError
    return token.strip()
