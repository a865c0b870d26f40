"""Records the final notifications of every user, and messages that the push service refused."""

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from drill.history import History
from drill.load.connection import ApiConnection, Response
from drill.load.errors import NotAcknowledgedError
from drill.load.shared_state import DrillUser, SharedState
from drill.settling import SESSION
from drill.stage.stage import DrillStage
from drill.support.retrying import retry

LIMIT = 1
"""Groups a page: small, so that the pages are tested too."""
PAGE_SECONDS, RETRY_SECONDS = 30.0, 0.5


def record_notifications(state: SharedState) -> None:
    """Record the groups of each user's notifications, from the newest to the last, as `activity`.

    A group is [kind, day, actor, number of others, text].
    """
    connection = ApiConnection(state.api_urls[0])
    for user in state.users:
        number = state.history.invoke(SESSION, "activity", viewer=user.id)
        try:
            groups = [_group(one) for one in _groups(connection, user)]
        except NotAcknowledgedError as error:
            state.history.end(number, "fail", **error.response.facts)
        else:
            state.history.end(number, "ok", groups=groups)
    connection.close()


def record_push_refusals(stage: DrillStage, history: History) -> None:
    """Record why the push service refused messages as invalid: none may be."""
    number = history.invoke(SESSION, "refusals")
    refusals = stage.push.refusals
    history.end(number, "fail" if refusals else "ok", refusals=refusals)


def _groups(connection: ApiConnection, user: DrillUser) -> Iterator[dict[str, Any]]:
    """All groups. Raises NotAcknowledgedError."""
    cursor = ""
    while True:
        page = _page(connection, user, cursor)
        yield from page.body["notifications"]
        cursor = page.body.get("next", "")
        if not cursor:
            return


def _page(connection: ApiConnection, user: DrillUser, cursor: str) -> Response:
    path = f"/v1/me/notifications?limit={LIMIT}" + (f"&cursor={cursor}" if cursor else "")

    def attempt() -> Response:
        response = connection.request("GET", path, token=user.watching_token)
        if response.status != HTTPStatus.OK:
            raise NotAcknowledgedError(response)
        return response

    return retry(attempt, on=NotAcknowledgedError, seconds=PAGE_SECONDS, every=RETRY_SECONDS)


def _group(group: dict[str, Any]) -> list[Any]:
    day = group["created_at"][: len("2026-01-01")]
    return [group["kind"], day, int(group["actor"]["id"]), group["others_count"], group["text"]]
