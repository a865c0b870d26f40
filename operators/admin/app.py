"""The admin app: rq-dashboard, metrics and events, on loopback and with a password."""

import hmac
import time
from dataclasses import dataclass, field
from http import HTTPStatus
from json import JSONDecodeError
from pathlib import Path

import structlog
from environs import Env, validate
from flask import Flask, Response, abort, render_template, request
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from rq.exceptions import NoSuchJobError
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as BaseResponse

from bounds.failures import Failures
from bounds.networks import network_of
from graph import Graph
from graph.errors import GraphError
from observing import security_events
from operators.admin.dashboard import add_dashboard
from operators.admin.event_pages import add_event_pages
from operators.admin.report_page import add_report_page
from operators.scrape import Scrape, registry
from storage import Storage
from storage.errors import StorageError

USER = "admin"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

MOST_FAILURES, FAILURE_SECONDS = 10, 60
"""Wrong passwords of one network, and the time after which they are forgotten."""

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; img-src 'self'; style-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
"""No page runs a script."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class AdminSettings:
    """The settings of the admin app."""

    port: int
    password: str = field(repr=False)
    metrics_dir: Path | None
    """The folder of the other processes' counters (PROMETHEUS_MULTIPROC_DIR)."""
    api_url: str
    """The API's address, for links."""
    browser_url: str
    """The address of Neo4j Browser, for a link; empty if there is none."""

    @classmethod
    def from_env(cls, env: Env) -> "AdminSettings":
        """The settings in the environment. `env.seal()` raises all errors together."""
        return cls(
            port=env.int("ADMIN_PORT", 8001),
            password=env.str("ADMIN_PASSWORD", validate=validate.Length(min=8)),
            metrics_dir=env.path("PROMETHEUS_MULTIPROC_DIR", None),
            api_url=env.str("API_URL", "http://127.0.0.1:8000"),
            browser_url=env.str("NEO4J_BROWSER_URL", ""),
        )


def create_admin_app(
    settings: AdminSettings, graph: Graph, storage: Storage, queue_url: str
) -> Flask:
    """The admin app on open stores."""
    app = Flask("operators.admin.app", root_path=str(Path(__file__).parent))
    failures = Failures(MOST_FAILURES, FAILURE_SECONDS)
    app.before_request(lambda: guard(settings.password, failures))
    app.after_request(add_security_headers)
    app.register_error_handler(Exception, error_response)
    add_dashboard(app, queue_url)
    add_pages(app, settings, graph, storage)
    return app


def guard(password: str, failures: Failures) -> BaseResponse | None:
    """Refuse requests without the password, and changes requested by a page of another site.

    After some wrong passwords of a network it is refused for a while, with the right one too:
    otherwise its guesses would go on.
    """
    login, network = request.authorization, network_of(request.remote_addr or "")
    if wait := failures.wait(network, time.monotonic()):
        return Response(
            "Too many wrong passwords from your network.\n",
            HTTPStatus.TOO_MANY_REQUESTS,
            {"Retry-After": str(wait)},
            mimetype="text/plain",
        )
    name, secret = (login.username or "", login.password or "") if login else ("", "")
    name_matches = hmac.compare_digest(name.encode(), USER.encode())
    if not (hmac.compare_digest(secret.encode(), password.encode()) and name_matches):
        if "Authorization" in request.headers:  # a browser asks without a password first
            failures.count(network, time.monotonic())
            security_events.record("admin-refused", client=request.remote_addr)
        return Response(
            f"Sign in as {USER} with ADMIN_PASSWORD.\n",
            HTTPStatus.UNAUTHORIZED,
            {"WWW-Authenticate": 'Basic realm="photofeed admin", charset="UTF-8"'},
            mimetype="text/plain",
        )
    if request.method not in SAFE_METHODS and not is_same_origin():
        abort(HTTPStatus.FORBIDDEN, "This request came from another site.")
    if request.endpoint == "rq_dashboard.requeue_all" and request.method in SAFE_METHODS:
        abort(HTTPStatus.METHOD_NOT_ALLOWED)  # rq-dashboard also requeues on GET
    return None


def is_same_origin() -> bool:
    """Whether the request is from a page of this app, or from no page (curl).

    Browsers send the password also with a form of another site, and rq-dashboard has no CSRF
    tokens.
    """
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site in {"same-origin", "none"}
    origin = request.headers.get("Origin")
    return origin is None or origin == request.host_url.rstrip("/")


def add_security_headers(response: Response) -> Response:
    """Forbid frames, caches, scripts, and content from other sites."""
    response.headers.setdefault("Cache-Control", "no-store")
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
    return response


def error_response(error: Exception) -> BaseResponse | HTTPException:
    """The response to an error: its type, never a stack trace."""
    if isinstance(error, HTTPException):
        return error
    if isinstance(error, NoSuchJobError):
        return Response(
            "There is no such job: it is done or deleted.\n",
            HTTPStatus.NOT_FOUND,
            mimetype="text/plain",
        )
    if isinstance(error, UnicodeDecodeError | JSONDecodeError):
        return Response(
            "The job is not one of ours: it is not JSON.\n",
            HTTPStatus.UNPROCESSABLE_ENTITY,
            mimetype="text/plain",
        )
    if not is_store_error(error):
        log.error("uncaught exception", exc_info=error, method=request.method, path=request.path)
        return Response(
            "Internal error. It is in the log of the admin app.\n",
            HTTPStatus.INTERNAL_SERVER_ERROR,
            mimetype="text/plain",
        )
    log.warning("admin page failed", path=request.path, exc_info=error)
    return Response(
        f"A store did not answer: {type(error).__name__}.\n",
        HTTPStatus.SERVICE_UNAVAILABLE,
        {"Retry-After": "5"},
        mimetype="text/plain",
    )


def is_store_error(error: Exception) -> bool:
    """Whether a store is down or refused. rq-dashboard raises the errors of redis-py itself."""
    if isinstance(error, GraphError | StorageError):
        return True
    return any(base.__module__ == "redis.exceptions" for base in type(error).__mro__)


def add_pages(app: Flask, settings: AdminSettings, graph: Graph, storage: Storage) -> None:
    """Add the overview, the metrics, and the pages of events and reports."""
    scrape = Scrape(graph, storage)
    metrics = registry(scrape, settings.metrics_dir)

    @app.get("/")
    def index() -> str:
        return render_template("admin/index.html", settings=settings, snapshot=scrape.snapshot())

    @app.get("/metrics")
    def show_metrics() -> Response:
        return Response(generate_latest(metrics), content_type=CONTENT_TYPE_LATEST)

    add_event_pages(app, graph, storage)
    add_report_page(app, graph)
