"""The handover from the front to the view: what the front has read, so that it is read once.

It is in the WSGI environ of the request. Clients cannot set this key: headers begin with `HTTP_`.
"""

from typing import Any, NamedTuple

from api.services.sessions import AdmittedViewer
from storage.windows import Window

_NAME = "photofeed.handover"


class Handover(NamedTuple):
    """What the cache returned for a request with a valid token."""

    admitted: AdmittedViewer
    window: Window | None
    """The window for the cursor and limit of the request; None if the view must read it."""


def hand_over(environ: dict[str, Any], handover: Handover) -> None:
    """Store it for the view."""
    environ[_NAME] = handover


def handover_of(environ: dict[str, Any]) -> Handover | None:
    """The front's handover; None if the front did not read the cache for this request."""
    handover = environ.get(_NAME)
    return handover if isinstance(handover, Handover) else None
