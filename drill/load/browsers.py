"""Browsers of the users: they subscribe to Web Push, and record each message that they get."""

from drill.history import History
from drill.http_status import is_success
from drill.load.connection import ApiConnection, Response
from drill.load.shared_state import DrillUser, SharedState
from drill.support.push_service import Behaviour, PushService, Received

SESSION = "push"
"""The session of the messages in the history."""


def subscribe(
    state: SharedState, connection: ApiConnection, user: DrillUser, *, token: str, session: str
) -> Response:
    """Let a new browser subscribe. The subscription ends with the session."""
    browser = state.push.browser()
    number = state.history.invoke(
        session,
        "subscribe",
        viewer=user.id,
        token=session,
        label=user.label,
        browser=browser.path,
    )
    response = connection.request(
        "POST", "/v1/me/push-subscriptions", token=token, body=browser.json
    )
    state.history.end(number, response.phase, **response.facts)
    return response


def record_messages(history: History, push: PushService) -> None:
    """Record each message to a browser from now on, and the answer of the push service.

    `answer` is a status, or how the service misbehaved.
    """

    def record(received: Received, answer: Behaviour) -> None:
        payload = push.decrypt(received)
        number = history.invoke(
            SESSION,
            "push",
            browser=received.path,
            topic=received.headers.get("topic", ""),
            body=payload["body"],
        )
        is_taken = isinstance(answer.status, int) and is_success(answer.status)
        history.end(number, "ok" if is_taken else "fail", answer=answer.status)

    push.on_received = record
