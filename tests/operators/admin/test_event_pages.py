"""The pages of events: the same as `flask events`, in a browser. Case 12."""

from collections.abc import Callable, Iterator
from http import HTTPStatus

import neo4j
import pytest
from flask.testing import FlaskClient

from graph import Graph
from graph.ids import new_id

EVENT = """
CREATE (event:Event {id: $id, kind: 'photo-uploaded', queue: 'photos', shard: $id % 16,
  subject_id: 1, author_id: 2, cursor: 0, epoch: 9, attempts: 8, tried: true})
SET event.due_at = timestamp() + $due_in_ms
FOREACH (_ IN CASE WHEN $due_in_ms IS NULL THEN [0] ELSE [] END | SET event:Quarantined)
"""


@pytest.fixture
def create_event(stack_env: dict[str, str]) -> Iterator[Callable[[int | None], int]]:
    """A function that creates an event of an absent photo, due then or in quarantine; its id."""
    ids: list[int] = []
    login = (stack_env["NEO4J_USER"], stack_env["NEO4J_PASSWORD"])
    with neo4j.GraphDatabase.driver(stack_env["NEO4J_URI"], auth=login) as driver:

        def create(due_in_ms: int | None) -> int:
            ids.append(new_id())
            driver.execute_query(EVENT, id=ids[-1], due_in_ms=due_in_ms)
            return ids[-1]

        yield create
        driver.execute_query("MATCH (event:Event) WHERE event.id IN $ids DELETE event", ids=ids)


@pytest.fixture
def quarantined(create_event: Callable[[int | None], int]) -> int:
    """The id of an event in quarantine."""
    return create_event(None)


@pytest.fixture
def waiting(create_event: Callable[[int | None], int]) -> int:
    """The id of an event that will be due in an hour."""
    return create_event(3_600_000)


def state_of(graph: Graph, event_id: int) -> str:
    status = graph.events.by_id(event_id)
    return status.state if status else "absent"


def test_events_are_listed_by_state_and_kind(
    operator: FlaskClient, quarantined: int, waiting: int
) -> None:
    for query, listed in {
        "state=quarantined": (True, False),
        "state=quarantined&kind=photo-uploaded": (True, False),
        "state=quarantined&kind=left": (False, False),
        "state=waiting&kind=photo-uploaded": (False, True),
        "state=due": (False, False),
    }.items():
        page = operator.get(f"/events?limit=1000&{query}").text
        assert (query, str(quarantined) in page, str(waiting) in page) == (query, *listed)


@pytest.mark.parametrize("query", ["state=lost", "kind=nonsense", "limit=7", "limit=-1"])
def test_an_invalid_filter_is_400(operator: FlaskClient, query: str) -> None:
    assert operator.get(f"/events?{query}").status_code == HTTPStatus.BAD_REQUEST


def test_the_page_of_an_event_shows_all_facts(operator: FlaskClient, quarantined: int) -> None:
    page = operator.get(f"/events/{quarantined}").text
    for text in ("examine the photo", "1 (photo)", "2 (owner)", "quarantined", "Requeue"):
        assert text in page
    assert operator.get(f"/events/{new_id()}").status_code == HTTPStatus.NOT_FOUND
    assert operator.get(f"/events/{2**64}").status_code == HTTPStatus.NOT_FOUND


def test_the_button_requeues_an_event(
    operator: FlaskClient, graph: Graph, quarantined: int
) -> None:
    response = operator.post(f"/events/{quarantined}/requeue")
    assert response.status_code == HTTPStatus.SEE_OTHER
    assert state_of(graph, quarantined) == "due"
    assert f"Event {quarantined} is due again" in operator.get(response.headers["Location"]).text
    repeat = operator.post(f"/events/{quarantined}/requeue")
    assert repeat.status_code == HTTPStatus.CONFLICT
    absent = operator.post(f"/events/{new_id()}/requeue")
    assert absent.status_code == HTTPStatus.NOT_FOUND


def test_the_button_quarantines_an_event(operator: FlaskClient, graph: Graph, waiting: int) -> None:
    for _ in range(2):
        response = operator.post(f"/events/{waiting}/quarantine")
        assert response.status_code == HTTPStatus.SEE_OTHER
        assert state_of(graph, waiting) == "quarantined"
    assert "quarantined" in operator.get(response.headers["Location"]).text
    absent = operator.post(f"/events/{new_id()}/quarantine")
    assert absent.status_code == HTTPStatus.NOT_FOUND


def test_get_requests_change_nothing(operator: FlaskClient, graph: Graph, quarantined: int) -> None:
    for action in ("requeue", "quarantine"):
        response = operator.get(f"/events/{quarantined}/{action}")
        assert response.status_code == HTTPStatus.METHOD_NOT_ALLOWED
    assert state_of(graph, quarantined) == "quarantined"


# Security 22
def test_text_from_the_query_is_escaped(operator: FlaskClient) -> None:
    page = operator.get("/events?requeued=<script>alert(1)</script>").text
    assert "<script>alert" not in page
