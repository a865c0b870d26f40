"""The deletion of one's account: what others see at once, what comes back, what is refused."""

import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask

from drill.support.proxy import proxied
from graph import Graph
from storage import Storage
from tests.support.concurrency import run_together
from tests.support.eventually import eventually
from tests.support.people import PASSWORD, Builders, Person, assert_problem, call_api, sign_in
from tests.support.transports import ApiResponse


def leave(person: Person, password: str = PASSWORD) -> ApiResponse:
    return person.call("DELETE", "/v1/me", json={"password": password})


def restore(app: Flask, username: str, password: str = PASSWORD) -> ApiResponse:
    account = {"username": username, "password": password}
    return call_api(app, "POST", "/v1/me/restore", json=account)


def follower_of(builders: Builders, author: Person) -> Person:
    follower = builders.new_user()
    follower.follow(author)
    return follower


def test_an_account_is_hidden_on_every_route_before_the_answer(
    app: Flask, builders: Builders
) -> None:
    author = builders.new_user()
    other_device = author.sign_in()
    follower = follower_of(builders, author)
    author.follow(follower)
    post = builders.publish(author)
    own = builders.publish(follower)
    assert follower.feed() == [int(own["id"]), int(post["id"])]
    assert other_device.get("/v1/me").status_code == 200

    answer = leave(author)
    assert answer.status_code == 202
    until = datetime.fromisoformat(answer.json["undo_until"])
    assert abs(until - datetime.now(UTC) - timedelta(days=7)) < timedelta(minutes=1)

    assert follower.feed() == [int(own["id"])]
    for path in (
        f"/v1/users/{author.id}",
        f"/v1/users/{author.id}/posts",
        f"/v1/users/{author.id}/followers",
        f"/v1/users/{author.id}/following",
        f"/v1/users?username={author.username}",
        f"/v1/posts/{post['id']}",
    ):
        assert_problem(follower.get(path), 404, "not-found")
    for name in ("followers", "following", "blocks"):
        assert follower.get(f"/v1/me/{name}").json["users"] == []
    unread = follower.get("/v1/me/feed/unread").json
    assert unread["newest_id"] in {own["id"], None}
    assert follower.put(f"/v1/me/following/{author.id}").status_code == 404
    for device in (author, other_device):
        assert_problem(device.get("/v1/me"), 401, "not-signed-in")
        assert_problem(device.get("/v1/me/feed"), 401, "not-signed-in")
    assert_problem(sign_in(app, author.username), 401, "wrong-credentials")
    taken = {"username": author.username.upper(), "password": PASSWORD}
    assert_problem(call_api(app, "POST", "/v1/accounts", json=taken), 409, "username-taken")


def test_a_hidden_user_is_in_no_list_of_blocks(builders: Builders) -> None:
    author, other = builders.new_user(), builders.new_user()
    other.block(author)
    assert leave(author).status_code == 202
    assert other.get("/v1/me/blocks").json["users"] == []


def test_a_restored_account_is_as_it_was(app: Flask, builders: Builders, storage: Storage) -> None:
    author = builders.new_user(name="Ana")
    follower = follower_of(builders, author)
    posts = [int(builders.publish(author)["id"]) for _ in range(3)]
    own = int(builders.publish(follower)["id"])
    feed = [own, *reversed(posts)]
    assert follower.feed() == feed
    assert leave(author).status_code == 202
    assert follower.feed() == [own]
    storage.timelines.drop(follower.id)  # a list that is built now has the hidden posts too
    assert follower.feed() == [own]

    answer = restore(app, author.username)
    assert answer.status_code == 200
    assert answer.json["user"]["name"] == "Ana"
    assert follower.feed() == feed
    eventually(lambda: storage.timelines.entries(follower.id))
    assert follower.feed() == feed
    assert follower.get(f"/v1/users/{author.id}").json["post_count"] == 3
    back = author.on(app, answer.json["auth_token"])
    assert back.get("/v1/me").json["follower_count"] == 1
    builders.publish(back)
    assert follower.get(f"/v1/users/{author.id}").json["post_count"] == 4


def test_a_wrong_password_deletes_nothing(builders: Builders) -> None:
    author = builders.new_user()
    problem = assert_problem(leave(author, "another password"), 403, "wrong-password")
    assert problem["errors"] == {"password": ["The password is wrong."]}
    assert author.get("/v1/me").status_code == 200


@pytest.mark.parametrize("body", [{}, {"password": None}, {"password": PASSWORD, "sure": True}])
def test_a_deletion_needs_the_password_alone(builders: Builders, body: dict[str, object]) -> None:
    author = builders.new_user()
    assert author.call("DELETE", "/v1/me", json=body).status_code == 422
    assert author.get("/v1/me").status_code == 200


def test_a_restore_needs_the_name_and_the_password(app: Flask, builders: Builders) -> None:
    author = builders.new_user()
    assert leave(author).status_code == 202
    wrong = assert_problem(
        restore(app, author.username, "wrong password"), 401, "wrong-credentials"
    )
    unknown = restore(app, f"u{secrets.token_hex(8)}")
    same = assert_problem(unknown, 401, "wrong-credentials")
    assert {**wrong, "request_id": ""} == {**same, "request_id": ""}
    assert restore(app, author.username.upper()).status_code == 200


def test_a_restore_can_be_repeated(app: Flask, builders: Builders) -> None:
    author = builders.new_user()
    assert leave(author).status_code == 202
    tokens = {restore(app, author.username).json["auth_token"] for _ in range(2)}
    assert len(tokens) == 2
    for token in tokens:
        assert author.on(app, token).get("/v1/me").status_code == 200


def test_restores_at_once_succeed(app: Flask, builders: Builders) -> None:
    for _ in range(2):
        author = builders.new_user()
        assert leave(author).status_code == 202
        tries = run_together(*[lambda: restore(app, author.username)] * 3)  # noqa: B023
        assert [getattr(answer, "status_code", answer) for answer in tries] == [200] * 3


def test_a_deletion_without_the_cache_is_503_and_succeeds_on_repeat(
    builders: Builders, app_on: Callable[..., Flask], stack_env: dict[str, str]
) -> None:
    author = builders.new_user()
    follower = follower_of(builders, author)
    post = int(builders.publish(author)["id"])
    assert follower.feed() == [post]
    author.get("/v1/me")  # caches the session, for all processes
    proxy, url = proxied(stack_env["CACHE_REDIS_URL"])
    with proxy:
        through_proxy = author.on(app_on(cache_url=url))
        with proxy.outage():
            for _ in range(2):  # a 401 would be wrong: other processes show the posts
                assert_problem(leave(through_proxy), 503, "cache-unavailable")

        def repeated() -> int:
            status = leave(through_proxy).status_code
            return 0 if status == 503 else status

        assert eventually(repeated) in {202, 401}
    assert follower.feed() == []
    assert_problem(author.get("/v1/me"), 401, "not-signed-in")


def test_guesses_of_the_password_are_limited(
    strict_app: Flask, builders: Builders, graph: Graph
) -> None:
    author = builders.new_user().on(strict_app)
    statuses = [leave(author, "a wrong password").status_code for _ in range(11)]
    assert statuses == [403] * 5 + [429] * 6  # each counts as two guesses, as in a change
    assert not graph.accounts.is_leaving(author.id)


def test_deletions_that_are_undone_are_limited(
    strict_app: Flask, builders: Builders, graph: Graph
) -> None:
    author = builders.new_user().on(strict_app)
    statuses = []
    for _ in range(11):
        answer = leave(author)
        statuses.append(answer.status_code)
        restored = restore(strict_app, author.username)
        author = author.on(strict_app, restored.json["auth_token"])
    assert statuses == [202] * 10 + [429]
    assert_problem(answer, 429, "too-many-requests")
    assert int(answer.headers["Retry-After"]) > 3_600
    assert not graph.accounts.is_leaving(author.id)
