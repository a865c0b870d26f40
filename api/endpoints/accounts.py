"""Sign-up."""

from typing import Any

from api.endpoints.sessions import session_response
from api.http import context, guesses, security_events
from api.http.clients import client, lifetime
from api.http.limits import TooManyRequestsError
from api.http.openapi import raises
from api.http.parsing import Blueprint
from api.schemas.accounts import NewAccount, NewSessionSchema
from api.services import accounts
from api.services.errors import TooBusyError, WeakPasswordError
from graph.errors import UsernameTakenError

blueprint = Blueprint("accounts", __name__, description="Sign-up.")


@blueprint.post("/v1/accounts")
@blueprint.arguments(NewAccount, as_kwargs=True)
@blueprint.response(201, NewSessionSchema)
@raises(WeakPasswordError, UsernameTakenError, TooManyRequestsError, TooBusyError)
def create_account(*, username: str, password: str, name: str | None = None) -> Any:
    """Creates an account and its first session.

    Usernames are unique without regard to upper and lower case. A password that is common, made of
    the username or otherwise easily guessed is refused. Quotas: `sign-ups`, `sign-ups-of-range`.

    **Retries**: if the response is lost, the account may exist: sign in with `createSession`.
    """
    with guesses.counted_sign_up():
        user, session = accounts.sign_up(
            context.graph(),
            context.passwords(),
            username=username,
            password=password,
            name=name,
            lifetime=lifetime(),
            client=client(),
        )
    security_events.record("signed-up", user.id)
    return session_response(user, session)
