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
from storage.limits import LimitUse

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
        admitted = _admit_or_authenticate()
        if isinstance(admitted, sessions.Viewer):
            _begin(admitted)
            limits.consume(limits.GENERAL, g.viewer.user_id)
        else:
            _begin(admitted.viewer)
            limits.record(context.admissions().policy, admitted.limit_use)
        return view(*args, **kwargs)

    authenticated_view.login_required = True  # type: ignore[attr-defined]
    return authenticated_view


def _begin(viewer: sessions.Viewer) -> None:
    """Begin the request of an authenticated viewer."""
    g.viewer = viewer
    structlog.contextvars.bind_contextvars(viewer_id=viewer.user_id)
    context.last_uses().note(viewer.user_id, viewer.session_id)


def drop_copy_on_refusal(view: Callable[P, R]) -> Callable[P, R]:
    """Decorates a sign-out, around `login_required`: drops the session's copies before a refusal.

    An earlier try may have ended the session in the graph and failed at the cache. Other processes
    then still accept a copy, so a 401 or a 429 alone would be wrong. Raises
    StorageUnavailableError if the copies cannot be dropped.
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
        except (NotSignedInError, limits.TooManyRequestsError):
            token = _token_without_viewer()
            if token and sessions.proves_session(context.graph(), token):
                limits.consume(limits.ENDED_SIGN_OUTS, f"session {token.session_id}")
                repeat(token)
            raise

    return repeating_view


def _drop_copies(token: Token) -> None:
    sessions.drop_copies(context.storage(), token.user_id, token.session_id)


def _hide(token: Token) -> None:
    account_deletion.hide_again(context.graph(), context.storage(), token.user_id)


def _token_without_viewer() -> Token | None:
    """The signed token of the request if it was refused; None for one that proves nothing."""
    token: Token | None = g.get("token")
    return token if token and "viewer" not in g else None


def _admit_or_authenticate() -> sessions.AdmittedViewer | sessions.Viewer:
    """The viewer by the front's handover or the cache, else by the graph, then not counted yet.

    Raises NotSignedInError, TooManyRequestsError.
    """
    handover = handover_of(request.environ)
    if handover:
        return handover.admitted
    token, failing = _bearer_token(), context.failing_tokens()
    if failing.is_doubtful(token):
        _refuse(failing.excess_before_stores(token, _client()))
    g.token = token
    admitted = sessions.admit(context.admissions(), token)
    if admitted:
        return admitted
    try:
        return sessions.authenticate(context.graph(), context.storage(), token)
    except NotSignedInError:
        _refuse(failing.excess_without_session(token, _client()))
        raise


def _bearer_token() -> Token:
    """The token of the request. Raises NotSignedInError; TooManyRequestsError for forged ones."""
    scheme, _, text = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != SCHEME:
        raise NotSignedInError
    token = context.token_keys().read(text.strip())
    if token is None:
        _refuse(context.failing_tokens().excess_of_forged(_client()))
        raise NotSignedInError
    return token


def _refuse(excess: LimitUse | None) -> None:
    """Raise TooManyRequestsError if there are too many failing tokens of the client's network."""
    context.failing_tokens().report()
    if excess:
        raise limits.TooManyRequestsError(context.failing_tokens().policy, excess)


def _client() -> str:
    return request.remote_addr or ""
