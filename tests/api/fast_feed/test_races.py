"""Changes that arrive while a page is being read, each held at a proxy before the cache."""

import random
import secrets
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from environs import Env

from api.services import sessions
from api.services.tokens import Token
from drill.support.proxy import Proxy, proxied
from graph import Graph
from storage import StorageSettings, changes
from storage.bodies import body_key
from storage.redis import pipeline
from storage.redis.partitions import partition_of
from storage.sessions import copy_key
from storage.timeline_layout import timeline_key
from tests.api.fast_feed.conftest import Open
from tests.support.eventually import eventually
from tests.support.fast_feed import FastFeedProcess
from tests.support.front import differences
from tests.support.people import A_DAY, Builders, Person, post_ids
from tests.support.tokens import TOKENS
from tests.support.transports import ApiResponse

PATH = "/v1/me/feed"
SECONDS = 30
ROUNDS = 40


@dataclass(frozen=True)
class Held:
    """A process whose connections to the cache can be held, and another that writes."""

    process: FastFeedProcess
    proxy: Proxy
    writer: FastFeedProcess

    def new_reader(self, builders: Builders) -> Person:
        """A user with three posts, a timeline and a cached session."""
        reader = builders.new_user(name="Old Name")
        for _ in range(3):
            builders.publish(reader)
        for _ in range(2):
            self.writer.get(reader, PATH)
        return reader

    def newest(self, reader: Person) -> int:
        return post_ids(self.writer.get(reader, PATH).json)[0]

    def keeps_body(self, post_id: int) -> bool:
        return self.process.front._copies._bodies.entries.get(post_id) is not None

    def keeps_session(self, session_id: int) -> bool:
        return session_id in self.process.front._copies._sessions.entries

    def assert_as_the_view(self, reader: Person) -> ApiResponse:
        response = self.process.get(reader, PATH)
        assert differences(response, self.process.view(reader, PATH)) == {}
        return response


@pytest.fixture(scope="module")
def held(open_process: Open) -> Iterator[Held]:
    proxy, url = proxied(StorageSettings.from_env(Env()).cache_url)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pipeline, "TIMEOUT_SECONDS", float(SECONDS))  # a hold is no failure
        yield Held(open_process(cache_url=url), proxy, open_process(rebuilds=True))
        proxy.close()


@pytest.fixture(scope="module")
def builders(held: Held, graph: Graph) -> Builders:
    return Builders(held.writer.app, graph)


@pytest.mark.parametrize("side", ["request", "answer"])
def test_a_post_deleted_between_the_reads_of_entries_and_bodies_is_not_shown_later(
    held: Held, builders: Builders, side: str
) -> None:
    reader = held.new_reader(builders)
    post_id = held.newest(reader)
    hold = held.proxy.hold(body_key(post_id).encode(), side=side)  # type: ignore[arg-type]
    response = held.process.begin(reader)
    hold.wait()
    assert reader.delete(f"/v1/posts/{post_id}").status_code == 204
    hold.release()
    shown = post_ids(response.result(SECONDS).json)
    assert (post_id in shown) == (side == "answer"), "it was read before its deletion"
    assert post_id not in post_ids(held.assert_as_the_view(reader).json)


@pytest.mark.parametrize("side", ["request", "answer"])
def test_a_name_changed_between_the_reads_is_the_new_one_later(
    held: Held, builders: Builders, side: str
) -> None:
    reader = held.new_reader(builders)
    hold = held.proxy.hold(body_key(held.newest(reader)).encode(), side=side)  # type: ignore[arg-type]
    response = held.process.begin(reader)
    hold.wait()
    assert reader.patch("/v1/me", json={"name": "New Name"}).status_code == 200
    hold.release()
    assert response.result(SECONDS).status_code == 200
    for _ in range(2):
        assert "Old Name" not in held.assert_as_the_view(reader).text


def test_a_list_dropped_between_the_reads_of_entries_and_bodies_is_not_shown_later(
    held: Held, builders: Builders
) -> None:
    reader, followee = held.new_reader(builders), held.new_reader(builders)
    reader.follow(followee)
    for _ in range(2):
        held.writer.get(reader, PATH)
    followed = held.newest(followee)
    hold = held.proxy.hold(body_key(followed).encode())
    response = held.process.begin(reader)
    hold.wait()
    assert reader.delete(f"/v1/me/following/{followee.id}").status_code == 204
    hold.release()
    assert response.result(SECONDS).status_code == 200
    assert followed not in post_ids(held.assert_as_the_view(reader).json)


@pytest.mark.parametrize("side", ["request", "answer"])
def test_a_session_that_ends_while_it_is_read_is_not_accepted_later(
    held: Held, builders: Builders, graph: Graph, side: str
) -> None:
    reader, token = new_session(held, builders, graph)
    pattern = copy_key(reader.id, token.session_id).encode()
    hold = held.proxy.hold(pattern, side=side)  # type: ignore[arg-type]
    response = held.process.begin(reader)
    hold.wait()
    assert reader.delete("/v1/me/sessions/current").status_code == 204
    hold.release()
    assert response.result(SECONDS).status_code in {200, 401}
    assert held.process.get(reader, PATH).status_code == 401
    assert not held.keeps_session(token.session_id)


@pytest.mark.parametrize("side", ["request", "answer"])
def test_a_session_that_ends_while_a_page_is_read_with_its_copy_is_not_accepted_later(
    held: Held, builders: Builders, graph: Graph, side: str
) -> None:
    reader, token = new_session(held, builders, graph)
    assert held.process.get(reader, PATH).status_code == 200
    assert held.keeps_session(token.session_id)
    newest_change = changes.KEYS[partition_of(reader.id)][0]
    hold = held.proxy.hold(newest_change, side=side)  # type: ignore[arg-type]
    response = held.process.begin(reader)
    hold.wait()
    assert reader.delete("/v1/me/sessions/current").status_code == 204
    hold.release()
    assert response.result(SECONDS).status_code == (401 if side == "request" else 200)
    assert held.process.get(reader, PATH).status_code == 401
    assert not held.keeps_session(token.session_id)


def test_a_session_that_is_read_again_and_ends_meanwhile_is_not_kept(
    held: Held, builders: Builders, graph: Graph
) -> None:
    reader, token = new_session(held, builders, graph)
    assert held.process.get(reader, PATH).status_code == 200
    first = held.proxy.hold(changes.KEYS[partition_of(reader.id)][0])
    response = held.process.begin(reader)
    first.wait()
    held.writer.storage.changes.announce([changes.session(token.session_id)])  # it has not ended
    second = held.proxy.hold(copy_key(reader.id, token.session_id).encode(), side="answer")
    first.release()
    second.wait()
    assert reader.delete("/v1/me/sessions/current").status_code == 204
    second.release()
    assert response.result(SECONDS).status_code == 200, "it began before the end"
    assert not held.keeps_session(token.session_id)
    assert held.process.get(reader, PATH).status_code == 401


def test_copies_dropped_between_the_reads_leave_no_page_of_before(
    held: Held, builders: Builders
) -> None:
    reader = held.new_reader(builders)
    post_id = held.newest(reader)
    hold = held.proxy.hold(body_key(post_id).encode(), side="answer")
    response = held.process.begin(reader)
    hold.wait()
    for number in range(changes.LOG_LENGTH + 5):  # further behind than the log: a reset
        held.writer.storage.changes.announce([changes.post(number + 1)])
    assert reader.delete(f"/v1/posts/{post_id}").status_code == 204
    hold.release()
    assert response.result(SECONDS).status_code == 200
    assert post_id not in post_ids(held.assert_as_the_view(reader).json)


@pytest.mark.parametrize("pattern", ["entries", "bodies"])
def test_a_connection_lost_between_the_reads_costs_no_page_and_leaves_no_copy(
    held: Held, builders: Builders, pattern: str
) -> None:
    reader = held.new_reader(builders)
    post_id = held.newest(reader)
    held.process.get(reader, PATH)
    assert held.keeps_body(post_id)
    held.process.forget_pages()
    held.process.front._copies._bodies.pop(post_id)
    key = body_key(post_id).encode() if pattern == "bodies" else timeline_key(reader.id)
    hold = held.proxy.hold(key)
    response = held.process.begin(reader)
    hold.wait()
    held.proxy.cut()
    hold.release()
    result = response.result(SECONDS)
    assert result.status_code == 200
    assert post_ids(result.json)[0] == post_id
    assert reader.delete(f"/v1/posts/{post_id}").status_code == 204
    eventually(lambda: "Photofeed-Degraded" not in held.process.view(reader, PATH).headers)
    assert post_id not in post_ids(held.assert_as_the_view(reader).json)
    assert not held.process.forwarded


def test_a_new_connection_keeps_neither_copies_nor_pages(held: Held, builders: Builders) -> None:
    reader = held.new_reader(builders)
    post_id = held.newest(reader)
    before = held.process.get(reader, PATH)
    body = b'{"id":"%d","author":{"id":"%d"},"of":"another server"}' % (post_id, reader.id)
    held.writer.storage.cache.client.set(body_key(post_id), body)  # the same change, another body
    assert differences(held.process.get(reader, PATH), before) == {}
    held.proxy.cut()
    eventually(lambda: "Photofeed-Degraded" not in held.process.view(reader, PATH).headers)
    eventually(lambda: held.process.get(reader, PATH) and not held.process.forwarded)
    assert "another server" in held.assert_as_the_view(reader).text


def test_a_page_of_a_body_that_another_request_drops_meanwhile_is_not_kept_as_current(
    held: Held, builders: Builders
) -> None:
    reader, other = held.new_reader(builders), held.new_reader(builders)
    for person in (reader, other):
        held.process.get(person, PATH)
    newest, *_, oldest = post_ids(held.process.get(reader, PATH).json)
    held.process.forget_pages()
    held.process.front._copies._bodies.pop(oldest)  # so that one body has to be read
    hold = held.proxy.hold(timeline_key(reader.id), side="answer")
    response = held.process.begin(reader)
    hold.wait()
    assert reader.delete(f"/v1/posts/{newest}").status_code == 204
    others = held.process.begin(other)  # its reply tells of the deletion, before the body comes
    link = held.process.storage.loop_cache._link
    assert link
    eventually(lambda: len(link._waiting) > 1)
    hold.release()
    assert newest in post_ids(response.result(SECONDS).json), "it began before the deletion"
    assert others.result(SECONDS).status_code == 200
    assert newest not in post_ids(held.assert_as_the_view(reader).json)


def test_changes_under_many_requests_at_once_are_shown_to_the_next_one(
    held: Held, builders: Builders
) -> None:
    seed = secrets.randbelow(10**6)
    print(f"seed {seed}")
    chance = random.Random(seed)
    readers = [held.new_reader(builders) for _ in range(3)]
    for number in range(ROUNDS):
        author = chance.choice(readers)
        name = f"Name {number}"
        before = [held.process.begin(chance.choice(readers)) for _ in range(20)]
        if chance.random() < 0.5:
            assert author.patch("/v1/me", json={"name": name}).status_code == 200
            during = [held.process.begin(author) for _ in range(5)]
            held.process.begin(author).result(SECONDS)
            for response in during:
                assert f'"name":"{name}"' in response.result(SECONDS).text
        else:
            post_id = int(builders.publish(author)["id"])
            assert post_id in post_ids(held.process.get(author, PATH).json)
            assert author.delete(f"/v1/posts/{post_id}").status_code == 204
            during = [held.process.begin(author) for _ in range(5)]
            for response in during:
                assert post_id not in post_ids(response.result(SECONDS).json)
        for response in before:
            assert response.result(SECONDS).status_code == 200
        held.assert_as_the_view(author)


def new_session(held: Held, builders: Builders, graph: Graph) -> tuple[Person, Token]:
    """A reader with one more session, which the cache has."""
    person = held.new_reader(builders)
    token = sessions.create(graph, held.writer.storage, person.id, lifetime=A_DAY).token
    reader = person.on(person.transport, TOKENS.sign(token))
    held.writer.view(reader, PATH)
    held.process.get(person, PATH)  # the copies of bodies are warm, and the changes applied
    return reader, token
