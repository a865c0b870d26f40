from http import HTTPStatus

import pytest
from structlog.testing import capture_logs

from graph import Graph
from graph.errors import GraphUnavailableError
from operators.admin.app import create_admin_app
from storage import Storage
from storage.errors import StorageUnavailableError
from tests.operators.admin.conftest import settings

RESPONSES = {
    "admin page failed": (HTTPStatus.SERVICE_UNAVAILABLE, "A store did not answer"),
    "uncaught exception": (HTTPStatus.INTERNAL_SERVER_ERROR, "Internal error"),
}


@pytest.mark.parametrize(
    ("error", "event"),
    [
        (GraphUnavailableError("gone"), "admin page failed"),
        (StorageUnavailableError("s3"), "admin page failed"),
        (KeyError("a bug"), "uncaught exception"),
        (FileNotFoundError("another"), "uncaught exception"),
    ],
)
def test_a_store_that_is_down_is_503_and_a_bug_is_500(
    graph: Graph,
    storage: Storage,
    stack_env: dict[str, str],
    error: Exception,
    event: str,
) -> None:
    app = create_admin_app(settings(), graph, storage, stack_env["QUEUE_REDIS_URL"])

    @app.get("/broken")
    def broken() -> str:
        raise error

    with capture_logs() as lines:
        response = app.test_client().get("/broken", auth=("admin", settings().password))
    status, text = RESPONSES[event]
    assert response.status_code == status
    assert response.text.startswith(text)
    assert "Traceback" not in response.text
    assert [(line["event"], line["path"]) for line in lines] == [(event, "/broken")]
