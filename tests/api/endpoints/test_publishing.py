import secrets
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from api.services import posts
from api.services.posts import Draft
from graph import Graph
from graph.ids import new_id
from storage import Storage
from tests.support.people import Builders, Person, assert_problem, send_post
from tests.support.town import Town

PLACE = {"name": "Cabo da Roca", "latitude": 38.7804, "longitude": -9.4989}


def test_a_published_post_is_returned_and_is_at_its_location(builders: Builders) -> None:
    ana = builders.new_user(name="Ana")
    draft = builders.draft(ana, caption='Wind,\nand a "lighthouse" 🌊', location=PLACE)
    response = send_post(ana, draft)
    assert response.status_code == 201
    post = response.json
    assert post["author"] == {"id": str(ana.id), "username": ana.username, "name": "Ana"}
    assert post["caption"] == 'Wind,\nand a "lighthouse" 🌊'
    assert post["location"] == PLACE
    assert [photo["id"] for photo in post["photos"]] == draft["photo_ids"]
    assert post["photos"][0].keys() == {
        "id", "width", "height", "blurhash", "alt_text", "renditions",
    }  # fmt: skip
    assert response.headers["Location"] == f"/v1/posts/{post['id']}"
    assert ana.get(response.headers["Location"]).json == post


def test_the_authors_next_page_has_the_new_post(builders: Builders) -> None:
    ana, ben = builders.new_user(), builders.new_user()
    ben.follow(ana)
    for _ in range(3):
        post_id = int(builders.publish(ana)["id"])
        assert ana.feed()[0] == post_id
    assert ben.get("/v1/me/feed").status_code == 200


def test_photos_come_in_the_order_they_were_given(builders: Builders) -> None:
    ana = builders.new_user()
    photo_ids = [builders.photo_ready(ana) for _ in range(4)]
    for order in ([2, 0, 3, 1],):
        ordered_ids = [photo_ids[place] for place in order]
        photos = builders.publish(ana, photo_ids=ordered_ids)["photos"]
        assert [int(photo["id"]) for photo in photos] == ordered_ids


# Security 9
def test_a_post_without_a_valid_key_is_400(builders: Builders) -> None:
    ana = builders.new_user()
    draft = builders.draft(ana)
    assert_problem(ana.post("/v1/me/feed", json=draft), 400, "idempotency-key-missing")
    for key in ("", "x" * 256, "a b", "é"):
        response = ana.post("/v1/me/feed", json=draft, headers={"Idempotency-Key": key})
        assert_problem(response, 400, "idempotency-key-missing")


def test_the_same_key_and_body_return_the_first_post(builders: Builders) -> None:
    ana, key = builders.new_user(), secrets.token_hex(8)
    draft = builders.draft(ana, caption="Sea", location=PLACE)
    first = send_post(ana, draft, key)
    again = send_post(ana, dict(reversed(draft.items())), key)
    assert (first.status_code, again.status_code) == (201, 200)
    assert "Idempotency-Replayed" not in first.headers
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.headers["Location"] == first.headers["Location"]
    assert again.json == first.json
    assert ana.feed() == [int(first.json["id"])]


# Security 9
def test_the_same_key_with_another_body_is_422(builders: Builders) -> None:
    ana, key = builders.new_user(), secrets.token_hex(8)
    draft = builders.draft(ana, caption="Sea")
    send_post(ana, draft, key)
    others: list[dict[str, Any]] = [
        {**draft, "caption": "See"},
        {**draft, "location": PLACE},
        builders.draft(ana, caption="Sea"),
    ]
    for other in others:
        assert_problem(send_post(ana, other, key), 422, "idempotency-key-reused")
    assert len(ana.feed()) == 1


# Security 9
def test_two_users_can_use_the_same_key(builders: Builders) -> None:
    key = secrets.token_hex(8)
    for _ in range(2):
        ana = builders.new_user()
        assert send_post(ana, builders.draft(ana), key).status_code == 201


# Security 9
def test_concurrent_requests_with_one_key_publish_one_post(builders: Builders) -> None:
    ana, key = builders.new_user(), secrets.token_hex(8)
    draft = builders.draft(ana)
    with ThreadPoolExecutor(6) as threads:
        responses = list(threads.map(lambda _: send_post(ana, draft, key), range(6)))
    statuses = [response.status_code for response in responses]
    assert statuses.count(201) == 1
    assert set(statuses) <= {200, 201, 409}
    assert len(ana.feed()) == 1
    assert {response.json["id"] for response in responses if response.status_code != 409} == {
        str(ana.feed()[0])
    }


def test_the_key_of_a_deleted_post_is_410(builders: Builders) -> None:
    ana, key = builders.new_user(), secrets.token_hex(8)
    draft = builders.draft(ana)
    post_id = send_post(ana, draft, key).json["id"]
    assert ana.delete(f"/v1/posts/{post_id}").status_code == 204
    for _ in range(2):
        assert_problem(send_post(ana, draft, key), 410, "post-deleted")
    assert ana.feed() == []


# Security 12
@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        ("photo_waiting", 409, "photos-not-ready"),
        ("photo_processing", 409, "photos-not-ready"),
        ("photo_failed", 422, "photo-failed"),
    ],
)
def test_a_photo_that_is_not_ready_cannot_be_posted(
    builders: Builders, kind: str, status: int, code: str
) -> None:
    ana, key = builders.new_user(), secrets.token_hex(8)
    photo_id = getattr(builders, kind)(ana)
    draft = builders.draft(ana, photo_ids=[builders.photo_ready(ana), photo_id])
    response = send_post(ana, draft, key)
    problem = assert_problem(response, status, code)
    assert str(photo_id) in problem["detail"]
    assert ("Retry-After" in response.headers) == (status == 409)
    assert ana.feed() == []


def test_a_photo_that_becomes_ready_can_be_posted_under_the_same_key(
    builders: Builders, graph: Graph
) -> None:
    ana, key = builders.new_user(), secrets.token_hex(8)
    photo_id = builders.photo_processing(ana)
    draft = builders.draft(ana, photo_ids=[photo_id])
    assert_problem(send_post(ana, draft, key), 409, "photos-not-ready")
    Town(graph).set_ready(photo_id)
    assert send_post(ana, draft, key).status_code == 201


def test_anothers_photo_and_an_absent_one_are_the_same_404(builders: Builders) -> None:
    ana, ben = builders.new_user(), builders.new_user()
    details = {
        assert_problem(send_post(ana, builders.draft(ana, photo_ids=[some_id])), 404, "not-found")[
            "detail"
        ]
        for some_id in (builders.photo_ready(ben), builders.photo_waiting(ben), 1)
    }
    assert len(details) == 1


def test_a_photo_can_be_in_one_post_only(builders: Builders) -> None:
    ana = builders.new_user()
    draft = builders.draft(ana)
    first = send_post(ana, draft)
    assert_problem(send_post(ana, draft), 422, "photo-already-posted")
    ana.delete(f"/v1/posts/{first.json['id']}")
    assert send_post(ana, draft).status_code in {404, 422}


def test_concurrent_posts_of_one_photo_publish_one_post(builders: Builders) -> None:
    ana = builders.new_user()
    draft = builders.draft(ana)
    with ThreadPoolExecutor(4) as threads:
        responses = list(threads.map(lambda _: send_post(ana, draft), range(4)))
    assert [response.status_code for response in responses].count(201) == 1
    assert {response.status_code for response in responses} <= {201, 409, 422}
    assert len(ana.feed()) == 1


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"photo_ids": []}, "photo_ids"),
        ({"photo_ids": list(range(11))}, "photo_ids"),
        ({"photo_ids": [1, 1]}, "photo_ids"),
        ({"caption": "x" * 2201}, "caption"),
        ({"caption": "a\x00b"}, "caption"),
        ({"caption": "x" * 2200 + "\u202e"}, "caption"),
        ({"caption": None}, "caption"),
        ({"location": {"name": ""}}, "location.name"),
        ({"location": {"name": "\u2060\u3164"}}, "location.name"),
        ({"location": {"name": "a\u202eb"}}, "location.name"),
        ({"location": {}}, "location.name"),
        ({"location": {**PLACE, "latitude": 90.1}}, "location.latitude"),
        ({"location": {**PLACE, "longitude": 181}}, "location.longitude"),
        ({"location": {**PLACE, "latitude": "north"}}, "location.latitude"),
        ({"location": {**PLACE, "latitude": "1_0"}}, "location.latitude"),
        ({"location": {**PLACE, "longitude": "\u0663"}}, "location.longitude"),
        ({"location": {"name": "Sea", "latitude": 1}}, "location.longitude"),
        ({"location": "Sea"}, "location"),
    ],
)
def test_an_invalid_draft_is_422(builders: Builders, body: dict[str, Any], field: str) -> None:
    ana = builders.new_user()
    problem = assert_problem(send_post(ana, builders.draft(ana, **body)), 422, "invalid-fields")
    assert list(problem["errors"]) == [field]


def test_the_longest_caption_and_a_place_without_coordinates_are_accepted(
    builders: Builders,
) -> None:
    post = builders.publish(builders.new_user(), caption="é" * 2200, location={"name": "Sea"})
    assert post["caption"] == "é" * 2200
    assert post["location"] == {"name": "Sea", "latitude": None, "longitude": None}


def test_a_caption_is_published_in_one_form(builders: Builders) -> None:
    ana = builders.new_user()
    caption = "\ufeffSea\tand\r\nwind\u2028\u202e(olleh)\u2029\u2067a\u2069\u202c\r"
    draft = builders.draft(ana, caption=caption, location={"name": "Cabo\tda Roca\r\n"})
    key = secrets.token_hex(8)
    post = send_post(ana, draft, key).json
    assert post["caption"] == "Sea and\nwind\n\u202e(olleh)\u202c\n\u2067a\u2069"
    assert post["location"]["name"] == "Cabo da Roca"
    assert ana.get(f"/v1/posts/{post['id']}").json["caption"] == post["caption"]
    same = {**draft, "caption": post["caption"], "location": {"name": "Cabo da Roca"}}
    assert send_post(ana, same, key).status_code == 200  # the same text, so the same request


@pytest.mark.parametrize("store", ["cache", "queue"])
def test_a_post_is_published_without_redis(
    request: pytest.FixtureRequest, builders: Builders, store: str
) -> None:
    app = request.getfixturevalue(f"app_without_{store}")
    ana = builders.new_user().on(app)
    response = send_post(ana, builders.draft(ana))
    assert response.status_code == 201
    assert ana.feed() == [int(response.json["id"])]


def test_a_post_committed_by_a_failed_request_is_in_the_feed_after_the_replay(
    builders: Builders, graph: Graph, storage: Storage
) -> None:
    ana, key = builders.new_user(), secrets.token_hex(8)
    builders.publish(ana)
    _build_timeline(storage, ana)
    draft = builders.draft(ana)
    committed = Draft(
        photo_ids=tuple(int(photo_id) for photo_id in draft["photo_ids"]),
        caption="",
        location=None,
    )
    post_id = posts._commit(
        graph, storage, committed, post_id=new_id(), author_id=ana.id, key=key
    ).post_id
    assert send_post(ana, draft, key).status_code == 200
    assert ana.feed()[0] == post_id


def test_a_host_with_a_wrong_clock_publishes_nothing(
    builders: Builders, graph: Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana = builders.new_user()
    draft = builders.draft(ana)
    late = new_id() - (20_000 << 12)
    monkeypatch.setattr("graph.ids.new_id", lambda: late)
    assert_problem(send_post(ana, draft), 503, "clock-off")
    assert graph.posts.ids_by_author(ana.id, before=2**53, limit=5) == []


def test_a_taken_id_is_replaced_by_a_new_one(
    builders: Builders, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana, ben = builders.new_user(), builders.new_user()
    draft = builders.draft(ben)
    taken = int(builders.publish(ana)["id"])
    ids = iter([taken, new_id(), new_id(), new_id(), new_id()])
    monkeypatch.setattr("graph.ids.new_id", lambda: next(ids))
    response = send_post(ben, draft)
    assert response.status_code == 201
    assert int(response.json["id"]) != taken


def _build_timeline(storage: Storage, person: Person) -> None:
    token = storage.timelines.begin(person.id)
    assert token
    ids = person.feed()
    assert storage.timelines.finish(person.id, token, ids, watermark=0)
