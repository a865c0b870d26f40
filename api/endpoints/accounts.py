"""Signing up."""

from typing import Any

from api.endpoints.sessions import signed_in
from api.http import context, limits
from api.http.parsing import Blueprint
from api.schemas.accounts import NewAccount, SignedInSchema
from api.services import accounts

blueprint = Blueprint("accounts", __name__, description="Signing up")


@blueprint.post("/v1/accounts")
@blueprint.arguments(NewAccount, as_kwargs=True)
@blueprint.response(201, SignedInSchema)
@blueprint.alt_response(409, "CONFLICT")
def sign_up(*, username: str, password: str, name: str | None = None) -> Any:
    """A new account and its first session.

    The username is free for good or 409 `username-taken`; letters' case makes no other name.
    """
    limits.take(limits.SIGN_UPS, limits.client_network())
    user, session = accounts.sign_up(
        context.graph(),
        context.passwords(),
        username=username,
        password=password,
        name=name,
        session_days=context.settings().session_days,
    )
    return signed_in(user, session)
