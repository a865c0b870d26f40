"""The pages of events: the same as `flask events`, in a browser. Case 12."""

from collections.abc import Callable, Iterator
from http import HTTPStatus

import neo4j
import pytest
from flask.testing import FlaskClient

from graph import Graph
from graph.ids import new_id

EVENT = """
CREATE (event:Event {id: $id, kind: 'photo-uploaded', shard: $id % 16, subject_id: 1, author_id: 2,
  cursor: 0, epoch: 9, attempts: 8, rung_at: 0})
SET event.due_at = timestamp() + $due_in_ms
FOREACH (_ IN CASE WHEN $due_in_ms IS NULL THEN [0] ELSE [] END | SET event:Quarantined)
"""


@pytest.fixture
def made(stack_env: dict[str, str]) -> Iterator[Callable[[int | None], int]]:
    """Makes an event for a photo that does not exist; due then, or in quarantine; its id."""
    ids: list[int] = []
    login = (stack_env["NEO4J_USER"], stack_env["NEO4J_PASSWORD"])
    with neo4j.GraphDatabase.driver(stack_env["NEO4J_URI"], auth=login) as driver:

        def make(due_in_ms: int | None) -> int:
            ids.append(new_id())
            driver.execute_query(EVENT, id=ids[-1], due_in_ms=due_in_ms)
            return ids[-1]

        yield make
        driver.execute_query("MATCH (event:Event) WHERE event.id IN $ids DELETE event", ids=ids)


@pytest.fixture
def given_up(made: Callable[[int | None], int]) -> int:
    """The id of an event in quarantine."""
    return made(None)


@pytest.fixture
def waiting(made: Callable[[int | None], int]) -> int:
    """The id of an event that will be due in an hour."""
    return made(3_600_000)


def state_of(graph: Graph, event_id: int) -> str:
    one = graph.events.by_id(event_id)
    return one.state if one else "gone"


def test_events_are_listed_by_state_and_kind(
    operator: FlaskClient, given_up: int, waiting: int
) -> None:
    for query, shows in {
        "state=quarantined": (True, False),
        "state=quarantined&kind=photo-uploaded": (True, False),
        "state=quarantined&kind=left": (False, False),
        "state=waiting&kind=photo-uploaded": (False, True),
        "state=due": (False, False),
    }.items():
        page = operator.get(f"/events?limit=1000&{query}").text
        assert (query, str(given_up) in page, str(waiting) in page) == (query, *shows)


@pytest.mark.parametrize("query", ["state=lost", "kind=nonsense", "limit=7", "limit=-1"])
def test_a_filter_that_is_none_is_refused(operator: FlaskClient, query: str) -> None:
    assert operator.get(f"/events?{query}").status_code == HTTPStatus.BAD_REQUEST


def test_an_events_page_says_all_that_is_known(operator: FlaskClient, given_up: int) -> None:
    page = operator.get(f"/events/{given_up}").text
    for said in ("examine the photo", "1 (photo)", "2 (owner)", "quarantined", "Requeue"):
        assert said in page
    assert operator.get(f"/events/{new_id()}").status_code == HTTPStatus.NOT_FOUND
    assert operator.get(f"/events/{2**64}").status_code == HTTPStatus.NOT_FOUND


def test_its_button_makes_it_due_again(operator: FlaskClient, graph: Graph, given_up: int) -> None:
    answer = operator.post(f"/events/{given_up}/requeue")
    assert answer.status_code == HTTPStatus.SEE_OTHER
    assert state_of(graph, given_up) == "due"
    assert f"Event {given_up} is due again" in operator.get(answer.headers["Location"]).text
    again = operator.post(f"/events/{given_up}/requeue")
    assert again.status_code == HTTPStatus.CONFLICT
    absent = operator.post(f"/events/{new_id()}/requeue")
    assert absent.status_code == HTTPStatus.NOT_FOUND


def test_its_button_puts_it_into_quarantine(
    operator: FlaskClient, graph: Graph, waiting: int
) -> None:
    for _ in range(2):
        answer = operator.post(f"/events/{waiting}/quarantine")
        assert answer.status_code == HTTPStatus.SEE_OTHER
        assert state_of(graph, waiting) == "quarantined"
    assert "quarantined" in operator.get(answer.headers["Location"]).text
    absent = operator.post(f"/events/{new_id()}/quarantine")
    assert absent.status_code == HTTPStatus.NOT_FOUND


def test_a_link_alone_changes_nothing(operator: FlaskClient, graph: Graph, given_up: int) -> None:
    for action in ("requeue", "quarantine"):
        answer = operator.get(f"/events/{given_up}/{action}")
        assert answer.status_code == HTTPStatus.METHOD_NOT_ALLOWED
    assert state_of(graph, given_up) == "quarantined"


def test_text_from_the_address_is_not_markup(operator: FlaskClient) -> None:
    page = operator.get("/events?requeued=<script>alert(1)</script>").text
    assert "<script>alert" not in page
