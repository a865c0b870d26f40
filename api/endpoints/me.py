"""The user's own profile and password."""

from typing import Any

from api.http import context, guesses, limits, security_events
from api.http.auth import login_required
from api.http.context import graph, storage, viewer, viewer_id
from api.http.openapi import raises
from api.http.parsing import Blueprint
from api.schemas.users import ProfileChanges, ProfileSchema
from api.services import accounts, profiles
from api.services.errors import TooBusyError, WeakPasswordError, WrongPasswordError

blueprint = Blueprint("me", __name__, description="Your own profile and password.")


@blueprint.get("/v1/me")
@login_required
@blueprint.response(200, ProfileSchema)
def get_own_profile() -> Any:
    """Returns your own profile.

    The three flags of `viewer` are false.
    """
    return graph().users.profile(viewer_id(), viewer_id=viewer_id())


@blueprint.patch("/v1/me")
@login_required
@blueprint.arguments(ProfileChanges, as_kwargs=True)
@blueprint.response(200, ProfileSchema)
@raises(WeakPasswordError, WrongPasswordError, TooBusyError)
def update_own_profile(
    *, password: str | None = None, current_password: str | None = None, **changes: str | None
) -> Any:
    """Changes your profile or your password.

    Fields that are absent stay as they are; null clears `bio` and `location`. A new password ends
    all other sessions before the response is sent; one that is common, made of the username or
    otherwise easily guessed is refused. Quotas for new passwords: `password-changes`,
    `password-guesses`, `password-guesses-a-day`, for names: `name-changes`.

    **Retries**: can be repeated, with a new password too.
    """
    if password is not None and current_password is not None:
        with guesses.counted_password_change():
            accounts.change_password(
                graph(),
                storage(),
                context.passwords(),
                viewer=viewer(),
                current_password=current_password,
                password=password,
            )
        security_events.record("password-changed", viewer_id())
    if "name" in changes:
        limits.consume(limits.NAME_CHANGES, viewer_id())
    return profiles.update(graph(), storage(), viewer_id(), changes=changes)
