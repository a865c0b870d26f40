"""What the request being served needs: the stores, the settings, and who asks."""

from dataclasses import dataclass

from flask import Flask, current_app, g

from api.http.cursors import Cursors
from api.services.health import HealthChecks
from api.services.passwords import Passwords
from api.services.sessions import Viewer
from api.settings import ApiSettings
from feed.background import BackgroundRebuilder
from graph import Graph
from storage import Storage
from storage.admissions import Admissions

_NAME = "photofeed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What one app is made of; built once and passed."""

    settings: ApiSettings
    graph: Graph
    storage: Storage
    rebuilder: BackgroundRebuilder
    admissions: Admissions
    """Under the general limit."""
    cursors: Cursors
    passwords: Passwords
    health: HealthChecks


def attach(extensions: dict[str, object], parts: Parts) -> None:
    """Make these the parts of the app with these extensions."""
    extensions[_NAME] = parts


def parts() -> Parts:
    """The parts of the app that serves this request."""
    return parts_of(current_app)


def parts_of(app: Flask) -> Parts:
    """The parts of an app."""
    found = app.extensions[_NAME]
    assert isinstance(found, Parts)  # noqa: S101 - says so to mypy
    return found


def graph() -> Graph:
    """The graph."""
    return parts().graph


def storage() -> Storage:
    """Redis and S3."""
    return parts().storage


def settings() -> ApiSettings:
    """The API's settings."""
    return parts().settings


def passwords() -> Passwords:
    """The bounded hasher."""
    return parts().passwords


def viewer() -> Viewer:
    """Who asks. Only behind `login_required`."""
    found = g.viewer
    assert isinstance(found, Viewer)  # noqa: S101 - says so to mypy
    return found


def viewer_id() -> int:
    """The id of who asks."""
    return viewer().user_id
