"""Web Push: the key, and the browsers that are subscribed."""

from http import HTTPStatus
from typing import Any

from api.http import limits
from api.http.auth import login_required
from api.http.context import graph, settings, viewer, viewer_id
from api.http.openapi import raises
from api.http.parsing import Blueprint
from api.schemas.push_subscriptions import (
    NewPushSubscriptionSchema,
    PushKeySchema,
    PushSubscriptionList,
    PushSubscriptionSchema,
)
from api.services import push_subscriptions
from api.services.errors import PushNotConfiguredError, PushServiceNotAllowedError
from graph.errors import NotFoundError, PushSubscriptionTakenError
from graph.push_subscriptions import PushSubscription
from web_push.endpoints import origin_of

blueprint = Blueprint(
    "push", __name__, description="Web Push: notices to your browsers, also while no page is open."
)


@blueprint.get("/v1/push/key")
@login_required
@blueprint.response(200, PushKeySchema)
@raises(PushNotConfiguredError)
def get_push_key() -> Any:
    """Returns the key that a browser subscribes with.

    It is the `applicationServerKey` of `pushManager.subscribe`.
    """
    return {"key": push_subscriptions.public_key(settings().web_push)}


@blueprint.post("/v1/me/push-subscriptions")
@login_required
@limits.limit(limits.PUSH_SUBSCRIPTIONS)
@blueprint.arguments(NewPushSubscriptionSchema)
@blueprint.response(201, PushSubscriptionSchema)
@blueprint.alt_response(200, schema=PushSubscriptionSchema)
@raises(PushNotConfiguredError, PushServiceNotAllowedError, PushSubscriptionTakenError)
def create_push_subscription(body: dict[str, Any]) -> Any:
    """Subscribes a browser to your notices.

    The body is the browser's `PushSubscription`, as `JSON.stringify` writes it. The subscription
    belongs to the session of this request and ends with it. A known endpoint is answered with 200:
    with the same keys it moves to this session, also from another user of the same browser; with
    other keys it is replaced if it is yours. You can have 20; a further one replaces the oldest.
    Quota: `push-subscriptions`.

    **Retries**: can be repeated; 200 if it is known.
    """
    stored, is_new = push_subscriptions.subscribe(
        graph(), settings().web_push, viewer(), **_arguments_of(body)
    )
    return _fields(stored), HTTPStatus.CREATED if is_new else HTTPStatus.OK


@blueprint.get("/v1/me/push-subscriptions")
@login_required
@blueprint.response(200, PushSubscriptionList)
def list_push_subscriptions() -> Any:
    """Lists your browsers that get notices, newest first.

    An endpoint is a secret: the list has only its origin.
    """
    listed = graph().push_subscriptions.of_user(viewer_id())
    return {"push_subscriptions": [_fields(subscription) for subscription in listed]}


@blueprint.delete("/v1/me/push-subscriptions/<id:subscription_id>")
@login_required
@blueprint.response(204)
@raises(NotFoundError)
def delete_push_subscription(subscription_id: int) -> Any:
    """Ends a subscription.

    A notice that is on its way may still arrive.

    **Retries**: can be repeated; 204 again for 24 hours.
    """
    push_subscriptions.unsubscribe(graph(), subscription_id, user_id=viewer_id())


def _arguments_of(body: dict[str, Any]) -> dict[str, Any]:
    return {
        "endpoint": body["endpoint"],
        "expires_at": body["expiration_time"],
        **body["keys"],
    }


def _fields(subscription: PushSubscription) -> dict[str, Any]:
    return {
        "id": subscription.id,
        "origin": origin_of(subscription.endpoint),
        "created_at": subscription.created_at,
        "current": subscription.session_id == viewer().session_id,
    }
