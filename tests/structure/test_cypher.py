"""Every query file: loaded once, its header true, its plan as declared, on the real server."""

import dataclasses
import re
from typing import Any

import pytest

import graph as graph_package
from bench.report.plans import explain, sample_value
from graph import Graph, schema
from graph.event_kinds import KINDS
from graph.events import SHARDS, Event
from graph.queries import FOLDER, LOADED, parse
from tests.support.maker import Maker

assert graph_package
assert schema

QUERIES = {name: query for name, query in LOADED.items() if not name.startswith("schema/")}

_INDEXED = re.compile(r"(?:UNIQUE|RANGE INDEX) .*?:(\w+\([\w, ]+\))")


@pytest.fixture(scope="module", autouse=True)
def data(graph: Graph) -> None:
    """Something of each kind, as the planner needs no index where there is nothing."""
    make = Maker(graph)
    author, *followers = make.users(4)
    for follower in followers:
        make.follow(follower.id, author.id)
    make.unfollow(followers[0].id, author.id)
    make.block(author.id, followers[1].id)
    event = make.post_and_event(author.id)
    graph.posts.delete(event.subject_id, author_id=author.id)
    make.post(author.id)
    make.cypher("CALL db.prepareForReplanning(30)")


EVENT_CREATED = re.compile(
    r"CREATE \((?:event)?:Event \{ ?"
    r"id: \$event_id, kind: ('[a-z-]+'|CASE .+? END), shard: \$event_id % 16, "
    r"subject_id: \$\w+, author_id: \$\w+, cursor: (?:0|-2), epoch: 0, attempts: 0, "
    r"due_at: timestamp\(\)(?: \+ \$hold_ms)?, rung_at: (?:0|timestamp\(\)) ?\}\)"
)
"""The one form of an event: a property that is added stands in every query, or this fails."""


def indexes(plan: list[dict[str, Any]]) -> set[str]:
    """The indexes that a plan uses, as headers name them."""
    found = set()
    for operator in plan:
        details = operator["args"].get("Details", "")
        if operator["operatorType"].startswith(("NodeByLabelScan", "NodeCountFromCountStore")):
            found.add(":" + re.findall(r":(\w+)", details)[0])
        found.update(_INDEXED.findall(details))
    return found


def named(plan: list[dict[str, Any]], *parts: str) -> list[str]:
    kinds = [operator["operatorType"] for operator in plan]
    return [kind for kind in kinds if any(part in kind for part in parts)]


def test_every_query_file_is_loaded_by_a_module() -> None:
    files = {str(path.relative_to(FOLDER).with_suffix("")) for path in FOLDER.rglob("*.cypher")}
    assert files == LOADED.keys()


@pytest.mark.parametrize("name", sorted(LOADED))
def test_a_query_file_is_one_statement_with_a_true_header(name: str) -> None:
    query = parse(name, (FOLDER / f"{name}.cypher").read_text(encoding="utf-8"))
    assert query == LOADED[name]
    assert ";" not in query.text
    assert query.summary.endswith(".")
    for meaning in query.parameters.values():
        sample_value(meaning)


@pytest.mark.parametrize("name", sorted(QUERIES))
def test_a_query_goes_by_the_indexes_of_its_header(graph: Graph, name: str) -> None:
    query = QUERIES[name]
    keys, plan = explain(graph, query)
    assert keys == list(query.returns)
    assert indexes(plan) == set(query.index)
    assert not named(plan, "AllNodesScan", "RelationshipTypeScan", "IndexScan", "IndexContains")
    if query.index:
        start = next(one for one in plan if "Seek" in one["operatorType"] or indexes([one]))
        assert indexes([start]) == {query.index[0]}


@pytest.mark.parametrize("name", sorted(QUERIES))
def test_a_query_sorts_and_walks_only_where_its_header_says_so(graph: Graph, name: str) -> None:
    query = QUERIES[name]
    _, plan = explain(graph, query)
    assert bool(named(plan, "Sort", "Top")) == bool(query.sorts)
    walks = named(plan, "Expand")
    assert not walks or query.expands


def test_every_event_is_created_in_one_form_and_every_kind_by_some_query() -> None:
    kinds: set[str] = set()
    for name, query in LOADED.items():
        text = " ".join(query.text.split())
        created = EVENT_CREATED.findall(text)
        assert len(created) == text.count(":Event {id: $event_id, kind") == text.count("kind: "), (
            name
        )
        kinds.update(kind for literal in created for kind in re.findall(r"'([a-z-]+)'", literal))
    assert kinds == KINDS.keys()
    assert SHARDS == 16


def test_every_event_is_returned_in_one_form() -> None:
    fields = ", ".join(f".{field.name}" for field in dataclasses.fields(Event))
    for name, query in LOADED.items():
        projections = re.findall(r"\bevent \{([^}]*)\}", query.text)
        assert set(projections) <= {fields}, name


def test_a_page_of_followers_is_a_seek_to_where_the_last_one_ended(graph: Graph) -> None:
    _, plan = explain(graph, LOADED["follows/followers_page"])
    assert [one["operatorType"].split("@")[0] for one in plan] == [
        "DirectedRelationshipUniqueIndexSeek",
        "Limit",
        "Projection",
        "EagerAggregation",
        "ProduceResults",
    ]
    assert "follower_id > $after" in plan[0]["args"]["Details"]
