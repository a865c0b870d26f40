"""Notifications: what others did that concerns the user."""

from typing import Any

from api.http import limits
from api.http.auth import login_required
from api.http.context import graph, graph_pages, viewer_id
from api.http.openapi import raises
from api.http.paging import LINK, PageQuery, page, upper_bound
from api.http.parsing import Blueprint
from api.schemas.notifications import (
    NewNotificationPosition,
    NotificationPage,
    UnreadNotificationsSchema,
)
from api.services import notifications
from feed.errors import FeedBusyError

blueprint = Blueprint(
    "notifications", __name__, description="Notifications: what others did that concerns you."
)


@blueprint.get("/v1/me/notifications")
@login_required
@limits.limit(limits.NOTIFICATIONS)
@blueprint.arguments(PageQuery, location="query", as_kwargs=True)
@blueprint.response(200, NotificationPage, headers=LINK)
@raises(FeedBusyError)
def list_notifications(*, cursor: str | None, limit: int) -> Any:
    """Lists your notifications, newest first.

    All of one day (UTC) and kind, and of one post if the kind has one, are one group, which counts
    each person once. A group moves to the top when somebody joins it. What has ended, such as a
    follow, and what is by users that you may not see, is left out. 1,000 notifications of
    the last 90 days are kept: what has ended is deleted first, then the oldest. Quota:
    `notifications`.
    """
    groups, next_id = notifications.groups(
        graph(), graph_pages(), viewer_id(), before=upper_bound(cursor), limit=limit
    )
    return page(next_id, limit, notifications=groups)


@blueprint.get("/v1/me/notifications/unread")
@login_required
@limits.limit(limits.NOTIFICATIONS)
@blueprint.response(200, UnreadNotificationsSchema)
@raises(FeedBusyError)
def count_unread_notifications() -> Any:
    """Counts the notifications that are newer than your position.

    Each person of a group counts. Without a position all notifications count. The count ends at
    100; `capped` is true if there are more. Quota: `notifications`.
    """
    return notifications.unread(graph(), graph_pages(), viewer_id())


@blueprint.put("/v1/me/notifications/position")
@login_required
@blueprint.arguments(NewNotificationPosition)
@blueprint.response(204)
def set_notification_position(body: dict[str, int]) -> Any:
    """Moves your position forward to a notification, on all of your devices.

    A position never moves back: 204 for an older notification, and nothing changes. The
    notification need not exist any more.

    **Retries**: can be repeated.
    """
    graph().notifications.move_position(viewer_id(), body["notification_id"])
