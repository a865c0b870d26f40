"""Web processes killed, paused and cut off while they publish (cases 1 to 5)."""

import secrets
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from http import HTTPStatus

import neo4j
import pytest
import requests

from drill.support.proxy import Hold, Side
from storage.reservations import FILL
from tests.support.eventually import eventually
from tests.support.people import send_post, sign_up
from tests.support.proxies import Proxies
from tests.support.stage import Stage
from tests.support.transports import ApiResponse, HttpTransport
from tests.system.kills.processes import Processes

PUBLISHED = {HTTPStatus.OK, HTTPStatus.CREATED}


class Author:
    """A user who publishes one photo with one key, through the process of the URL given."""

    def __init__(self, stage: Stage, url: str) -> None:
        self._stage = stage
        self._person = sign_up(HttpTransport(url), "author")
        self.id = self._person.id
        self.photo = stage.town.photo(self.id)
        self.follower = stage.town.user()
        stage.town.post(self.follower)  # the graph has the plan of the statement from here on
        stage.town.add_followees(self.follower, self.id)
        stage.build(self.follower)
        self._key = secrets.token_hex(8)

    def publish(self, url: str, *, caption: str = "a photo") -> ApiResponse:
        draft = {"photo_ids": [str(self.photo)], "caption": caption}
        return send_post(self._person.on(HttpTransport(url)), draft, self._key)

    def publish_until_done(self, url: str) -> int:
        """Repeats the request while it is 503; the post's id."""

        def response() -> ApiResponse | None:
            response = self.publish(url)
            is_done = response.status_code in PUBLISHED
            assert is_done or response.status_code == 503, response.text
            return response if is_done else None

        done = eventually(response, every=0.2)
        assert done
        return int(done.json["id"])

    def delete(self, url: str, post_id: int) -> None:
        response = self._person.on(HttpTransport(url)).delete(f"/v1/posts/{post_id}")
        assert response.status_code == HTTPStatus.NO_CONTENT, response.text

    def get(self, url: str, path: str) -> ApiResponse:
        return self._person.on(HttpTransport(url)).get(path)

    def posts(self) -> list[int]:
        """The ids of all posts of the author that exist in the graph."""
        rows = self._stage.town.query(
            "MATCH (post:Post {author_id: $id}) RETURN post.id AS id", id=self.id
        )
        return [row["id"] for row in rows]


@pytest.fixture(scope="module")
def steady_url(session_processes: Processes) -> Iterator[str]:
    """The URL of a web process without faults."""
    api, url = session_processes.start_api(of_session=True)
    yield url
    api.kill()


@pytest.fixture(scope="module")
def background() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as pool:
        yield pool


def got_no_response(request: "Future[ApiResponse]") -> bool:
    return isinstance(request.exception(30), requests.RequestException)


# Case 1
def test_a_post_committed_before_the_kill_reaches_everyone_without_a_retry(
    stage: Stage, processes: Processes, steady_url: str, background: ThreadPoolExecutor
) -> None:
    author = Author(stage, steady_url)
    api, url = processes.start_api()
    processes.start_worker("fanout")
    hold = api.to.hold_query("posts/create", side="answer")
    request = background.submit(author.publish, url)
    hold.wait()
    [post] = eventually(author.posts)
    api.kill()
    assert got_no_response(request)
    assert author.posts() == [post]
    processes.start_worker("sweeper")
    eventually(lambda: post in stage.entries(author.follower))
    stage.check_feed(author.follower)
    assert author.publish_until_done(steady_url) == post
    assert author.posts() == [post]


# Case 2
def test_a_post_not_committed_before_the_kill_exists_only_after_the_retry(
    stage: Stage, processes: Processes, steady_url: str, background: ThreadPoolExecutor
) -> None:
    author = Author(stage, steady_url)
    api, url = processes.start_api()
    hold = api.to.hold_query("posts/create")
    request = background.submit(author.publish, url)
    hold.wait()
    api.kill()
    hold.release()
    assert got_no_response(request)
    assert author.posts() == []
    assert not stage.town.events_of(author.id)
    post = author.publish_until_done(steady_url)
    assert author.posts() == [post]


# Case 3
@pytest.mark.parametrize("side", ["request", "answer"])
def test_a_connection_cut_during_the_commit_is_503_and_a_retry_settles_it(
    stage: Stage, processes: Processes, steady_url: str, background: ThreadPoolExecutor, side: Side
) -> None:
    author = Author(stage, steady_url)
    api, url = processes.start_api()
    hold = api.to.hold_query("posts/create", side=side)
    request = background.submit(author.publish, url)
    hold.wait()
    if side == "answer":
        eventually(author.posts)
    with api.to.graph.outage():
        response = request.result(30)
        assert response.status_code == HTTPStatus.SERVICE_UNAVAILABLE, response.text
        assert int(response.headers["Retry-After"]) >= 1
    committed = author.posts()
    assert len(committed) == (side == "answer")
    post = author.publish_until_done(url)
    assert author.posts() == [post]
    assert committed in ([], [post])
    assert author.publish_until_done(steady_url) == post


# Case 4
def test_a_first_request_that_was_killed_does_not_hold_its_key(
    stage: Stage,
    processes: Processes,
    steady_url: str,
    background: ThreadPoolExecutor,
    driver: neo4j.Driver,
) -> None:
    author = Author(stage, steady_url)
    api, url = processes.start_api()
    with driver.session() as session, session.begin_transaction() as lock:
        lock.run("MATCH (photo:Photo {id: $id}) SET photo.locked = true", id=author.photo)
        first = background.submit(author.publish, url)
        eventually(lambda: a_key_waits_for_a_lock(driver))
        api.kill()
        assert got_no_response(first)
        second = background.submit(author.publish, steady_url)
        eventually(lambda: a_key_waits_for_a_lock(driver))
        lock.rollback()
    response = second.result(30)
    assert response.status_code in PUBLISHED, response.text
    assert author.posts() == [int(response.json["id"])]
    other_body = author.publish(steady_url, caption="another")
    assert other_body.status_code == HTTPStatus.UNPROCESSABLE_ENTITY, other_body.text


def a_key_waits_for_a_lock(driver: neo4j.Driver) -> bool:
    rows = driver.execute_query(
        "SHOW TRANSACTIONS YIELD status, currentQuery WHERE status STARTS WITH 'Blocked'"
        " AND currentQuery CONTAINS 'IdempotencyKey' RETURN currentQuery"
    ).records
    return bool(rows)


# Case 4
def test_of_two_concurrent_requests_with_one_key_one_creates_the_post(
    stage: Stage, processes: Processes, steady_url: str, background: ThreadPoolExecutor
) -> None:
    author = Author(stage, steady_url)
    api, url = processes.start_api()
    hold = api.to.hold_query("posts/create", side="answer")
    first = background.submit(author.publish, url)
    hold.wait()
    eventually(author.posts)
    second = author.publish(steady_url)
    assert second.status_code == HTTPStatus.OK, second.text
    hold.release()
    response = first.result(30)
    assert response.status_code == HTTPStatus.CREATED, response.text
    assert response.json == second.json
    assert author.posts() == [int(second.json["id"])]


def after_the_commit(to: Proxies) -> Hold:
    return to.hold_query("posts/create", side="answer")


def before_the_body_is_written(to: Proxies) -> Hold:
    return to.cache.hold(FILL.digest)


# Case 5
@pytest.mark.parametrize("step", [after_the_commit, before_the_body_is_written])
def test_a_paused_process_does_not_revive_a_post_that_was_deleted_meanwhile(
    stage: Stage,
    processes: Processes,
    steady_url: str,
    background: ThreadPoolExecutor,
    step: Callable[[Proxies], Hold],
) -> None:
    author = Author(stage, steady_url)
    api, url = processes.start_api()
    hold = step(api.to)
    request = background.submit(author.publish, url)
    hold.wait()
    [post] = eventually(author.posts)
    api.pause()
    hold.release()  # the reply is in the socket of the paused process
    author.delete(steady_url, post)
    stage.evict(f"p:{post}")  # no tombstone refuses the body either
    api.resume()
    request.exception(30)
    for server in (steady_url, url):
        assert author.get(server, f"/v1/posts/{post}").status_code == HTTPStatus.NOT_FOUND
        assert author.get(server, "/v1/me/feed").json["posts"] == []
    assert not stage.storage.bodies.read_many([post])[post]
    stage.check_feed(author.follower)
