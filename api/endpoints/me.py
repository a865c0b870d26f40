"""The user's own profile, password and account."""

from typing import Any

from api.endpoints.sessions import session_response
from api.http import context, limits
from api.http.auth import hide_on_refusal, login_required
from api.http.context import graph, storage, viewer, viewer_id
from api.http.limits import TooManyRequestsError
from api.http.openapi import raises
from api.http.parsing import Blueprint
from api.schemas.accounts import Confirmation, Credentials, LeavingSchema, NewSessionSchema
from api.schemas.users import ProfileChanges, ProfileSchema
from api.services import account_deletion, accounts, profiles
from api.services.errors import (
    TooBusyError,
    WrongCredentialsError,
    WrongOwnPasswordError,
    WrongPasswordError,
)

blueprint = Blueprint("me", __name__, description="Your own profile, password and account.")


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
@raises(WrongPasswordError, TooBusyError)
def update_own_profile(
    *, password: str | None = None, current_password: str | None = None, **changes: str | None
) -> Any:
    """Changes your profile or your password.

    Fields that are absent stay as they are; null clears `bio` and `location`. A new password ends
    all other sessions before the response is sent. Quota for new passwords: `password-changes`, for
    names: `name-changes`.

    **Retries**: can be repeated, with a new password too.
    """
    if password is not None and current_password is not None:
        limits.consume(limits.PASSWORD_CHANGES, viewer_id())
        accounts.change_password(
            graph(),
            storage(),
            context.passwords(),
            viewer=viewer(),
            current_password=current_password,
            password=password,
        )
    if "name" in changes:
        limits.consume(limits.NAME_CHANGES, viewer_id())
    return profiles.update(graph(), storage(), viewer_id(), changes=changes)


@blueprint.delete("/v1/me")
@hide_on_refusal
@login_required
@blueprint.arguments(Confirmation, as_kwargs=True)
@blueprint.response(202, LeavingSchema)
@raises(WrongOwnPasswordError, TooBusyError)
def delete_account(*, password: str) -> Any:
    """Deletes your account.

    Before the response your profile, posts and follows are hidden from everybody, and all your
    sessions end. `restoreAccount` undoes it until `undo_until`. Then everything is deleted: posts,
    photos with their files, follows, blocks, notifications, subscriptions. Nobody else gets the
    username for 30 days more. Quota: `password-changes`.

    **Retries**: after a 503, repeat it until it is 202, or 401 as your sessions have ended.
    """
    limits.consume(limits.PASSWORD_CHANGES, viewer_id())
    undo_until = account_deletion.leave(
        graph(), storage(), context.passwords(), user_id=viewer_id(), password=password
    )
    return {"undo_until": undo_until}


@blueprint.post("/v1/me/restore")
@blueprint.arguments(Credentials, as_kwargs=True)
@blueprint.response(200, NewSessionSchema)
@raises(WrongCredentialsError, TooManyRequestsError, TooBusyError)
def restore_account(*, username: str, password: str) -> Any:
    """Undoes the deletion of your account, and signs you in.

    Profile, posts and follows are as they were. Quotas: `sign-ins`, `sign-ins-of-account`,
    `sign-ins-of-address`.

    **Retries**: can be repeated; each request creates a session.
    """
    limits.consume_sign_in(username)
    user, session = account_deletion.restore(
        graph(),
        storage(),
        context.passwords(),
        username=username,
        password=password,
        session_days=context.settings().session_days,
    )
    return session_response(user, session)
