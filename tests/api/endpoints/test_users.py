import secrets
from typing import Any

import pytest
from flask import Flask

from api.http.cursors import Cursors
from feed.pages import Cursor
from graph import Graph
from graph.queries import Query
from tests.api.conftest import SETTINGS
from tests.support.people import Builders, Person, assert_problem


def test_a_profile_has_counts_and_the_relation_to_the_viewer(builders: Builders) -> None:
    ana, ben = builders.new_user(), builders.new_user()
    ana.follow(ben)
    builders.publish(ben)
    profile = ana.get(f"/v1/users/{ben.id}").json
    assert profile["id"] == str(ben.id)
    assert profile["viewer"] == {"following": True, "followed_by": False, "blocking": False}
    counts = [profile[f"{what}_count"] for what in ("follower", "following", "post")]
    assert counts == [1, 0, 1]
    other_way = ben.get(f"/v1/users/{ana.id}").json
    assert other_way["viewer"] == {"following": False, "followed_by": True, "blocking": False}


def test_a_profile_is_found_by_username_in_any_case(builders: Builders) -> None:
    ana, ben = builders.new_user(), builders.new_user()
    profile = ana.get("/v1/users", query_string={"username": ben.username.upper()})
    assert profile.json == ana.get(f"/v1/users/{ben.id}").json


def test_an_unknown_username_or_id_is_404_and_a_missing_username_is_422(builders: Builders) -> None:
    ana = builders.new_user()
    assert_problem(ana.get("/v1/users?username=nobody.has.this.name"), 404, "not-found")
    assert_problem(ana.get("/v1/users/1"), 404, "not-found")
    assert list(assert_problem(ana.get("/v1/users"), 422, "invalid-fields")["errors"]) == [
        "username"
    ]


def test_a_profile_change_leaves_absent_fields(builders: Builders) -> None:
    ana = builders.new_user(name="Ana")
    changed = ana.patch("/v1/me", json={"bio": "Sea.\nAnd wind.", "location": "Porto"})
    assert changed.status_code == 200
    assert (changed.json["name"], changed.json["bio"]) == ("Ana", "Sea.\nAnd wind.")
    assert ana.patch("/v1/me", json={"bio": None}).json["bio"] is None
    assert ana.patch("/v1/me", json={}).json == ana.get("/v1/me").json
    assert ana.get("/v1/me").json["location"] == "Porto"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", None),
        ("bio", "a\x00b"),
        ("bio", "a\x1bb"),
        ("bio", "x" * 501),
        ("name", "\u200b\u2800"),
        ("name", "a\u2028b"),
        ("name", "a\u202eb"),
        ("location", "a\nb"),
        ("location", "x" * 101),
    ],
)
def test_invalid_text_is_422(builders: Builders, field: str, value: object) -> None:
    problem = assert_problem(
        builders.new_user().patch("/v1/me", json={field: value}), 422, "invalid-fields"
    )
    assert list(problem["errors"]) == [field]


def test_text_is_stored_in_one_normal_form(builders: Builders) -> None:
    ana = builders.new_user()
    response = ana.patch(
        "/v1/me", json={"name": "Jose\u0301 日本 👩‍👩‍👧", "bio": "a\r\nb\u2028c\u202e"}
    )
    assert response.json["name"] == "Jos\u00e9 日本 👩‍👩‍👧"
    assert response.json["bio"] == "a\nb\nc\u202e\u202c"
    turned = ana.patch("/v1/me", json={"name": "\u2067Ana\tLima\u202c", "location": "Porto\r"}).json
    assert (turned["name"], turned["location"]) == ("\u2067Ana Lima\u2069", "Porto")


# Security 21
def test_queries_in_text_are_not_executed(builders: Builders) -> None:
    ana = builders.new_user()
    text = "'}) MATCH (n) DETACH DELETE n // \" FLUSHALL $x {y}"
    assert ana.patch("/v1/me", json={"bio": text}).json["bio"] == text
    query = {"username": "x' OR 1=1 //"}
    assert_problem(ana.get("/v1/users", query_string=query), 404, "not-found")


def test_a_new_name_shows_in_feeds_on_the_next_request(builders: Builders) -> None:
    ana, ben = builders.new_user(name="Old"), builders.new_user()
    ben.follow(ana)
    builders.publish(ana)
    assert ben.get("/v1/me/feed").json["posts"][0]["author"]["name"] == "Old"
    ana.patch("/v1/me", json={"name": "New"})
    for person in (ana, ben):
        assert person.get("/v1/me/feed").json["posts"][0]["author"]["name"] == "New"


def test_a_profile_is_changed_without_the_cache(
    builders: Builders, app_without_cache: Flask
) -> None:
    ana = builders.new_user().on(app_without_cache)
    assert ana.patch("/v1/me", json={"name": "New"}).json["name"] == "New"


def test_a_users_posts_are_walked_newest_first(builders: Builders) -> None:
    ana, ben = builders.new_user(), builders.new_user()
    published = [builders.publish(ana, caption=str(number))["id"] for number in range(5)]
    path, post_ids, links = f"/v1/users/{ana.id}/posts?limit=2", [], 0
    while True:
        page = ben.get(path)
        post_ids += [post["id"] for post in page.json["posts"]]
        if "next" not in page.json:
            break
        links += f'cursor={page.json["next"]}>; rel="next"' in page.headers["Link"]
        path = f"/v1/users/{ana.id}/posts?limit=2&cursor={page.json['next']}"
    assert post_ids == published[::-1]
    assert links == 2


def test_the_last_full_page_has_no_next(builders: Builders) -> None:
    ana = builders.new_user()
    for _ in range(2):
        builders.publish(ana)
    page = ana.get(f"/v1/users/{ana.id}/posts?limit=2")
    assert len(page.json["posts"]) == 2
    assert "next" not in page.json
    assert "Link" not in page.headers


@pytest.mark.parametrize("list_name", ["followers", "following"])
def test_a_walk_through_a_list_of_users_has_all_of_them(builders: Builders, list_name: str) -> None:
    ana, others = builders.new_user(), [builders.new_user() for _ in range(3)]
    for other in others:
        pair = (other, ana) if list_name == "followers" else (ana, other)
        pair[0].follow(pair[1])
    for base in (f"/v1/users/{ana.id}/{list_name}", f"/v1/me/{list_name}"):
        user_ids, path = [], f"{base}?limit=2"
        while path:
            page = ana.get(path).json
            user_ids += [int(user["id"]) for user in page["users"]]
            path = f"{base}?limit=2&cursor={page['next']}" if "next" in page else ""
        assert sorted(user_ids) == sorted(other.id for other in others)
        assert len(user_ids) == 3


# Security 8
def test_a_cursor_of_another_path_or_viewer_or_an_invalid_one_is_400(builders: Builders) -> None:
    ana, ben = builders.new_user(), builders.new_user()
    for _ in range(2):
        builders.publish(ana)
    path = f"/v1/users/{ana.id}/posts?limit=1"
    cursor = ana.get(path).json["next"]
    assert ana.get(f"{path}&cursor={cursor}").status_code == 200
    foreign = [
        ben.get(f"{path}&cursor={cursor}"),
        ana.get(f"/v1/users/{ben.id}/posts?cursor={cursor}"),
        ana.get(f"/v1/me/feed?cursor={cursor}"),
        ana.get(f"/v1/users/{ana.id}/followers?cursor={cursor}"),
        ana.get(f"{path}&cursor={cursor[:-1]}"),
        ana.get(f"{path}&cursor="),
        ana.get(f"{path}&cursor={cursor * 20}"),
    ]
    for response in foreign:
        assert_problem(response, 400, "invalid-cursor")


def test_a_prev_cursor_is_refused_by_lists_without_prev(builders: Builders) -> None:
    ana = builders.new_user()
    text = Cursors(SETTINGS.cursor_secret).sign("/v1/me/blocks", ana.id, Cursor("after", 1))
    assert_problem(ana.get(f"/v1/me/blocks?cursor={text}"), 400, "invalid-cursor")


def hidden_from(viewer: Person, other: Person, post_id: str) -> list[int]:
    """The statuses of all routes that show the other user or a post of theirs."""
    paths = [
        f"/v1/users/{other.id}",
        f"/v1/users?username={other.username}",
        f"/v1/users/{other.id}/posts",
        f"/v1/users/{other.id}/followers",
        f"/v1/users/{other.id}/following",
        f"/v1/posts/{post_id}",
    ]
    responses = [viewer.get(path) for path in paths]
    responses.append(viewer.put(f"/v1/me/following/{other.id}"))
    absent = viewer.get(f"/v1/posts/{secrets.randbelow(2**40)}").json
    for response in responses:
        assert response.status_code != 404 or response.json["detail"] == absent["detail"]
    return [response.status_code for response in responses]


# Security 7
def test_a_block_hides_each_from_the_other_on_every_route(builders: Builders) -> None:
    ana, ben = builders.new_user(), builders.new_user()
    posts = {ana.id: builders.publish(ana)["id"], ben.id: builders.publish(ben)["id"]}
    ana.block(ben)
    for viewer, other in ((ana, ben), (ben, ana)):
        assert hidden_from(viewer, other, posts[other.id]) == [404] * 7


# Security 7
def test_lists_omit_users_hidden_by_a_block(builders: Builders) -> None:
    ana, ben, cleo = (builders.new_user() for _ in range(3))
    for follower in (ana, ben):
        follower.follow(cleo)
        cleo.follow(follower)
    ana.block(ben)
    for list_name in ("followers", "following"):
        users = ana.get(f"/v1/users/{cleo.id}/{list_name}").json["users"]
        assert [int(user["id"]) for user in users] == [ana.id]


# Security 7
def test_counts_omit_users_hidden_by_a_block(builders: Builders) -> None:
    ana, ben, cleo = (builders.new_user() for _ in range(3))
    for follower in (ana, ben):
        follower.follow(cleo)
        cleo.follow(follower)
    assert _counts(ana, cleo) == (2, 2)
    ana.block(ben)
    assert _counts(ana, cleo) == _counts(ben, cleo) == (1, 1)
    assert _counts(cleo, cleo) == (2, 2)


# Security 7
def test_hidden_and_absent_objects_cost_the_same_queries(
    builders: Builders, graph: Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana, ben = builders.new_user(), builders.new_user()
    post_id = builders.publish(ben)["id"]
    ben.block(ana)
    ana.get("/v1/me")  # caches her session
    queries: list[object] = []
    read = graph.connection.read

    def recording_read(query: Query, **parameters: Any) -> list[dict[str, Any]]:
        queries.append(query)
        return read(query, **parameters)

    monkeypatch.setattr(graph.connection, "read", recording_read)
    for hidden, absent in (
        (f"/v1/posts/{post_id}", "/v1/posts/1"),
        (f"/v1/users/{ben.id}", "/v1/users/1"),
        (f"/v1/users?username={ben.username}", "/v1/users?username=nobody.has.this.name"),
        (f"/v1/users/{ben.id}/posts", "/v1/users/1/posts"),
    ):
        counts = []
        for path in (hidden, absent):
            queries.clear()
            assert ana.get(path).status_code == 404
            counts.append(list(queries))
        assert counts[0] == counts[1]


def test_a_post_deleted_while_a_page_is_read_does_not_end_the_list(
    builders: Builders, graph: Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    author = builders.new_user()
    oldest, _, newest = (builders.publish(author)["id"] for _ in range(3))
    many = graph.posts.many

    def deleted_meanwhile(post_ids: list[int]) -> Any:
        monkeypatch.setattr(graph.posts, "many", many)
        assert author.delete(f"/v1/posts/{post_ids[-1]}").status_code == 204
        return many(post_ids)

    monkeypatch.setattr(graph.posts, "many", deleted_meanwhile)
    page = author.get(f"/v1/users/{author.id}/posts?limit=2").json
    assert [post["id"] for post in page["posts"]] == [newest]
    rest = author.get(f"/v1/users/{author.id}/posts?limit=2&cursor={page['next']}").json
    assert [post["id"] for post in rest["posts"]] == [oldest]
    assert "next" not in rest


def _counts(viewer: Person, user: Person) -> tuple[int, int]:
    profile = viewer.get(f"/v1/users/{user.id}").json
    return profile["follower_count"], profile["following_count"]
