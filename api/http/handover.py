"""What the front has read for a request that it then passes on: the view does not ask again.

In the request's WSGI environ, where no client can put anything under this name.
"""

from typing import Any, NamedTuple

from api.services.sessions import Admitted
from storage.windows import Window

_NAME = "photofeed.handover"


class Handover(NamedTuple):
    """What the cache said of one request, whose token its session's copy has proved."""

    admitted: Admitted
    window: Window
    """Of the page that is asked for."""


def hand_over(environ: dict[str, Any], handover: Handover) -> None:
    """Leave it for the view."""
    environ[_NAME] = handover


def handover_of(environ: dict[str, Any]) -> Handover | None:
    """What the front has left, if it had a look at this request."""
    handover = environ.get(_NAME)
    return handover if isinstance(handover, Handover) else None
