"""A page to see the service: signs in, shows the feed and what is new, and asks for notices.

It is small and has no build. The web client proper is another program.
"""

from pathlib import Path
from urllib.parse import urlsplit

from flask import Blueprint, Response, send_from_directory

from api.http.context import storage

blueprint = Blueprint("hello", __name__)

_FOLDER = Path(__file__).parents[1] / "pages" / "hello"


@blueprint.get("/hello")
def page() -> Response:
    """The page. Its policy allows no inline script, and pictures of the media server alone."""
    response = send_from_directory(_FOLDER, "index.html", max_age=0)
    media = urlsplit(storage().photos.media_url)
    response.headers["Content-Security-Policy"] = (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        f"worker-src 'self'; img-src 'self' data: {media.scheme}://{media.netloc}; "
        "form-action 'none'; frame-ancestors 'none'; base-uri 'none'"
    )
    return response


@blueprint.get("/hello/<any('page.js', 'page.css', 'worker.js'):name>")
def file(name: str) -> Response:
    """A file of the page."""
    return send_from_directory(_FOLDER, name, max_age=0)
