"""The operators' app, on loopback and behind a password: rq-dashboard, metrics, events."""

import hmac
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any

import rq_dashboard
import structlog
from environs import Env, validate
from flask import Flask, Response, abort, render_template, request
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from rq.exceptions import NoSuchJobError
from rq.serializers import JSONSerializer
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as BaseResponse

from graph import Graph
from graph.errors import GraphError
from operators.admin.event_pages import add_event_pages
from operators.scrape import Scrape, registry
from storage import Storage
from storage.errors import StorageError
from storage.redis.server import Server

USER = "admin"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class AdminSettings:
    """Where the operators' pages are served and what opens them."""

    port: int
    password: str = field(repr=False)
    metrics_dir: Path | None
    """Where the other processes leave their counters (PROMETHEUS_MULTIPROC_DIR)."""
    api_url: str
    browser_url: str

    @classmethod
    def from_env(cls, env: Env) -> "AdminSettings":
        """The settings that the environment gives."""
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
    """The operators' app over open stores."""
    static = Path(rq_dashboard.__file__).parent / "static"  # its pages ask the app for a favicon
    app = Flask(
        "operators.admin.app", root_path=str(Path(__file__).parent), static_folder=str(static)
    )
    app.before_request(lambda: guard(settings.password))
    app.after_request(harden)
    app.register_error_handler(Exception, explain)
    add_dashboard(app, queue_url)
    add_pages(app, settings, graph, storage)
    return app


def guard(password: str) -> BaseResponse | None:
    """Nothing without the password, and no change that another site's page asked for."""
    given = request.authorization
    name, secret = (given.username or "", given.password or "") if given else ("", "")
    known = hmac.compare_digest(name.encode(), USER.encode())
    if not (hmac.compare_digest(secret.encode(), password.encode()) and known):
        return Response(
            f"Sign in as {USER} with ADMIN_PASSWORD.\n",
            HTTPStatus.UNAUTHORIZED,
            {"WWW-Authenticate": 'Basic realm="photofeed admin", charset="UTF-8"'},
            mimetype="text/plain",
        )
    if request.method not in SAFE_METHODS and not same_origin():
        abort(HTTPStatus.FORBIDDEN, "This request came from another site.")
    if request.endpoint == "rq_dashboard.requeue_all" and request.method in SAFE_METHODS:
        abort(HTTPStatus.METHOD_NOT_ALLOWED)  # rq-dashboard would requeue by a mere link
    return None


def same_origin() -> bool:
    """Whether a page of ours, or no page at all (curl), sent this request.

    A browser sends the password along from any site's form: rq-dashboard has no tokens.
    """
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site in {"same-origin", "none"}
    origin = request.headers.get("Origin")
    return origin is None or origin == request.host_url.rstrip("/")


def harden(response: Response) -> Response:
    """The answer with headers that keep it out of frames and caches."""
    response.headers.setdefault("Cache-Control", "no-store")
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["Content-Security-Policy"] = (
        "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; "
        "script-src 'self' 'unsafe-inline' 'unsafe-eval'; "  # rq-dashboard compiles its templates
        "frame-ancestors 'none'; form-action 'self'"
    )
    return response


def explain(error: Exception) -> BaseResponse | HTTPException:
    """What an operator sees of an error: its kind, never a stack."""
    if isinstance(error, HTTPException):
        return error
    if isinstance(error, NoSuchJobError):
        return Response("This job is done or gone.\n", HTTPStatus.NOT_FOUND, mimetype="text/plain")
    if not of_a_store(error):
        log.error("uncaught exception", exc_info=error, method=request.method, path=request.path)
        return Response(
            "We made a mistake. It has been written down.\n",
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


def of_a_store(error: Exception) -> bool:
    """Whether a store refused or is away. rq-dashboard lets the errors of redis itself through."""
    if isinstance(error, GraphError | StorageError):
        return True
    return any(kind.__module__ == "redis.exceptions" for kind in type(error).__mro__)


class JSONWorker(rq_dashboard.web.Worker):
    """A worker whose current job is read as JSON: rq-dashboard reads it as a pickle."""

    @classmethod
    def all(cls, *args: Any, **kwargs: Any) -> list[Any]:
        """Every worker known to Redis."""
        return list(super().all(*args, **{"serializer": JSONSerializer, **kwargs}))


def add_dashboard(app: Flask, queue_url: str) -> None:
    """rq-dashboard at /rq, reading our JSON jobs, with bounded waits."""
    app.config["RQ_DASHBOARD_REDIS_URL"] = (queue_url,)  # shown without its password
    app.redis_conn = Server("queue", queue_url).client  # type: ignore[attr-defined]
    rq_dashboard.web.config.serializer = JSONSerializer
    rq_dashboard.web.Worker = JSONWorker
    app.register_blueprint(rq_dashboard.blueprint, url_prefix="/rq")


def add_pages(app: Flask, settings: AdminSettings, graph: Graph, storage: Storage) -> None:
    """The index, the metrics and the events."""
    scrape = Scrape(graph, storage)
    metrics = registry(scrape, settings.metrics_dir)

    @app.get("/")
    def index() -> str:
        return render_template("admin/index.html", settings=settings, seen=scrape.look())

    @app.get("/metrics")
    def show_metrics() -> Response:
        return Response(generate_latest(metrics), content_type=CONTENT_TYPE_LATEST)

    add_event_pages(app, graph, storage)
