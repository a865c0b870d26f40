"""Web processes killed, stopped and cut off while they publish: cases 1 to 5."""

import secrets
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from http import HTTPStatus
from typing import Any

import neo4j
import pytest
import requests

from drill.support.proxy import Hold, Side
from tests.support.eventually import eventually
from tests.support.stage import Stage
from tests.system.journeys.people import B_SECONDS, Person
from tests.system.kills.site import Proxies, Site

MADE = {HTTPStatus.OK, HTTPStatus.CREATED}


class Author:
    """A person who posts one photo under one key, at whichever process they are sent to."""

    def __init__(self, stage: Stage, url: str) -> None:
        self._stage = stage
        self._person = Person(url, "author")
        self.id = self._person.id
        self.photo = stage.town.photo(self.id)
        self.follower = stage.town.user()
        stage.town.post(self.follower)  # the statement is planned by now, however busy the graph
        stage.town.add_followees(self.follower, self.id)
        stage.build(self.follower)
        self._key = secrets.token_hex(8)

    def post(self, url: str, *, caption: str = "") -> requests.Response:
        twin = self._person.again()
        twin.url = url
        body = {"photo_ids": [str(self.photo)], "caption": caption or "a photo"}
        return twin.call("POST", "/v1/me/feed", json=body, headers={"Idempotency-Key": self._key})

    def made(self, url: str) -> int:
        """The same again until it is made, or known to be: the post."""

        def once() -> requests.Response | None:
            answer = self.post(url)
            assert answer.status_code in MADE or answer.status_code == 503, answer.text
            return answer if answer.status_code in MADE else None

        answer = eventually(once, seconds=B_SECONDS, every=0.2)
        assert answer is not None
        return int(answer.json()["id"])

    def delete(self, url: str, post_id: int) -> None:
        twin = self._person.again()
        twin.url = url
        answer = twin.call("DELETE", f"/v1/posts/{post_id}")
        assert answer.status_code == HTTPStatus.NO_CONTENT, answer.text

    def get(self, url: str, path: str) -> requests.Response:
        twin = self._person.again()
        twin.url = url
        return twin.call("GET", path)

    def posts(self) -> list[int]:
        """Every post of theirs that exists, by any road."""
        rows = self._stage.town.query(
            "MATCH (post:Post {author_id: $id}) RETURN post.id AS id", id=self.id
        )
        return [row["id"] for row in rows]


@pytest.fixture(scope="module")
def steady(servers: Site) -> Iterator[str]:
    """A web process that nothing happens to."""
    api, url = servers.api(lasting=True)
    yield url
    api.kill()


@pytest.fixture(scope="module")
def background() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as pool:
        yield pool


def ended(request: "Future[requests.Response]") -> bool:
    """Whether the client was left without an answer."""
    return isinstance(request.exception(30), requests.RequestException)


# Case 1
def test_a_post_whose_process_was_killed_after_the_commit_reaches_everyone_unaided(
    stage: Stage, site: Site, steady: str, background: ThreadPoolExecutor
) -> None:
    author = Author(stage, steady)
    doomed, url = site.api()
    site.worker("fanout")
    hold = doomed.to.hold_query("posts/create", side="answer")
    request = background.submit(author.post, url)
    hold.wait()
    [post] = eventually(author.posts)
    doomed.kill()
    assert ended(request)
    assert author.posts() == [post]
    site.worker("sweeper")
    eventually(lambda: stage.entries(author.follower)[-1] == post, seconds=B_SECONDS)
    stage.check_feed(author.follower)
    assert author.made(steady) == post
    assert author.posts() == [post]


# Case 2
def test_a_post_whose_process_was_killed_before_the_commit_does_not_exist_until_the_retry(
    stage: Stage, site: Site, steady: str, background: ThreadPoolExecutor
) -> None:
    author = Author(stage, steady)
    doomed, url = site.api()
    hold = doomed.to.hold_query("posts/create")
    request = background.submit(author.post, url)
    hold.wait()
    doomed.kill()
    hold.release()
    assert ended(request)
    assert author.posts() == []
    assert not stage.town.events_of(author.id)
    post = author.made(steady)
    assert author.posts() == [post]


# Case 3
@pytest.mark.parametrize("side", ["request", "answer"])
def test_a_connection_cut_inside_the_commit_is_503_and_the_key_settles_it(
    stage: Stage, site: Site, steady: str, background: ThreadPoolExecutor, side: Side
) -> None:
    author = Author(stage, steady)
    api, url = site.api()
    hold = api.to.hold_query("posts/create", side=side)
    request = background.submit(author.post, url)
    hold.wait()
    if side == "answer":
        eventually(author.posts)
    with api.to.graph.outage():
        answer = request.result(30)
        assert answer.status_code == HTTPStatus.SERVICE_UNAVAILABLE, answer.text
        assert int(answer.headers["Retry-After"]) >= 1
    committed = author.posts()
    assert len(committed) == (side == "answer")
    post = author.made(url)
    assert author.posts() == [post]
    assert committed in ([], [post])
    assert author.made(steady) == post


# Case 4
def test_a_first_try_that_was_killed_does_not_hold_its_key(
    stage: Stage,
    site: Site,
    steady: str,
    background: ThreadPoolExecutor,
    driver: neo4j.Driver,
) -> None:
    author = Author(stage, steady)
    doomed, url = site.api()
    with driver.session() as session, session.begin_transaction() as lock:
        lock.run("MATCH (photo:Photo {id: $id}) SET photo.locked = true", id=author.photo)
        first = background.submit(author.post, url)
        eventually(lambda: waiting_for_a_lock(driver), seconds=20)
        doomed.kill()
        assert ended(first)
        second = background.submit(author.post, steady)
        eventually(lambda: waiting_for_a_lock(driver), seconds=20)
        lock.rollback()
    answer = second.result(30)
    assert answer.status_code in MADE, answer.text
    assert author.posts() == [int(answer.json()["id"])]
    other_body = author.post(steady, caption="another")
    assert other_body.status_code == HTTPStatus.UNPROCESSABLE_ENTITY, other_body.text


# Case 4
def test_of_two_at_once_at_two_processes_one_makes_the_post_and_the_other_tells_it(
    stage: Stage, site: Site, steady: str, background: ThreadPoolExecutor
) -> None:
    author = Author(stage, steady)
    api, url = site.api()
    hold = api.to.hold_query("posts/create", side="answer")
    first = background.submit(author.post, url)
    hold.wait()
    eventually(author.posts)
    second = author.post(steady)
    assert second.status_code == HTTPStatus.OK, second.text
    hold.release()
    answer = first.result(30)
    assert answer.status_code == HTTPStatus.CREATED, answer.text
    assert answer.json() == second.json()
    assert author.posts() == [int(second.json()["id"])]


def after_the_commit(to: Proxies) -> Hold:
    return to.hold_query("posts/create", side="answer")


def while_the_body_is_on_its_way(to: Proxies) -> Hold:
    return to.cache.hold(b'{"id":"')


# Case 5
@pytest.mark.parametrize("step", [after_the_commit, while_the_body_is_on_its_way])
def test_a_process_that_was_stopped_does_not_revive_what_another_deleted(
    stage: Stage,
    site: Site,
    steady: str,
    background: ThreadPoolExecutor,
    step: Any,
) -> None:
    author = Author(stage, steady)
    api, url = site.api()
    hold = step(api.to)
    request = background.submit(author.post, url)
    hold.wait()
    [post] = eventually(author.posts)
    api.stop()
    hold.release()  # the answer lies in the stopped process's socket
    author.delete(steady, post)
    stage.evict(f"p:{post}")  # nor is the tombstone what keeps it away
    api.go_on()
    request.exception(30)
    for where in (steady, url):
        assert author.get(where, f"/v1/posts/{post}").status_code == HTTPStatus.NOT_FOUND
        assert author.get(where, "/v1/me/feed").json()["posts"] == []
    assert not stage.storage.bodies.read_many([post])[post]
    stage.check_feed(author.follower)


def waiting_for_a_lock(driver: neo4j.Driver) -> bool:
    rows = driver.execute_query(
        "SHOW TRANSACTIONS YIELD status, currentQuery WHERE status STARTS WITH 'Blocked'"
        " AND currentQuery CONTAINS 'IdempotencyKey' RETURN currentQuery"
    ).records
    return bool(rows)
