"""Who sends a request, as far as it is stored with a session and shown to its user."""

from flask import request

from api.http import context
from api.http.limits import client_network
from api.services.sessions import LONGEST_USER_AGENT, Client, Lifetime
from bounds.networks import UNKNOWN


def client() -> Client:
    """The client of the request: its network, and its User-Agent if it sends one."""
    network = client_network()
    user_agent = printable(request.headers.get("User-Agent", ""))
    return Client(None if network == UNKNOWN else network, user_agent or None)


def lifetime() -> Lifetime:
    """How long a session lasts that begins with this request."""
    settings = context.settings()
    return Lifetime(days=settings.session_days, idle_days=settings.session_idle_days)


def printable(text: str) -> str:
    """The beginning of the text, without control characters and what changes directions."""
    visible = "".join(c if c.isprintable() else " " for c in text[: 4 * LONGEST_USER_AGENT])
    return " ".join(visible.split())[:LONGEST_USER_AGENT].rstrip()
