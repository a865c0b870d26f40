"""Push subscriptions: which browsers of a user get notices."""

from datetime import datetime

from api.services.errors import (
    NotSignedInError,
    PushNotConfiguredError,
    PushServiceNotAllowedError,
)
from api.services.sessions import Viewer
from graph import Graph
from graph.errors import NotFoundError
from graph.push_subscriptions import NewPushSubscription, PushSubscription
from web_push.endpoints import EndpointNotAllowedError, digest_of, read_endpoint
from web_push.settings import WebPushSettings


def public_key(settings: WebPushSettings) -> str:
    """The key that browsers subscribe with. Raises PushNotConfiguredError."""
    if not settings.public_key:
        raise PushNotConfiguredError
    return settings.public_key


def subscribe(
    graph: Graph,
    settings: WebPushSettings,
    viewer: Viewer,
    *,
    endpoint: str,
    p256dh: str,
    auth: str,
    expires_at: datetime | None,
) -> tuple[PushSubscription, bool]:
    """The subscription, now of the viewer's session, and whether it is new for the viewer.

    Repeating it is safe. Raises PushNotConfiguredError, PushServiceNotAllowedError,
    PushSubscriptionTakenError, NotSignedInError, GraphUnavailableError.
    """
    public_key(settings)
    try:
        read_endpoint(endpoint, settings.origins)
    except EndpointNotAllowedError:
        raise PushServiceNotAllowedError from None
    new = NewPushSubscription(
        endpoint=endpoint,
        endpoint_sha256=digest_of(endpoint),
        p256dh=p256dh,
        auth=auth,
        expires_at=expires_at,
    )
    try:
        return graph.push_subscriptions.create(
            new, user_id=viewer.user_id, session_id=viewer.session_id
        )
    except NotFoundError:  # the session has ended since the request was authenticated
        raise NotSignedInError from None


def unsubscribe(graph: Graph, subscription_id: int, *, user_id: int) -> None:
    """End a subscription of the user. Repeating it is safe. Raises NotFoundError."""
    if not graph.push_subscriptions.end(subscription_id, user_id=user_id):
        raise NotFoundError
