"""What a client is told while a store is away from one API process."""

import secrets
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.eventually import eventually
from tests.support.people import Person, assert_problem, send_post
from tests.support.transports import ApiResponse
from tests.support.town import Town
from tests.system.outages.gateway import Gateway

DEGRADED = "Photofeed-Degraded"
AT_ONCE_SECONDS = 0.5


@pytest.fixture
def author(gateway: Gateway) -> Person:
    author = gateway.builders.new_user()
    for _ in range(3):
        gateway.builders.publish(author)
    return author


def away(gateway: Gateway, person: Person) -> None:
    """One request has found out."""
    assert_problem(person.get("/v1/me"), 503, "graph-unavailable")
    eventually(lambda: gateway.graph.circuit_open)


def without_the_graph(
    gateway: Gateway, author: Person, *, reader: Person, stranger: Person
) -> list[Callable[[], ApiResponse]]:
    """What cannot be done: every write, and reading what the cache has not."""
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


def test_nothing_is_marked_while_all_is_well(gateway: Gateway, author: Person) -> None:
    reader = gateway.reader_of(author)
    assert DEGRADED not in reader.get("/v1/me/feed").headers
    gateway.storage.timelines.drop(reader.id)
    assert DEGRADED not in reader.get("/v1/me/feed").headers  # from the graph, in good health


def test_without_the_graph_cached_feeds_go_on_marked_and_all_else_is_503_at_once(
    gateway: Gateway, author: Person
) -> None:
    """Case 32."""
    reader = gateway.reader_of(author)
    expected, draft = reader.feed(), gateway.builders.draft(author)
    first = reader.get("/v1/me/feed?limit=1").json
    stranger = gateway.builders.new_user()  # whose session the cache has, and no timeline
    stranger.get("/v1/me")
    gateway.storage.timelines.drop(stranger.id)
    refused = without_the_graph(gateway, author, reader=reader, stranger=stranger)
    with gateway.to_graph.outage():
        away(gateway, reader)
        for path in ("/v1/me/feed?limit=100", f"/v1/me/feed?cursor={first['next']}&limit=1"):
            answer = reader.get(path)
            assert (answer.status_code, answer.headers[DEGRADED]) == (200, "graph")
        assert reader.feed() == expected
        for ask in refused:
            began = time.monotonic()
            answer = ask()
            assert_problem(answer, 503, "graph-unavailable")
            assert time.monotonic() - began < AT_ONCE_SECONDS
            assert DEGRADED not in answer.headers
    eventually(lambda: not gateway.graph.circuit_open)
    assert DEGRADED not in reader.get("/v1/me/feed").headers
    assert reader.feed() == expected  # none of it was done
    assert send_post(author, draft).status_code == 201


def test_a_missing_body_is_never_left_out_of_a_page_for_want_of_the_graph(
    gateway: Gateway, author: Person
) -> None:
    """Case 32."""
    reader = gateway.reader_of(author)
    expected = reader.feed()
    gateway.storage.bodies.discard(expected[1:2])
    with gateway.to_graph.outage():
        away(gateway, reader)
        assert_problem(reader.get("/v1/me/feed"), 503, "graph-unavailable")
    eventually(lambda: not gateway.graph.circuit_open)
    assert reader.feed() == expected


def test_a_post_whose_commit_was_cut_off_is_settled_by_the_same_key(
    gateway: Gateway, author: Person
) -> None:
    """Case 32: a write without an answer."""
    draft, key = gateway.builders.draft(author), secrets.token_hex(8)
    hold = gateway.to_graph.hold(b"'post-published'", side="answer")
    with ThreadPoolExecutor(1) as pool:
        sending = pool.submit(send_post, author, draft, key)
        hold.wait()
        gateway.to_graph.down()
        assert_problem(sending.result(30), 503, "graph-unavailable")
    gateway.to_graph.up()
    eventually(lambda: not gateway.graph.circuit_open)
    answer = send_post(author, draft, key)
    assert answer.status_code == 200
    assert author.feed()[0] == int(answer.json["id"])
    assert len(author.feed()) == 4


def test_without_the_cache_feeds_come_from_the_graph_marked_and_what_must_reach_it_is_503(
    gateway: Gateway, author: Person
) -> None:
    """Cases 18 and 19, at the API."""
    reader = gateway.reader_of(author)
    expected = reader.feed()
    new = gateway.builders.new_user()
    with gateway.to_cache.outage():
        for ask in (reader.get, new.get):
            answer = ask("/v1/me/feed?limit=100")
            assert (answer.status_code, answer.headers[DEGRADED]) == (200, "cache")
        assert reader.feed() == expected
        newest = reader.get("/v1/me/feed?limit=1").json
        answer = reader.get(f"/v1/me/feed?cursor={newest['prev']}")
        assert (answer.json["posts"], answer.headers[DEGRADED]) == ([], "cache")
        assert_problem(reader.delete(f"/v1/me/following/{author.id}"), 503, "cache-unavailable")
        assert_problem(author.delete(f"/v1/posts/{expected[0]}"), 503, "cache-unavailable")
        post = gateway.builders.publish(author)
        assert int(post["id"]) in author.feed()
    eventually(lambda: DEGRADED not in author.get("/v1/me/feed").headers)
    # What was refused had reached the graph: the same requests finish the job
    assert author.delete(f"/v1/posts/{expected[0]}").status_code == 204
    assert reader.delete(f"/v1/me/following/{author.id}").status_code == 204
    assert reader.feed() == []
    assert author.feed() == [int(post["id"]), *expected[1:]]


def test_with_neither_graph_nor_cache_nothing_is_shown_and_nobody_is_held(
    gateway: Gateway, author: Person
) -> None:
    """Cases 19 and 32."""
    reader = gateway.reader_of(author)
    with gateway.to_graph.outage(), gateway.to_cache.outage():
        for _ in range(8):  # both circuits have heard of it
            reader.get("/v1/me/feed")
        began = time.monotonic()
        assert_problem(reader.get("/v1/me/feed"), 503, "graph-unavailable")
        assert time.monotonic() - began < AT_ONCE_SECONDS


def test_without_the_queue_a_post_is_201_and_marked_by_nothing(
    gateway: Gateway, author: Person, graph_town: Town
) -> None:
    """Case 17, at the API."""
    with gateway.to_queue.outage():
        post = gateway.builders.publish(author)
        answer = author.get("/v1/me/feed")
        assert answer.json["posts"][0] == post
        assert DEGRADED not in answer.headers
    owed = {event.subject_id: event.kind for event in graph_town.events_of(author.id)}
    assert owed[int(post["id"])] == "post-published"


def test_without_s3_uploads_fail_clearly_and_feeds_and_posts_go_on(
    gateway: Gateway, author: Person
) -> None:
    """Case 38, at the API."""
    reader = gateway.reader_of(author)
    waiting = gateway.builders.photo_waiting(author)
    with gateway.to_s3.outage():
        assert_problem(author.post(f"/v1/me/photos/{waiting}/complete"), 503, "s3-unavailable")
        assert author.get(f"/v1/me/photos/{waiting}").json["state"] == "waiting"
        post = gateway.builders.publish(author)
        assert int(post["id"]) in author.feed()
        assert reader.get("/v1/me/feed").status_code == 200
    assert_problem(author.post(f"/v1/me/photos/{waiting}/complete"), 409, "nothing-uploaded")


def test_an_s3_that_is_silent_holds_an_upload_for_seconds_and_nobody_else(
    gateway: Gateway, author: Person
) -> None:
    """Case 38, at the API."""
    waiting = gateway.builders.photo_waiting(author)
    gateway.to_s3.swallow()
    began = time.monotonic()
    assert_problem(author.post(f"/v1/me/photos/{waiting}/complete"), 503, "s3-unavailable")
    assert time.monotonic() - began < 5
    gateway.to_s3.resume()
