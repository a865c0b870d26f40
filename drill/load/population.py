"""Creates the users of a drill, their photos and their first follows, before any fault."""

import random
import time
from collections import deque
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Any, TypeVar

from drill.load.browsers import subscribe
from drill.load.connection import ApiConnection
from drill.load.errors import NotAcknowledgedError
from drill.load.shared_state import AcknowledgedPost, DrillUser, SharedState
from drill.support.retrying import retry
from graph import Graph
from graph.ids import new_id, random_id
from graph.queries import Query

T = TypeVar("T")

PASSWORD = "a password of the drill"  # noqa: S105 - of accounts that are deleted with their stack
LONGEST_SECONDS = 60.0
"""How long one request is tried again: the first ones of a new stack are slow."""
RETRY_SECONDS = 0.5

OLD_POSTS = 12
"""Of each calm user. A calm feed of a few authors is a little longer than its timeline."""
OLD_POSTS_SECONDS = 240.0
"""From one old post to the next. Those of a few authors are far enough apart for a window."""

CREATE_PHOTOS = Query(
    name="drill/create_photos",
    summary="creates photos of one owner that are ready to be posted, without stored files.",
    text=(
        "UNWIND $ids AS id CREATE (:Photo {id: id, owner_id: $owner_id, path: 'drill-' + id,"
        " state: 'ready', content_type: 'image/jpeg', size_bytes: 1, width: 64, height: 64,"
        " blurhash: 'x', alt_text: null, expires_at: timestamp()})"
    ),
    parameters={"ids": "list of integers", "owner_id": "integer"},
    returns=(),
    index=(),
    sorts="",
    expands="",
)

CREATE_OLD_POSTS = Query(
    name="drill/create_old_posts",
    summary="creates posts of one author with a photo each, without a key and without an event.",
    text=(
        "MATCH (author:User) WHERE author.id = $author_id UNWIND $posts AS one"
        " CREATE (author)-[:POSTED]->(post:Post {id: one.id, author_id: $author_id,"
        " caption: one.tag, created_at: one.created_at})"
        " CREATE (post)-[:SHOWS {position: 0, photo_id: one.photo_id}]->"
        "(:Photo {id: one.photo_id, owner_id: $author_id,"
        " path: 'drill-' + one.photo_id, state: 'ready', content_type: 'image/jpeg',"
        " size_bytes: 1, width: 64, height: 64, blurhash: 'x', alt_text: null,"
        " expires_at: timestamp()})"
    ),
    parameters={"author_id": "integer", "posts": "list of maps"},
    returns=(),
    index=(),
    sorts="",
    expands="",
)


def populate(state: SharedState, graph: Graph, count: int, *, photos: int) -> None:
    """Create `count` users, each second one calm, with `photos` photos and a browser each.

    The browser subscribes to Web Push with the session that lasts. A busy user follows about half
    of the others, a calm one all other calm ones. Photos and the calm users' old posts are written
    to the graph directly, all else goes through the API.
    """
    rng = state.rng("town")
    connections = [ApiConnection(url) for url in state.api_urls]
    for number in range(count):
        connection = connections[number % len(connections)]
        user = create_user(connection, f"u{number}", state.seed, calm=number % 2 == 0)
        _subscribe(state, connection, user)
        user.photos.extend(create_ready_photos(graph, user.id, photos))
        state.users.append(user)
        if user.calm:
            _create_old_posts(state, graph, user)
    for user in state.users:
        others = state.others(user)
        calm = [other for other in others if other.calm]
        for followee in calm if user.calm else rng.sample(others, k=(count - 1) // 2):
            _follow(state, connections, user, followee)
    for connection in connections:
        connection.close()


def create_user(
    connection: ApiConnection, label: str, seed: int, *, calm: bool = False
) -> DrillUser:
    """Sign up, then sign in a second time for the token of the watchers."""
    account: dict[str, str] = {}

    def sign_up() -> dict[str, Any]:
        # A new username each time: an attempt without a response may have taken the last one.
        username = f"{label}_{seed % 10**9}_{random.SystemRandom().randrange(10**9)}"
        account.update(username=username, password=PASSWORD)
        return _create(connection, "/v1/accounts", account | {"name": label})

    def sign_in() -> dict[str, Any]:
        return _create(connection, "/v1/sessions", account)

    created = until_acknowledged(sign_up)
    watching = until_acknowledged(sign_in)
    return DrillUser(
        name=account["username"],
        id=int(created["user"]["id"]),
        token=created["auth_token"],
        watching_token=str(watching["auth_token"]),
        calm=calm,
        photos=deque(),
    )


def _subscribe(state: SharedState, connection: ApiConnection, user: DrillUser) -> None:
    def attempt() -> None:
        session, token = user.watching_session, user.watching_token
        response = subscribe(state, connection, user, token=token, session=session)
        if response.phase != "ok":
            raise NotAcknowledgedError(response)

    until_acknowledged(attempt)


def _create(connection: ApiConnection, path: str, body: dict[str, str]) -> dict[str, Any]:
    response = connection.request("POST", path, body=body)
    if response.status != HTTPStatus.CREATED:
        raise NotAcknowledgedError(response)
    return response.body


def create_ready_photos(graph: Graph, owner_id: int, count: int) -> list[int]:
    """Create photos that can be posted, without stored files; returns their ids."""
    photo_ids = [new_id() for _ in range(count)]
    graph.connection.write(CREATE_PHOTOS, ids=photo_ids, owner_id=owner_id)
    return photo_ids


def _create_old_posts(state: SharedState, graph: Graph, user: DrillUser) -> None:
    """Create posts that are minutes old, and record each as an acknowledged post."""
    rng, history = state.rng(f"old-{len(state.users)}"), state.history
    ages = [(number + rng.random()) * OLD_POSTS_SECONDS for number in range(OLD_POSTS)]
    posts = []
    for age in sorted(ages, reverse=True):
        at = round((time.time() - age) * 1_000)
        tag, post_id, photo_id = f"{user.label}-old-{at}", random_id(at), new_id()
        number = history.invoke("town", "post", author=user.id, tag=tag, key=tag, old=True)
        posts.append({"id": post_id, "tag": tag, "photo_id": photo_id, "created_at": at})
        history.end(number, "ok", id=post_id, replayed=False)
        state.posts[user.id].append(
            AcknowledgedPost(
                post_id=post_id,
                author_id=user.id,
                tag=tag,
                key=tag,
                photo_id=photo_id,
                acknowledged=history.now(),
            )
        )
    graph.connection.write(CREATE_OLD_POSTS, author_id=user.id, posts=posts)


def _follow(
    state: SharedState,
    connections: Sequence[ApiConnection],
    follower: DrillUser,
    followee: DrillUser,
) -> None:
    path = f"/v1/me/following/{followee.id}"

    def follow() -> None:
        number = state.history.invoke("town", "follow", viewer=follower.id, author=followee.id)
        connection = state.rng(path).choice(connections)
        response = connection.request("PUT", path, token=follower.token)
        state.history.end(number, response.phase, **response.facts)
        if response.phase != "ok":
            raise NotAcknowledgedError(response)

    until_acknowledged(follow)
    state.follows[follower.id].add(followee.id)


def until_acknowledged(call: Callable[[], T]) -> T:
    """The result of the call, repeated until it raises no NotAcknowledgedError."""
    return retry(call, on=NotAcknowledgedError, seconds=LONGEST_SECONDS, every=RETRY_SECONDS)
