"""Each request that ends something drops the copies of other processes before its 2xx.

Another process has a copy; its next request must not use it. An announcement that fails is 503, and
the repeated request finishes the job; a new name fails open.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import pytest
from environs import Env
from flask import Flask

from api.services.tokens import Token, new_token
from feed.bodies import bodies_of
from graph import Graph
from storage import Storage, StorageSettings
from storage.changes import KEYS
from storage.redis.partitions import partition_of
from tests.support.local_copies import CopyingProcess
from tests.support.people import OTHER_PASSWORD, PASSWORD, Builders, Person, assert_problem
from tests.support.private_server import PrivateServer
from tests.support.tokens import TOKENS
from tests.support.transports import ApiResponse


@dataclass(frozen=True)
class Scene:
    """An app on a cache of this test alone, and another process that has copies."""

    builders: Builders
    storage: Storage
    cache: PrivateServer
    other: CopyingProcess
    viewer: int
    """Who reads at the other process."""

    def post(self, author: Person) -> int:
        """A post whose body the other process keeps."""
        post_id = int(self.builders.publish(author)["id"])
        bodies_of(self.builders.graph, self.storage, [post_id])
        assert self.body(post_id)
        assert self.other.has_body(post_id)
        return post_id

    def body(self, post_id: int) -> bytes | None:
        """What the other process would show."""
        return self.other.body(post_id, viewer_id=self.viewer)

    def session_of(self, person: Person) -> Token:
        """The person's session, which the other process keeps."""
        token = token_of(person)
        person.get("/v1/me")  # caches the session, for all processes
        for _ in range(2):
            assert self.accepts(token)
        assert self.other.has_session(token.session_id)
        return token

    def accepts(self, token: Token) -> bool:
        """Whether the other process accepts the session without the graph."""
        return self.other.session(token, viewer_id=self.viewer) is not None

    @contextmanager
    def refused_announcements(self) -> Iterator[None]:
        """The viewer's partition refuses every announcement; then it has its counter again."""
        newest, _log = KEYS[partition_of(self.viewer)]
        self.cache.client.rename(newest, b"saved")
        self.cache.client.rpush(newest, "of another type")
        yield
        self.cache.client.rename(b"saved", newest)


@pytest.fixture
def scene(cache: PrivateServer, app_on: Callable[..., Flask], graph: Graph) -> Iterator[Scene]:
    storage = Storage.open(replace(StorageSettings.from_env(Env()), cache_url=cache.url))
    app = app_on(cache_url=cache.url)
    builders = Builders(app, graph)
    yield Scene(builders, storage, cache, CopyingProcess(storage.cache), builders.new_user().id)
    storage.close()


def token_of(person: Person) -> Token:
    token = TOKENS.read(person.token)
    assert token
    return token


@dataclass(frozen=True)
class Writer:
    """A request, its status, and whether the other process still shows what it ends."""

    send: Callable[[], ApiResponse]
    status: int
    still_shown: Callable[[], bool]
    repeated_status: int | None = None


def deletion(scene: Scene) -> Writer:
    ana = scene.builders.new_user()
    post_id = scene.post(ana)
    return Writer(
        lambda: ana.delete(f"/v1/posts/{post_id}"), 204, lambda: scene.body(post_id) != b""
    )


def sign_out(scene: Scene) -> Writer:
    ana = scene.builders.new_user()
    token = scene.session_of(ana)
    return Writer(
        lambda: ana.delete("/v1/me/sessions/current"),
        204,
        lambda: scene.accepts(token),
        repeated_status=401,
    )


def revocation(scene: Scene) -> Writer:
    ana = scene.builders.new_user()
    token = scene.session_of(ana.sign_in())
    return Writer(
        lambda: ana.delete(f"/v1/me/sessions/{token.session_id}"), 204, lambda: scene.accepts(token)
    )


def new_password(scene: Scene) -> Writer:
    ana = scene.builders.new_user()
    token = scene.session_of(ana.sign_in())
    body = {"password": OTHER_PASSWORD, "current_password": PASSWORD}
    return Writer(lambda: ana.patch("/v1/me", json=body), 200, lambda: scene.accepts(token))


def new_name(scene: Scene) -> Writer:
    ana = scene.builders.new_user(name="Old Name")
    post_id = scene.post(ana)
    return Writer(
        lambda: ana.patch("/v1/me", json={"name": "Ana"}),
        200,
        lambda: b"Old Name" in (scene.body(post_id) or b""),
    )


PROMISED = [deletion, sign_out, revocation, new_password]
"""Writers whose 2xx promises that no process shows what they end."""


@pytest.mark.parametrize("make", [*PROMISED, new_name])
def test_another_process_sees_the_change_on_its_next_request(
    scene: Scene, make: Callable[[Scene], Writer]
) -> None:
    writer = make(scene)
    assert writer.still_shown()
    assert writer.send().status_code == writer.status
    assert not writer.still_shown()


@pytest.mark.parametrize("make", PROMISED)
def test_a_refused_announcement_is_503_and_the_repeated_request_finishes_the_job(
    scene: Scene, make: Callable[[Scene], Writer]
) -> None:
    writer = make(scene)
    with scene.refused_announcements():
        for _ in range(2):
            assert_problem(writer.send(), 503, "cache-unavailable")
    assert writer.still_shown(), "the viewer's partition has no announcement yet"
    assert writer.send().status_code == (writer.repeated_status or writer.status)
    assert not writer.still_shown()


def test_a_new_name_whose_announcement_is_refused_fails_open_and_is_shown_after_a_repeat(
    scene: Scene,
) -> None:
    writer = new_name(scene)
    with scene.refused_announcements():
        assert writer.send().status_code == 200
    assert writer.still_shown()
    assert writer.send().status_code == 200  # the graph has the name already
    assert not writer.still_shown()


def test_a_repeated_deletion_announces_again(scene: Scene) -> None:
    ana = scene.builders.new_user()
    post_id = scene.post(ana)
    path = f"/v1/posts/{post_id}"
    assert ana.delete(path).status_code == 204
    before = scene.cache.calls_of("rpush")
    assert ana.delete(path).status_code == 204
    assert scene.cache.calls_of("rpush") > before


@pytest.mark.parametrize("path", ["/v1/me/sessions/current", "/v1/me/sessions/{id}"])
@pytest.mark.parametrize("ended", [False, True])
def test_a_forged_token_announces_nothing_and_drops_nothing(
    scene: Scene, path: str, *, ended: bool
) -> None:
    ana, ben = scene.builders.new_user(), scene.builders.new_user()
    token = scene.session_of(ana)
    if ended:
        scene.builders.graph.sessions.delete(token.session_id, user_id=ana.id)
    announced = scene.cache.calls_of("rpush")
    for forged in (
        new_token(user_id=ana.id, session_id=token.session_id),
        token._replace(user_id=ben.id),
        new_token(user_id=ana.id, session_id=1),
    ):
        forger = replace(ana, token=TOKENS.sign(forged))
        response = forger.delete(path.format(id=token.session_id))
        assert_problem(response, 401, "not-signed-in")
    assert scene.cache.calls_of("rpush") == announced
    assert scene.storage.sessions.read(ana.id, token.session_id)
    assert scene.accepts(token)


def test_a_refused_sign_out_of_an_ended_session_drops_its_copies(scene: Scene) -> None:
    ana = scene.builders.new_user()
    token = scene.session_of(ana)
    scene.builders.graph.sessions.delete(
        token.session_id, user_id=ana.id
    )  # an earlier try died here
    scene.storage.sessions.drop(ana.id, [token.session_id])
    assert scene.accepts(token), "the other process has not heard of it"
    assert_problem(ana.delete("/v1/me/sessions/current"), 401, "not-signed-in")
    assert not scene.accepts(token)
