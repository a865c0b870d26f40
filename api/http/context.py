"""The context of a request: the app's settings, stores and helpers, and the viewer."""

from dataclasses import dataclass

from flask import Flask, current_app, g

from api.http.cursors import Cursors
from api.http.failing_tokens import FailingTokens
from api.services.health import HealthChecks
from api.services.last_uses import LastUses
from api.services.passwords import Passwords
from api.services.sessions import Viewer
from api.services.tokens import TokenKeys
from api.settings import ApiSettings
from bounds.one_each import OneEach
from feed.background import BackgroundRebuilder
from feed.graph_pages import GraphPages
from graph import Graph
from storage import Storage
from storage.admissions import Admissions

_NAME = "photofeed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What the views of one app share. Built once, in `create_app`."""

    settings: ApiSettings
    graph: Graph
    storage: Storage
    rebuilder: BackgroundRebuilder
    graph_pages: GraphPages
    admissions: Admissions
    """They count requests under the general limit."""
    cursors: Cursors
    token_keys: TokenKeys
    failing_tokens: FailingTokens
    passwords: Passwords
    last_uses: LastUses
    completions: OneEach
    """Completions of photos, one a user at a time."""
    health: HealthChecks


def attach(app: Flask, context: Context) -> None:
    """Make this the context of the app."""
    app.extensions[_NAME] = context


def context_of(app: Flask) -> Context:
    """The context of the app."""
    context = app.extensions[_NAME]
    assert isinstance(context, Context)  # noqa: S101 - narrows the type for mypy
    return context


def settings() -> ApiSettings:
    """The settings of the API."""
    return context_of(current_app).settings


def graph() -> Graph:
    """The graph."""
    return context_of(current_app).graph


def storage() -> Storage:
    """Redis and S3."""
    return context_of(current_app).storage


def rebuilder() -> BackgroundRebuilder:
    """The rebuilder of timelines."""
    return context_of(current_app).rebuilder


def graph_pages() -> GraphPages:
    """The turns for pages that are read from the graph."""
    return context_of(current_app).graph_pages


def admissions() -> Admissions:
    """The admissions under the general limit."""
    return context_of(current_app).admissions


def cursors() -> Cursors:
    """The signer of cursors."""
    return context_of(current_app).cursors


def token_keys() -> TokenKeys:
    """The keys of tokens."""
    return context_of(current_app).token_keys


def failing_tokens() -> FailingTokens:
    """The counts of tokens that fail."""
    return context_of(current_app).failing_tokens


def passwords() -> Passwords:
    """The password hasher."""
    return context_of(current_app).passwords


def last_uses() -> LastUses:
    """The last uses of sessions."""
    return context_of(current_app).last_uses


def completions() -> OneEach:
    """The turns for completions of photos, by owner."""
    return context_of(current_app).completions


def health() -> HealthChecks:
    """The health checks."""
    return context_of(current_app).health


def viewer() -> Viewer:
    """The viewer. Only in views with `login_required`."""
    viewer = g.viewer
    assert isinstance(viewer, Viewer)  # noqa: S101 - narrows the type for mypy
    return viewer


def viewer_id() -> int:
    """The viewer's user id."""
    return viewer().user_id
