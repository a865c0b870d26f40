import re
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import neo4j
import pytest

from graph import Graph
from graph.ids import new_id
from graph.users import User

ROOT = Path(__file__).resolve().parents[2]
QUESTIONS = sorted((ROOT / "docs" / "questions").glob("*.cypher"))
AWAY = {"latitude": -54.8019, "longitude": -68.303}
"""Ushuaia: no other test posts from there."""

Town = dict[str, User]


def user(graph: Graph, name: str) -> User:
    own = f"{name}_{secrets.token_hex(4)}"
    return graph.users.create(user_id=new_id(), username=own, name=name, password_hash="none")


@pytest.fixture(scope="module")
def driver(stack_env: dict[str, str]) -> Iterator[neo4j.Driver]:
    login = (stack_env["NEO4J_USER"], stack_env["NEO4J_PASSWORD"])
    with neo4j.GraphDatabase.driver(stack_env["NEO4J_URI"], auth=login) as driver:
        yield driver


@pytest.fixture(scope="module")
def town(graph: Graph, driver: neo4j.Driver) -> Town:
    """Ana and Ben follow each other, Ben follows Cid, who posted; Dora follows Ana and is quiet."""
    people = {name: user(graph, name) for name in ("ana", "ben", "cid", "dora")}
    follows = [("ana", "ben"), ("ben", "ana"), ("ben", "cid"), ("dora", "ana")]
    for follower, followee in follows:
        graph.follows.create(follower_id=people[follower].id, followee_id=people[followee].id)
    driver.execute_query(
        "MATCH (author:User {id: $author}) CREATE (author)-[:POSTED]->(post:Post {id: $id, "
        "author_id: $author, caption: 'the end', location_name: 'Ushuaia', "
        "coordinates: point($place), created_at: timestamp()})"
        "-[:SHOWS {position: 0, photo_id: $photo}]->(:Photo {id: $photo, owner_id: $author, "
        "path: 'none', state: 'ready', width: 640, height: 480})",
        author=people["cid"].id,
        id=new_id(),
        photo=new_id(),
        place=AWAY,
    )
    return people


def ask(driver: neo4j.Driver, name: str, **parameters: Any) -> list[dict[str, Any]]:
    question = (ROOT / "docs" / "questions" / f"{name}.cypher").read_text()
    with driver.session(default_access_mode=neo4j.READ_ACCESS) as session:
        return [record.data() for record in session.run(question, parameters)]


def test_there_are_eleven_and_all_are_in_the_page() -> None:
    page = (ROOT / "docs" / "graph.md").read_text()
    listed = re.findall(r"\(questions/(\w+)\.cypher\)", page)
    assert len(listed) == 11
    assert sorted(listed) == [path.stem for path in QUESTIONS]


@pytest.mark.parametrize("path", QUESTIONS, ids=lambda path: path.stem)
def test_each_says_what_it_asks_and_which_parameters_it_takes(path: Path) -> None:
    first, *rest = path.read_text().splitlines()
    assert first.startswith("// ")
    assert first.endswith(("?", "."))
    code = "\n".join(line for line in rest if not line.startswith("//"))
    declared = {line.split()[2] for line in rest if line.startswith("// :param ")}
    assert declared == set(re.findall(r"\$(\w+)", code))
    assert not re.search(r"\b(CREATE|MERGE|SET|DELETE|REMOVE)\b", code)


@pytest.mark.usefixtures("town")
def test_the_most_followed_come_first(driver: neo4j.Driver) -> None:
    counts = [row["followers"] for row in ask(driver, "most_followed")]
    assert counts == sorted(counts, reverse=True)
    assert counts[0] >= 2


def test_a_circle_has_the_followees_with_their_posts(driver: neo4j.Driver, town: Town) -> None:
    rows = ask(driver, "circle", username=town["ben"].username.upper())
    seen = {row["followee"]["username"]: row["photo"] for row in rows}
    assert set(seen) == {town["ana"].username, town["cid"].username}
    assert seen[town["cid"].username]["width"] == 640


def test_suggestions_are_followees_of_followees(driver: neo4j.Driver, town: Town) -> None:
    rows = ask(driver, "suggestions", username=town["ana"].username)
    assert [row["username"] for row in rows] == [town["cid"].username]
    assert rows[0]["among_them"] == [town["ben"].username]


def test_mutuals_are_pairs(driver: neo4j.Driver, town: Town) -> None:
    rows = ask(driver, "mutuals")
    pairs = [{row["one"], row["other"]} for row in rows]
    assert {town["ana"].username, town["ben"].username} in pairs
    assert {town["ben"].username, town["cid"].username} not in pairs
    assert rows[0]["since"].tzinfo is not None


def test_a_path_follows_the_follows(driver: neo4j.Driver, town: Town) -> None:
    ends = {"from": town["dora"].username, "to": town["cid"].username}
    rows = ask(driver, "path", **ends)
    names = [town[name].username for name in ("dora", "ana", "ben", "cid")]
    assert [row["usernames"] for row in rows] == [names]
    assert ask(driver, "path", **{"from": ends["to"], "to": ends["from"]}) == []


@pytest.mark.usefixtures("town")
def test_reach_multiplies_posts_and_followers(driver: neo4j.Driver) -> None:
    rows = ask(driver, "reach")
    assert rows
    assert all(row["timeline_entries"] == row["posts"] * row["followers"] for row in rows)


def test_nearby_means_within_fifty_kilometres(driver: neo4j.Driver, town: Town) -> None:
    near = ask(driver, "nearby", latitude=AWAY["latitude"] + 0.1, longitude=AWAY["longitude"])
    mine = [row for row in near if row["username"] == town["cid"].username]
    assert [(row["place"], row["kilometres"]) for row in mine] == [("Ushuaia", 11.1)]
    far = ask(driver, "nearby", latitude=AWAY["latitude"] + 1, longitude=AWAY["longitude"])
    assert town["cid"].username not in {row["username"] for row in far}


@pytest.mark.usefixtures("town")
def test_the_hours_are_those_of_a_day(driver: neo4j.Driver) -> None:
    rows = ask(driver, "by_hour")
    hours = [row["hour"] for row in rows]
    assert hours == sorted(set(hours))
    assert set(hours) <= set(range(24))
    assert sum(row["posts"] for row in rows) >= 1


def test_the_quiet_follow_and_do_not_post(driver: neo4j.Driver, town: Town) -> None:
    rows = ask(driver, "quiet")
    names = {row["username"] for row in rows}
    assert town["cid"].username not in names
    assert all(row["following"] > 0 for row in rows)
    assert len(rows) == 50 or town["dora"].username in names


@pytest.mark.usefixtures("town")
def test_what_is_owed_is_shown_by_kind(driver: neo4j.Driver) -> None:
    followed = [row for row in ask(driver, "owed") if row["kind"] == "followed"]
    assert sum(row["events"] for row in followed) >= 1
    assert all(row["oldest_owed_seconds"] >= 0 for row in followed)


@pytest.mark.parametrize("state", ["leaving", "suspended"])
def test_who_is_hidden_is_in_no_answer(driver: neo4j.Driver, graph: Graph, state: str) -> None:
    """A user who is hidden from everybody, who posted and is followed back."""
    ana, gone, bea = user(graph, "ana"), user(graph, "gone"), user(graph, "bea")
    for follower, followee in ((ana, gone), (gone, ana), (gone, bea)):
        graph.follows.create(follower_id=follower.id, followee_id=followee.id)
    hours = posts_by_hour(driver)
    create_post(driver, gone)
    assert posts_by_hour(driver) == hours + 1
    driver.execute_query(
        "MATCH (author:User {id: $id}) SET author.state = $state", id=gone.id, state=state
    )
    assert posts_by_hour(driver) == hours
    answers = [
        *ask(driver, "circle", username=ana.username),
        *ask(driver, "mutuals"),
        *ask(driver, "nearby", **AWAY),
        *ask(driver, "reach"),
        *ask(driver, "path", **{"from": ana.username, "to": gone.username}),
        *ask(driver, "path", **{"from": ana.username, "to": bea.username}),
        *ask(driver, "suggestions", username=ana.username),
        *ask(driver, "most_followed"),
        *ask(driver, "quiet"),
    ]
    assert answers
    assert gone.username not in str(answers)


def test_a_hidden_post_is_in_no_answer(driver: neo4j.Driver, graph: Graph) -> None:
    ana, ben = user(graph, "ana"), user(graph, "ben")
    for follower, followee in ((ana, ben), (ben, ana)):
        graph.follows.create(follower_id=follower.id, followee_id=followee.id)
    hours = posts_by_hour(driver)
    post_id = create_post(driver, ben)
    assert ben.username in str([ask(driver, "nearby", **AWAY), ask(driver, "reach")])
    graph.moderation.hide_post(post_id, author_id=ben.id, operator="ola", reason="spam")
    assert posts_by_hour(driver) == hours
    [row] = ask(driver, "circle", username=ana.username)
    assert (row["followee"]["username"], row["post"]) == (ben.username, None)
    answers = [*ask(driver, "nearby", **AWAY), *ask(driver, "reach"), *ask(driver, "quiet")]
    assert ben.username not in str(answers)


def test_open_reports_are_counted_by_reason(driver: neo4j.Driver, graph: Graph) -> None:
    author, *reporters = (user(graph, name) for name in ("ana", "ben", "cid"))
    before = reports_of(driver, "self-harm")
    for reporter in reporters:
        graph.reports.create(
            report_id=new_id(),
            reporter_id=reporter.id,
            subject="user",
            subject_id=author.id,
            author_id=author.id,
            reason="self-harm",
            text=None,
        )
    assert reports_of(driver, "self-harm") == before + 2
    [report] = [
        one for one in graph.reports.open_page(limit=1_000).subjects if one.subject_id == author.id
    ]
    graph.reports.close(report.id, operator="ola", reason=None)
    assert reports_of(driver, "self-harm") == before


def create_post(driver: neo4j.Driver, author: User) -> int:
    """A post of the author's in Ushuaia; its id."""
    post_id = new_id()
    driver.execute_query(
        "MATCH (author:User {id: $id}) "
        "CREATE (author)-[:POSTED]->(:Post {id: $post, author_id: $id, caption: '', "
        "coordinates: point($place), created_at: timestamp()})"
        "-[:SHOWS {position: 0}]->(:Photo {id: $post, owner_id: $id, state: 'ready'})",
        id=author.id,
        post=post_id,
        place={"latitude": -54.81, "longitude": -68.31},
    )
    return post_id


def posts_by_hour(driver: neo4j.Driver) -> int:
    return sum(row["posts"] for row in ask(driver, "by_hour"))


def reports_of(driver: neo4j.Driver, reason: str) -> int:
    return sum(row["reports"] for row in ask(driver, "reports") if row["reason"] == reason)
