"""`Authorization: Bearer pf_…`: who may call a route, and who calls."""

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import structlog
from flask import g, request
from werkzeug.exceptions import BadRequest

from api.http import context, limits
from api.http.handover import handover_of
from api.services import sessions
from api.services.errors import NotSignedInError

P = ParamSpec("P")
R = TypeVar("R")

SCHEME = "bearer"
"""The name of the security scheme in the API document."""

QUERY_NAMES = frozenset({"auth_token", "access_token", "token"})
"""A token in a URL ends up in logs, histories and Referer headers: it is refused there."""


class TokenInQueryError(BadRequest):
    """A token was sent in the URL, under one of `QUERY_NAMES`."""

    description = "A token belongs in the Authorization header, never in a URL."


def refuse_token_in_query() -> None:
    """Raises TokenInQueryError. Before every request, of known routes or not."""
    if QUERY_NAMES.intersection(request.args):
        raise TokenInQueryError


def login_required(view: Callable[P, R]) -> Callable[P, R]:
    """Decorates a view that only a signed-in user gets to; `viewer_id()` is theirs."""

    @functools.wraps(view)
    def authenticated(*args: P.args, **kwargs: P.kwargs) -> R:
        admitted = _admitted()
        g.viewer = admitted.viewer if admitted else _signed_in()
        structlog.contextvars.bind_contextvars(viewer_id=g.viewer.user_id)
        if admitted:
            limits.note(context.parts().admissions.policy, admitted.taken)
        else:
            limits.take(limits.GENERAL, str(g.viewer.user_id))
        return view(*args, **kwargs)

    authenticated.login_required = True  # type: ignore[attr-defined]
    return authenticated


def forgetting_refused(view: Callable[P, R]) -> Callable[P, R]:
    """Decorates signing out, around `login_required`: a refused token's copy goes before the 401.

    An earlier try may have ended the session and not have reached the cache: then other processes
    still accept it, and a 401 here would sound as if nobody did. Raises StorageUnavailableError.
    """

    @functools.wraps(view)
    def forgetting(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return view(*args, **kwargs)
        except NotSignedInError:
            sessions.forget_copy(context.storage(), _bearer_token())
            raise

    return forgetting


def _admitted() -> sessions.Admitted | None:
    handover = handover_of(request.environ)
    if handover:
        return handover.admitted
    return sessions.admitted(context.parts().admissions, _bearer_token())


def _signed_in() -> sessions.Viewer:
    return sessions.authenticate(context.graph(), context.storage(), _bearer_token())


def _bearer_token() -> str:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != SCHEME:
        raise NotSignedInError
    return token.strip()
