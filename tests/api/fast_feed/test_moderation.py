"""What operators hide is gone from the pages of other processes, which keep copies, and comes back.

A page of the feed is warm in one process: its bodies, the session and the finished page.
"""

import json

import pytest

from api.fast_feed.requests import PATH
from storage import Storage
from tests.api.fast_feed.conftest import Open
from tests.support.commands import moderate, run_command
from tests.support.eventually import eventually
from tests.support.fast_feed import FastFeedProcess
from tests.support.people import Builders, Person, assert_problem, post_ids, sign_in
from tests.support.transports import ApiResponse


@pytest.fixture
def process(open_process: Open) -> FastFeedProcess:
    return open_process()


def feed(process: FastFeedProcess, person: Person) -> list[int]:
    """The feed as the process answers it on its loop."""
    response = process.get(person, PATH)
    assert response.status_code == 200, response.text
    return post_ids(json.loads(response.data))


def warm_feed(process: FastFeedProcess, person: Person, expected: list[int]) -> None:
    """Read until the process answers from its own copies."""
    for _ in range(3):
        assert feed(process, person) == expected
    assert not process.forwarded
    assert process.keeps_page(person)


def with_timeline(storage: Storage, person: Person) -> None:
    eventually(lambda: bool(person.feed()) and bool(storage.timelines.entries(person.id)))


def unread(person: Person) -> tuple[int, str | None]:
    answer = person.read("/v1/me/feed/unread")
    return answer["count"], answer["newest_id"]


# Security 7
def test_a_reported_post_is_hidden_from_everybody_and_shown_again_at_its_place(
    builders: Builders, storage: Storage, process: FastFeedProcess
) -> None:
    author, follower = builders.new_user(), builders.new_user()
    follower.follow(author)
    posts = [int(builders.publish(author)["id"]) for _ in range(3)]
    older, post, newer = posts
    with_timeline(storage, follower)
    with_timeline(storage, author)
    warm_feed(process, follower, [newer, post, older])
    warm_feed(process, author, [newer, post, older])
    assert unread(follower) == (3, str(newer))

    body = {"post_id": str(post), "reason": "nudity", "text": "look"}
    assert follower.post("/v1/reports", json=body).status_code == 202
    listed = [line for line in listed_reports() if f"post {post} of user {author.id}" in line]
    assert len(listed) == 1

    moderate("hide-post", post, "--reason", "nudity")
    for reader in (follower, author):
        assert feed(process, reader) == [newer, older]
        assert_problem(reader.get(f"/v1/posts/{post}"), 404, "not-found")
        own = reader.read(f"/v1/users/{author.id}/posts")
        assert post_ids(own) == [newer, older]
        assert reader.read(f"/v1/users/{author.id}")["post_count"] == 2
    assert unread(follower) == (2, str(newer))
    warm_feed(process, follower, [newer, older])
    storage.timelines.drop(follower.id)  # a list that is built meanwhile has its id too
    assert follower.feed() == [newer, older]
    assert unread(follower) == (2, str(newer))
    with_timeline(storage, follower)
    warm_feed(process, follower, [newer, older])

    moderate("show-post", post)
    for reader in (follower, author):
        assert feed(process, reader) == [newer, post, older]
        assert reader.get(f"/v1/posts/{post}").status_code == 200
        assert reader.read(f"/v1/users/{author.id}")["post_count"] == 3
    assert unread(follower) == (3, str(newer))
    assert follower.feed() == [newer, post, older]


def test_the_newest_post_is_not_news_while_it_is_hidden(
    builders: Builders, storage: Storage
) -> None:
    author, follower = builders.new_user(), builders.new_user()
    follower.follow(author)
    older, post = (int(builders.publish(author)["id"]) for _ in range(2))
    moderate("hide-post", post, "--reason", "spam")
    assert unread(follower) == (1, str(older))
    with_timeline(storage, follower)
    assert unread(follower) == (1, str(older))


def test_a_hidden_post_can_be_deleted_by_its_author(builders: Builders) -> None:
    author = builders.new_user()
    post = builders.publish(author)["id"]
    moderate("hide-post", post, "--reason", "spam")
    for _ in range(2):
        assert author.delete(f"/v1/posts/{post}").status_code == 204
    assert author.read(f"/v1/users/{author.id}")["post_count"] == 0


# Security 1
def test_a_suspended_user_is_hidden_and_signed_out_and_comes_back(
    builders: Builders, storage: Storage, process: FastFeedProcess
) -> None:
    author, follower = builders.new_user(), builders.new_user()
    follower.follow(author)
    author.follow(follower)
    own = int(builders.publish(follower)["id"])
    posts = [int(builders.publish(author)["id"]) for _ in range(2)]
    whole = [posts[1], posts[0], own]
    with_timeline(storage, follower)
    with_timeline(storage, author)
    warm_feed(process, follower, whole)
    warm_feed(process, author, whole)

    moderate("suspend", f"@{author.username}", "--reason", "spam")
    assert_signed_out(process.get(author, PATH))
    assert_signed_out(author.get("/v1/me"))
    assert feed(process, follower) == [own]
    for path in (f"/v1/users/{author.id}", f"/v1/posts/{posts[0]}"):
        assert_problem(follower.get(path), 404, "not-found")
    assert follower.read("/v1/me/followers")["users"] == []
    assert unread(follower)[0] == 0
    warm_feed(process, follower, [own])

    moderate("unsuspend", author.id)
    assert feed(process, follower) == whole
    assert [user["id"] for user in follower.read("/v1/me/followers")["users"]] == [str(author.id)]
    assert_signed_out(process.get(author, PATH))  # the old sessions stay ended
    assert sign_in(builders.app, author.username).status_code == 201
    assert feed(process, author.sign_in()) == whole


def assert_signed_out(response: ApiResponse) -> None:
    assert response.status_code == 401, response.text


def listed_reports() -> list[str]:
    """The lines of `flask moderation reports`."""
    result = run_command("moderation", "reports", "--limit", 1_000)
    assert result.exit_code == 0, result.output
    return result.output.splitlines()
