"""Sign-up."""

from typing import Any

from api.endpoints.sessions import session_response
from api.http import context, limits
from api.http.limits import TooManyRequestsError
from api.http.openapi import raises
from api.http.parsing import Blueprint
from api.schemas.accounts import NewAccount, NewSessionSchema
from api.services import accounts
from api.services.errors import TooBusyError
from graph.errors import UsernameTakenError

blueprint = Blueprint("accounts", __name__, description="Sign-up.")


@blueprint.post("/v1/accounts")
@blueprint.arguments(NewAccount, as_kwargs=True)
@blueprint.response(201, NewSessionSchema)
@raises(UsernameTakenError, TooManyRequestsError, TooBusyError)
def create_account(*, username: str, password: str, name: str | None = None) -> Any:
    """Creates an account and its first session.

    Usernames are unique without regard to upper and lower case. Quota: `sign-ups`.

    **Retries**: if the response is lost, the account may exist: sign in with `createSession`.
    """
    limits.consume(limits.SIGN_UPS, limits.client_network())
    user, session = accounts.sign_up(
        context.graph(),
        context.passwords(),
        username=username,
        password=password,
        name=name,
        session_days=context.settings().session_days,
    )
    return session_response(user, session)
