"""The Flask app: its context, hooks and routes."""

from http import HTTPStatus

from flask import Flask, Response, request
from werkzeug.middleware.proxy_fix import ProxyFix

from api.endpoints import (
    accounts,
    blocks,
    docs,
    exports,
    feed,
    follows,
    health,
    hello,
    live,
    me,
    notification_settings,
    notifications,
    photos,
    posts,
    push_subscriptions,
    read_position,
    reports,
    sessions,
    users,
)
from api.http import auth, context, errors, limits, observing, openapi, parsing
from api.http.cursors import Cursors
from api.http.failing_tokens import FailingTokens
from api.http.responses import NO_CACHE, NO_STORE, SAFE_HEADERS
from api.services.health import HealthChecks
from api.services.last_uses import LastUses
from api.services.passwords import Passwords
from api.services.photos import new_completions
from api.services.tokens import TokenKeys
from api.settings import ApiSettings
from feed.background import BackgroundRebuilder
from feed.graph_pages import GraphPages, graph_time
from graph import Graph
from storage import Storage

__all__ = ["ApiSettings", "create_app"]

BLUEPRINTS = (
    accounts,
    sessions,
    me,
    users,
    follows,
    blocks,
    photos,
    exports,
    feed,
    read_position,
    posts,
    notifications,
    notification_settings,
    push_subscriptions,
    reports,
    live,
    health,
)


def create_app(
    settings: ApiSettings, graph: Graph, storage: Storage, rebuilder: BackgroundRebuilder
) -> Flask:
    """The app on these stores. The caller opens and closes them."""
    app = Flask(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = parsing.MAX_BODY_BYTES + 1  # one more: it is too large
    app.json.ensure_ascii = False  # type: ignore[attr-defined]
    app.json.compact = True  # type: ignore[attr-defined]
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.url_map.merge_slashes = False  # a wrong path is 404, not redirected
    context.attach(
        app,
        context.Context(
            settings=settings,
            graph=graph,
            storage=storage,
            rebuilder=rebuilder,
            graph_pages=GraphPages(
                storage.limits,
                limits.scale(graph_time(settings.graph_seconds), settings.limits_scale),
            ),
            admissions=storage.admissions(limits.scale(limits.GENERAL, settings.limits_scale)),
            cursors=Cursors(settings.cursor_secret),
            token_keys=TokenKeys(settings.token_keys, old_until=settings.old_tokens_until),
            failing_tokens=FailingTokens(
                limits.scale(limits.FAILING_TOKENS, settings.limits_scale)
            ),
            passwords=Passwords(),
            last_uses=LastUses(graph, storage, idle_days=settings.session_idle_days),
            completions=new_completions(),
            health=HealthChecks(graph, storage),
        ),
    )
    _add_hooks(app)
    _add_routes(app)
    if settings.trusted_proxies:
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign]
            app.wsgi_app, x_for=settings.trusted_proxies, x_proto=settings.trusted_proxies
        )
    return app


def _add_hooks(app: Flask) -> None:
    observing.register(app)  # its after_request runs last and logs the final response
    app.before_request(auth.refuse_token_in_query)
    app.before_request(parsing.refuse_huge_headers)
    app.before_request(parsing.refuse_unfit_body)
    app.after_request(_add_safe_headers)
    app.after_request(limits.add_headers)


def _add_routes(app: Flask) -> None:
    api = openapi.add_to(app)
    errors.register(app)  # after flask-smorest's own handlers, which it replaces
    for module in BLUEPRINTS:
        api.register_blueprint(module.blueprint)
    app.register_blueprint(docs.blueprint)
    app.register_blueprint(hello.blueprint)


SECRET_PATHS = (
    *("/v1/accounts", "/v1/sessions", "/v1/me/sessions", "/v1/me/push-subscriptions"),
    "/v1/me/exports",
)
"""Their responses are in no cache, not even the client's."""


def _add_safe_headers(response: Response) -> Response:
    for name, value in SAFE_HEADERS.items():
        response.headers.setdefault(name, value)
    if request.path.startswith("/v1/"):
        is_secret = request.path.startswith(SECRET_PATHS)
        response.headers.setdefault("Cache-Control", NO_STORE if is_secret else NO_CACHE)
    if _is_empty(response):
        response.headers.pop("Content-Type", None)  # Flask sets one also without a body
    return response


def _is_empty(response: Response) -> bool:
    """Whether there is no body, of a 204, 202 or OPTIONS; a file that is sent is one."""
    return response.status_code == HTTPStatus.NO_CONTENT or (
        response.is_sequence and not any(response.response)
    )
