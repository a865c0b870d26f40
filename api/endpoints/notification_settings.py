"""Notification settings."""

from typing import Any

from api.http.auth import login_required
from api.http.context import graph, viewer_id
from api.http.openapi import raises
from api.http.parsing import Blueprint
from api.schemas.notification_settings import (
    NotificationSettingsChanges,
    NotificationSettingsSchema,
)
from graph.errors import QuietHoursIncompleteError
from graph.notification_settings import SettingsChanges

blueprint = Blueprint(
    "notification-settings",
    __name__,
    description="Which pushes you get, and the hours in which you get none.",
)


@blueprint.get("/v1/me/notification-settings")
@login_required
@blueprint.response(200, NotificationSettingsSchema)
def get_notification_settings() -> Any:
    """Returns your notification settings.

    At first all pushes are on, and there are no quiet hours.
    """
    return graph().notification_settings.read(viewer_id())


@blueprint.patch("/v1/me/notification-settings")
@login_required
@blueprint.arguments(NotificationSettingsChanges)
@blueprint.response(200, NotificationSettingsSchema)
@raises(QuietHoursIncompleteError)
def update_notification_settings(body: SettingsChanges) -> Any:
    """Changes your notification settings, on all of your devices.

    Fields that are absent stay as they are, also those in `push` and in `quiet_hours`. Null ends
    the quiet hours.

    **Retries**: can be repeated.
    """
    return graph().notification_settings.update(viewer_id(), body)
