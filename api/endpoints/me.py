"""The user's own profile, password and account."""

from typing import Any

from api.endpoints.sessions import sign_in_by
from api.http import context, guesses, limits, security_events
from api.http.auth import hide_on_refusal, login_required
from api.http.context import graph, storage, viewer, viewer_id
from api.http.limits import TooManyRequestsError
from api.http.openapi import raises
from api.http.parsing import Blueprint
from api.schemas.accounts import Confirmation, Credentials, LeavingSchema, NewSessionSchema
from api.schemas.users import ProfileChanges, ProfileSchema
from api.services import account_deletion, accounts, profiles
from api.services.errors import (
    AccountSuspendedError,
    TooBusyError,
    WeakPasswordError,
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
    photos with their files, exports, follows, blocks, notifications, subscriptions. Nobody else
    gets the username for 30 days more. Quotas: `password-changes`, `password-guesses`,
    `password-guesses-a-day`, for the right password: `deletions`.

    **Retries**: after a 503, repeat it until it is 202, or 401 as your sessions have ended.
    """
    with guesses.counted_password_change():
        undo_until = account_deletion.leave(
            graph(),
            storage(),
            context.passwords(),
            user_id=viewer_id(),
            password=password,
            count=lambda: limits.consume(limits.DELETIONS, viewer_id()),
        )
    security_events.record("account-left", viewer_id())
    return {"undo_until": undo_until}


@blueprint.post("/v1/me/restore")
@blueprint.arguments(Credentials, as_kwargs=True)
@blueprint.response(200, NewSessionSchema)
@raises(WrongCredentialsError, AccountSuspendedError, TooManyRequestsError, TooBusyError)
def restore_account(*, username: str, password: str) -> Any:
    """Undoes the deletion of your account, and signs you in.

    Profile, posts and follows are as they were. 403 while operators have suspended the account:
    its deletion goes on. Quotas: those of `createSession`.

    **Retries**: can be repeated; each request creates a session.
    """
    return sign_in_by(
        account_deletion.restore, "account-restored", username=username, password=password
    )
