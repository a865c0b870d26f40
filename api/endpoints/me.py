"""One's own profile."""

from typing import Any

from api.http import context, limits
from api.http.auth import login_required
from api.http.context import graph, storage, viewer, viewer_id
from api.http.parsing import Blueprint
from api.schemas.users import ProfileChanges, ProfileSchema
from api.services import accounts, profiles

blueprint = Blueprint("me", __name__, description="One's own profile")


@blueprint.get("/v1/me")
@login_required
@blueprint.response(200, ProfileSchema)
def me() -> Any:
    """Who one is."""
    return graph().users.profile(viewer_id(), viewer_id=viewer_id())


@blueprint.patch("/v1/me")
@login_required
@blueprint.arguments(ProfileChanges, as_kwargs=True)
@blueprint.response(200, ProfileSchema)
@blueprint.alt_response(403, "FORBIDDEN")
def change_me(
    *, password: str | None = None, current_password: str | None = None, **changes: str | None
) -> Any:
    """Change one's profile or password. A new password ends all other sessions."""
    if password is not None and current_password is not None:
        limits.take(limits.PASSWORD_CHANGES, str(viewer_id()))
        accounts.change_password(
            graph(),
            storage(),
            context.passwords(),
            viewer=viewer(),
            current_password=current_password,
            password=password,
        )
    return profiles.update(graph(), storage(), viewer_id(), changes=changes)
