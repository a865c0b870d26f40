from collections.abc import Iterator
from http import HTTPStatus

import neo4j
import pytest
from flask.testing import FlaskClient

from graph import Graph
from graph.ids import new_id


@pytest.fixture
def given_up(stack_env: dict[str, str]) -> Iterator[int]:
    """The id of an event in quarantine, for a photo that does not exist."""
    event_id = new_id()
    login = (stack_env["NEO4J_USER"], stack_env["NEO4J_PASSWORD"])
    with neo4j.GraphDatabase.driver(stack_env["NEO4J_URI"], auth=login) as driver:
        driver.execute_query(
            "CREATE (:Event:Quarantined {id: $id, kind: 'photo-uploaded', shard: $id % 16, "
            "subject_id: 1, author_id: 2, cursor: 0, epoch: 9, attempts: 8, rung_at: 0})",
            id=event_id,
        )
        yield event_id
        driver.execute_query("MATCH (event:Event {id: $id}) DELETE event", id=event_id)


def quarantined_ids(graph: Graph) -> set[int]:
    return {event.id for event in graph.events.quarantined(10_000)}


def test_an_event_that_was_given_up_is_listed(operator: FlaskClient, given_up: int) -> None:
    page = operator.get("/quarantine").text
    assert str(given_up) in page
    assert "photo-uploaded" in page


def test_its_button_makes_it_due_again(operator: FlaskClient, graph: Graph, given_up: int) -> None:
    answer = operator.post(f"/quarantine/{given_up}/requeue")
    assert answer.status_code == HTTPStatus.SEE_OTHER
    assert given_up not in quarantined_ids(graph)
    assert f"Event {given_up} is due again" in operator.get(answer.headers["Location"]).text
    again = operator.post(f"/quarantine/{given_up}/requeue")
    assert again.status_code == HTTPStatus.NOT_FOUND


def test_text_from_the_address_is_not_markup(operator: FlaskClient) -> None:
    page = operator.get("/quarantine?requeued=<script>alert(1)</script>").text
    assert "<script>alert" not in page
