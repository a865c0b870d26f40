"""The security events of a request: with the account and the client's network."""

from api.http.limits import client_network
from observing import security_events


def record(event: str, user_id: int | None = None) -> None:
    """Log and count the event. The user's id is None if no account is concerned, or none exists."""
    security_events.record(event, account_id=user_id, network=client_network())
