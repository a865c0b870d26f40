"""The responses of one API process while a store is unavailable to it."""

import secrets
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.eventually import eventually
from tests.support.people import Person, assert_problem, send_post
from tests.support.town import Town
from tests.support.transports import ApiResponse
from tests.system.outages.gateway import Gateway

DEGRADED = "Photofeed-Degraded"
AT_ONCE_SECONDS = 0.5


@pytest.fixture
def author(gateway: Gateway) -> Person:
    author = gateway.builders.new_user()
    for _ in range(3):
        gateway.builders.publish(author)
    return author


def open_circuit(gateway: Gateway, person: Person) -> None:
    """Sends the request that meets the outage and opens the graph's circuit."""
    assert_problem(person.get("/v1/me"), 503, "graph-unavailable")
    eventually(lambda: gateway.graph.circuit_open)


def requests_that_need_the_graph(
    gateway: Gateway, author: Person, *, reader: Person, stranger: Person
) -> list[Callable[[], ApiResponse]]:
    """Writes, and reads of data that is not in the cache."""
    draft, newest = gateway.builders.draft(author), reader.feed()[0]
    return [
        lambda: send_post(author, draft),
        lambda: stranger.put(f"/v1/me/following/{author.id}"),
        lambda: reader.delete(f"/v1/me/following/{author.id}"),
        lambda: stranger.put(f"/v1/me/blocks/{author.id}"),
        lambda: author.delete(f"/v1/posts/{newest}"),
        lambda: author.patch("/v1/me", json={"name": "Another"}),
        lambda: reader.delete("/v1/me/sessions/current"),
        lambda: stranger.get("/v1/me/feed"),
        lambda: stranger.get(f"/v1/posts/{newest}"),
    ]


def test_no_response_is_marked_without_an_outage(gateway: Gateway, author: Person) -> None:
    reader = gateway.reader_of(author)
    assert DEGRADED not in reader.get("/v1/me/feed").headers
    gateway.storage.timelines.drop(reader.id)
    assert DEGRADED not in reader.get("/v1/me/feed").headers, "from the graph, which is up"


# Case 32
def test_without_the_graph_cached_feeds_are_marked_and_everything_else_is_503_at_once(
    gateway: Gateway, author: Person
) -> None:
    reader = gateway.reader_of(author)
    expected, draft = reader.feed(), gateway.builders.draft(author)
    first = reader.read("/v1/me/feed?limit=1")
    stranger = gateway.builders.new_user()
    stranger.get("/v1/me")  # the cache has the session from here on, and no timeline
    gateway.storage.timelines.drop(stranger.id)
    requests = requests_that_need_the_graph(gateway, author, reader=reader, stranger=stranger)
    with gateway.to.graph.outage():
        open_circuit(gateway, reader)
        for path in ("/v1/me/feed?limit=100", f"/v1/me/feed?cursor={first['next']}&limit=1"):
            response = reader.get(path)
            assert (response.status_code, response.headers[DEGRADED]) == (200, "graph")
        assert reader.feed() == expected
        for send in requests:
            began = time.monotonic()
            response = send()
            assert_problem(response, 503, "graph-unavailable")
            assert time.monotonic() - began < AT_ONCE_SECONDS
            assert DEGRADED not in response.headers
    eventually(lambda: not gateway.graph.circuit_open)
    assert DEGRADED not in reader.get("/v1/me/feed").headers
    assert reader.feed() == expected, "no request has had an effect"
    assert send_post(author, draft).status_code == 201


# Case 32
def test_without_the_graph_a_page_with_a_missing_body_is_503(
    gateway: Gateway, author: Person
) -> None:
    reader = gateway.reader_of(author)
    expected = reader.feed()
    gateway.storage.bodies.discard(expected[1:2])
    with gateway.to.graph.outage():
        open_circuit(gateway, reader)
        assert_problem(reader.get("/v1/me/feed"), 503, "graph-unavailable")
    eventually(lambda: not gateway.graph.circuit_open)
    assert reader.feed() == expected


# Case 32
def test_a_post_whose_commit_got_no_answer_is_settled_by_its_key(
    gateway: Gateway, author: Person
) -> None:
    draft, key = gateway.builders.draft(author), secrets.token_hex(8)
    hold = gateway.to.graph.hold(b"'post-published'", side="answer")
    with ThreadPoolExecutor(1) as pool:
        request = pool.submit(send_post, author, draft, key)
        hold.wait()
        gateway.to.graph.down()
        assert_problem(request.result(30), 503, "graph-unavailable")
    gateway.to.graph.up()
    eventually(lambda: not gateway.graph.circuit_open)
    response = send_post(author, draft, key)
    assert response.status_code == 200
    assert author.feed()[0] == int(response.json["id"])
    assert len(author.feed()) == 4


# Cases 18 and 19
def test_without_the_cache_feeds_from_the_graph_are_marked_and_removals_are_503(
    gateway: Gateway, author: Person
) -> None:
    reader = gateway.reader_of(author)
    expected = reader.feed()
    new = gateway.builders.new_user()
    with gateway.to.cache.outage():
        for person in (reader, new):
            response = person.get("/v1/me/feed?limit=100")
            assert (response.status_code, response.headers[DEGRADED]) == (200, "cache")
        assert reader.feed() == expected
        newest = reader.read("/v1/me/feed?limit=1")
        response = reader.get(f"/v1/me/feed?cursor={newest['prev']}")
        assert (response.json["posts"], response.headers[DEGRADED]) == ([], "cache")
        assert_problem(reader.delete(f"/v1/me/following/{author.id}"), 503, "cache-unavailable")
        assert_problem(author.delete(f"/v1/posts/{expected[0]}"), 503, "cache-unavailable")
        post = gateway.builders.publish(author)
        assert int(post["id"]) in author.feed()
    eventually(lambda: DEGRADED not in author.get("/v1/me/feed").headers)
    # The refused requests have changed the graph: the same requests finish their work.
    assert author.delete(f"/v1/posts/{expected[0]}").status_code == 204
    assert reader.delete(f"/v1/me/following/{author.id}").status_code == 204
    assert reader.feed() == []
    assert author.feed() == [int(post["id"]), *expected[1:]]


# Cases 19 and 32
def test_without_graph_and_cache_a_feed_is_503_at_once(gateway: Gateway, author: Person) -> None:
    reader = gateway.reader_of(author)
    with gateway.to.graph.outage(), gateway.to.cache.outage():
        for _ in range(8):  # until both circuits are open
            reader.get("/v1/me/feed")
        began = time.monotonic()
        assert_problem(reader.get("/v1/me/feed"), 503, "graph-unavailable")
        assert time.monotonic() - began < AT_ONCE_SECONDS


# Case 17
def test_without_the_queue_a_post_is_201_and_no_response_is_marked(
    gateway: Gateway, author: Person, graph_town: Town
) -> None:
    with gateway.to.queue.outage():
        post = gateway.builders.publish(author)
        response = author.get("/v1/me/feed")
        assert response.json["posts"][0] == post
        assert DEGRADED not in response.headers
    kinds = {event.subject_id: event.kind for event in graph_town.events_of(author.id)}
    assert kinds[int(post["id"])] == "post-published"


# Case 38
def test_without_s3_completions_are_503_and_feeds_and_posts_succeed(
    gateway: Gateway, author: Person
) -> None:
    reader = gateway.reader_of(author)
    photo = gateway.builders.photo_waiting(author)
    with gateway.to.s3.outage():
        assert_problem(author.post(f"/v1/me/photos/{photo}/complete"), 503, "s3-unavailable")
        assert author.read(f"/v1/me/photos/{photo}")["state"] == "waiting"
        post = gateway.builders.publish(author)
        assert int(post["id"]) in author.feed()
        assert reader.get("/v1/me/feed").status_code == 200
    assert_problem(author.post(f"/v1/me/photos/{photo}/complete"), 409, "nothing-uploaded")


# Case 38
def test_a_silent_s3_delays_a_completion_for_less_than_5_s(
    gateway: Gateway, author: Person
) -> None:
    photo = gateway.builders.photo_waiting(author)
    gateway.to.s3.swallow()
    began = time.monotonic()
    assert_problem(author.post(f"/v1/me/photos/{photo}/complete"), 503, "s3-unavailable")
    assert time.monotonic() - began < 5
    gateway.to.s3.resume()
