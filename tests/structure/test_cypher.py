"""Every query file: a module loads it, its header is valid, and its plan is as declared."""

import dataclasses
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import graph as graph_package
from bench.report.plans import explain, sample_value
from drill.support.push_service import Browser
from graph import Graph, schema
from graph.event_kinds import KINDS
from graph.events import SHARDS, Event
from graph.ids import new_id
from graph.notification_kinds import KINDS as NOTIFICATION_KINDS
from graph.queries import FOLDER, LOADED, parse
from tests.support.town import Town

assert graph_package
assert schema

QUERIES = {name: query for name, query in LOADED.items() if not name.startswith("schema/")}

_INDEXED = re.compile(r"(?:UNIQUE|RANGE INDEX) .*?:(\w+\([\w, ]+\))")


@pytest.fixture(scope="module", autouse=True)
def data(graph: Graph) -> None:
    """At least one object of each kind: without data the planner uses no index."""
    town = Town(graph)
    author, *followers = town.users(4)
    for follower in followers:
        town.follow(follower, author)
    town.unfollow(followers[0], author)
    town.block(author, followers[1])
    event = town.create_post(author)
    graph.posts.delete(event.subject_id, author_id=author)
    town.post(author)
    town.waiting_photo(author)
    graph.photos.upgrade(1)
    created = graph.sessions.create(
        session_id=new_id(),
        user_id=author,
        secret_sha256="5e" * 32,
        expires_at=datetime.now(UTC) + timedelta(hours=1),
    )
    graph.push_subscriptions.create(
        Browser("https://push.test").new_subscription, user_id=author, session_id=created.session.id
    )
    reported = town.create_post(author).subject_id
    graph.reports.create(
        report_id=new_id(),
        reporter_id=followers[2],
        subject="post",
        subject_id=reported,
        author_id=author,
        reason="spam",
        text=None,
    )
    graph.moderation.hide_post(reported, author_id=author, operator="a test", reason="spam")
    graph.exports.create(export_id=new_id(), user_id=author, path="a path", most=1)
    town.query("CALL db.prepareForReplanning(30)")


EVENT_CREATED = re.compile(
    r"CREATE \((?:event)?:Event \{ ?"
    r"id: \$event_id, kind: ('[a-z-]+'|CASE .+? END), queue: ('[a-z-]+'|CASE .+? END), "
    r"shard: \$(?:event|owner)_id % 16, "
    r"subject_id: \$\w+, author_id: \$\w+, cursor: (?:0|-2), epoch: 0, attempts: 0, tried: false, "
    r"due_at: timestamp\(\)(?P<hold>(?: \+ \$hold_ms)?), owed_at: timestamp\(\)(?P=hold), "
    r"request_id: \$request_id ?\}\)"
)
"""The form of each event that a query creates: all queries set the same properties."""

NOTIFICATION_CREATED = re.compile(
    r"CREATE \(:Notification \{ ?"
    r"id: new_id, user_id: \$\w+, kind: '([a-z-]+)', actor_id: \$\w+, "
    r"subject_id: \$\w+, day: day, created_at: timestamp\(\) ?\}\)"
)
"""The form of each notification that a query creates."""


def indexes(plan: list[dict[str, Any]]) -> set[str]:
    """The indexes that a plan uses, in the form of the headers."""
    names = set()
    for operator in plan:
        details = operator["args"].get("Details", "")
        if operator["operatorType"].startswith(("NodeByLabelScan", "NodeCountFromCountStore")):
            names.add(":" + re.findall(r":(\w+)", details)[0])
        names.update(_INDEXED.findall(details))
    return names


def operators_like(plan: list[dict[str, Any]], *parts: str) -> list[str]:
    """The operators of a plan whose name contains one of the parts."""
    kinds = [operator["operatorType"] for operator in plan]
    return [kind for kind in kinds if any(part in kind for part in parts)]


def test_every_query_file_is_loaded_by_a_module() -> None:
    files = {str(path.relative_to(FOLDER).with_suffix("")) for path in FOLDER.rglob("*.cypher")}
    assert files == LOADED.keys()


# Security 21
@pytest.mark.parametrize("name", sorted(LOADED))
def test_a_query_file_is_one_statement_with_a_valid_header(name: str) -> None:
    query = parse(name, (FOLDER / f"{name}.cypher").read_text(encoding="utf-8"))
    assert query == LOADED[name]
    assert ";" not in query.text
    assert query.summary.endswith(".")
    for meaning in query.parameters.values():
        sample_value(meaning)


@pytest.mark.parametrize("name", sorted(QUERIES))
def test_a_query_uses_the_indexes_of_its_header(graph: Graph, name: str) -> None:
    query = QUERIES[name]
    keys, plan = explain(graph, query)
    assert keys == list(query.returns)
    assert indexes(plan) == set(query.index)
    assert not operators_like(
        plan, "AllNodesScan", "RelationshipTypeScan", "IndexScan", "IndexContains"
    )
    if query.index:
        start = next(one for one in plan if "Seek" in one["operatorType"] or indexes([one]))
        assert indexes([start]) == {query.index[0]} or _finds_one_node(start)


def _finds_one_node(operator: dict[str, Any]) -> bool:
    """Whether it finds at most one node for a value: of such seeks, statistics choose the first."""
    return str(operator["operatorType"]).startswith("NodeUniqueIndexSeek")


@pytest.mark.parametrize("name", sorted(QUERIES))
def test_a_query_sorts_and_expands_only_if_its_header_declares_it(graph: Graph, name: str) -> None:
    query = QUERIES[name]
    _, plan = explain(graph, query)
    assert bool(operators_like(plan, "Sort", "Top")) == bool(query.sorts)
    expands = operators_like(plan, "Expand")
    assert not expands or query.expands


def test_every_event_is_created_in_one_form_and_every_kind_by_some_query() -> None:
    queues: dict[str, str] = {}
    for name, query in LOADED.items():
        text = " ".join(query.text.split())
        created = [(match[1], match[2]) for match in EVENT_CREATED.finditer(text)]
        mentions = re.findall(r":Event \{ ?id: \$event_id, kind: ", text)
        notified = NOTIFICATION_CREATED.findall(text)
        assert len(created) == len(mentions), name
        assert len(created) + len(notified) == text.count("kind: "), name
        for kinds_of_one, queues_of_one in created:
            literals = [re.findall(r"'([a-z-]+)'", text) for text in (kinds_of_one, queues_of_one)]
            queues.update(zip(*literals, strict=True))
    assert queues == {name: kind.queue for name, kind in KINDS.items()}
    assert SHARDS == 16


def test_every_kind_of_notification_is_created_by_some_query() -> None:
    texts = [" ".join(query.text.split()) for query in LOADED.values()]
    created = {kind for text in texts for kind in NOTIFICATION_CREATED.findall(text)}
    assert created == NOTIFICATION_KINDS.keys()


@pytest.mark.parametrize(
    "name", ["notifications/groups", "notifications/unread", "notifications/trim"]
)
def test_a_query_checks_the_facts_of_the_kinds_that_need_them(name: str) -> None:
    checked = set(re.findall(r"kind <> '([a-z-]+)' OR EXISTS", LOADED[name].text))
    assert checked == {name for name, kind in NOTIFICATION_KINDS.items() if kind.needs_fact}


def test_notifications_are_left_out_by_one_rule() -> None:
    rules = [
        re.search(r"WHERE actor\.id = actor_id.*? = day *\n *\}\)", LOADED[name].text, re.DOTALL)
        for name in ("notifications/groups", "notifications/unread")
    ]
    [groups, unread] = [" ".join(rule[0].split()) for rule in rules if rule]
    assert groups == unread


def test_every_event_is_returned_in_one_form() -> None:
    fields = ", ".join(f".{field.name}" for field in dataclasses.fields(Event))
    for name, query in LOADED.items():
        projections = re.findall(r"\bevent \{([^}]*)\}", query.text)
        assert {text.strip() for text in projections} <= {fields}, name


def test_a_page_of_followers_starts_with_an_index_seek_after_the_last_one(graph: Graph) -> None:
    _, plan = explain(graph, LOADED["follows/followers_page"])
    assert [one["operatorType"].split("@")[0] for one in plan] == [
        "DirectedRelationshipUniqueIndexSeek",
        "Limit",
        "Projection",
        "EagerAggregation",
        "ProduceResults",
    ]
    assert "follower_id > $after" in plan[0]["args"]["Details"]


@pytest.mark.parametrize("name", ["reports/open_page", "reports/most_reported"])
def test_a_page_of_reports_reads_the_index_as_far_as_its_limit(graph: Graph, name: str) -> None:
    _, plan = explain(graph, LOADED[name])
    kinds = [one["operatorType"].split("@")[0] for one in plan]
    assert kinds[:2] == ["NodeIndexSeekByRange" if name.endswith("page") else kinds[0], "Limit"]
    assert "Seek" in kinds[0]
