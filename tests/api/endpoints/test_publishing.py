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

PLACE = {"name": "Cabo da Roca", "latitude": 38.7804, "longitude": -9.4989}


def test_a_post_is_answered_whole_and_stands_where_location_says(builders: Builders) -> None:
    ana = builders.new_user(name="Ana")
    draft = builders.draft(ana, caption='Wind,\nand a "lighthouse" 🌊', location=PLACE)
    answer = send_post(ana, draft)
    assert answer.status_code == 201
    post = answer.json
    assert post["author"] == {"id": str(ana.id), "username": ana.username, "name": "Ana"}
    assert post["caption"] == 'Wind,\nand a "lighthouse" 🌊'
    assert post["location"] == PLACE
    assert [photo["id"] for photo in post["photos"]] == draft["photo_ids"]
    assert post["photos"][0].keys() == {
        "id", "width", "height", "blurhash", "alt_text", "renditions",
    }  # fmt: skip
    assert answer.headers["Location"] == f"/v1/posts/{post['id']}"
    assert ana.get(answer.headers["Location"]).json == post


def test_the_author_and_the_followers_read_it_on_the_next_request(builders: Builders) -> None:
    ana, ben = builders.new_user(), builders.new_user()
    builders.follow(ben, ana)
    for _ in range(3):
        post_id = int(builders.publish(ana)["id"])
        assert ana.feed()[0] == post_id
    assert ben.get("/v1/me/feed").status_code == 200


def test_photos_come_in_the_order_they_were_given(builders: Builders) -> None:
    ana = builders.new_user()
    photo_ids = [builders.photo_ready(ana) for _ in range(4)]
    for order in ([2, 0, 3, 1],):
        given = [photo_ids[place] for place in order]
        shown = builders.publish(ana, photo_ids=given)["photos"]
        assert [int(photo["id"]) for photo in shown] == given


def test_without_a_key_it_is_400(builders: Builders) -> None:
    ana = builders.new_user()
    draft = builders.draft(ana)
    assert_problem(ana.post("/v1/me/feed", json=draft), 400, "idempotency-key-missing")
    for key in ("", "x" * 256, "a b", "é"):
        answer = ana.post("/v1/me/feed", json=draft, headers={"Idempotency-Key": key})
        assert_problem(answer, 400, "idempotency-key-missing")


def test_the_same_key_and_body_give_the_first_post_again(builders: Builders) -> None:
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


def test_a_key_is_its_users_alone(builders: Builders) -> None:
    key = secrets.token_hex(8)
    for _ in range(2):
        ana = builders.new_user()
        assert send_post(ana, builders.draft(ana), key).status_code == 201


def test_many_with_one_key_at_once_make_one_post(builders: Builders) -> None:
    ana, key = builders.new_user(), secrets.token_hex(8)
    draft = builders.draft(ana)
    with ThreadPoolExecutor(6) as threads:
        answers = list(threads.map(lambda _: send_post(ana, draft, key), range(6)))
    statuses = [answer.status_code for answer in answers]
    assert statuses.count(201) == 1
    assert set(statuses) <= {200, 201, 409}
    assert len(ana.feed()) == 1
    assert {answer.json["id"] for answer in answers if answer.status_code != 409} == {
        str(ana.feed()[0])
    }


def test_the_key_of_a_post_deleted_meanwhile_is_410(builders: Builders) -> None:
    ana, key = builders.new_user(), secrets.token_hex(8)
    draft = builders.draft(ana)
    post_id = send_post(ana, draft, key).json["id"]
    assert ana.delete(f"/v1/posts/{post_id}").status_code == 204
    for _ in range(2):
        assert_problem(send_post(ana, draft, key), 410, "post-deleted")
    assert ana.feed() == []


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
    answer = send_post(ana, draft, key)
    problem = assert_problem(answer, status, code)
    assert str(photo_id) in problem["detail"]
    assert ("Retry-After" in answer.headers) == (status == 409)
    assert ana.feed() == []


def test_a_photo_that_becomes_ready_can_be_posted_under_the_same_key(
    builders: Builders, graph: Graph
) -> None:
    ana, key = builders.new_user(), secrets.token_hex(8)
    photo_id = builders.photo_processing(ana)
    draft = builders.draft(ana, photo_ids=[photo_id])
    assert_problem(send_post(ana, draft, key), 409, "photos-not-ready")
    graph.photos.set_ready(photo_id, width=64, height=64, blurhash="x")
    assert send_post(ana, draft, key).status_code == 201


def test_anothers_photo_and_none_are_the_same_404(builders: Builders) -> None:
    ana, ben = builders.new_user(), builders.new_user()
    details = {
        assert_problem(send_post(ana, builders.draft(ana, photo_ids=[some_id])), 404, "not-found")[
            "detail"
        ]
        for some_id in (builders.photo_ready(ben), builders.photo_waiting(ben), 1)
    }
    assert len(details) == 1


def test_a_photo_is_posted_once(builders: Builders) -> None:
    ana = builders.new_user()
    draft = builders.draft(ana)
    first = send_post(ana, draft)
    assert_problem(send_post(ana, draft), 422, "photo-already-posted")
    ana.delete(f"/v1/posts/{first.json['id']}")
    assert send_post(ana, draft).status_code in {404, 422}


def test_one_photo_in_two_posts_at_once_is_in_one(builders: Builders) -> None:
    ana = builders.new_user()
    draft = builders.draft(ana)
    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(lambda _: send_post(ana, draft), range(4)))
    assert [answer.status_code for answer in answers].count(201) == 1
    assert {answer.status_code for answer in answers} <= {201, 409, 422}
    assert len(ana.feed()) == 1


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"photo_ids": []}, "photo_ids"),
        ({"photo_ids": list(range(11))}, "photo_ids"),
        ({"photo_ids": [1, 1]}, "photo_ids"),
        ({"caption": "x" * 2201}, "caption"),
        ({"caption": "a\x00b"}, "caption"),
        ({"caption": "a\u202eb"}, "caption"),
        ({"caption": None}, "caption"),
        ({"location": {"name": ""}}, "location.name"),
        ({"location": {}}, "location.name"),
        ({"location": {**PLACE, "latitude": 90.1}}, "location.latitude"),
        ({"location": {**PLACE, "longitude": 181}}, "location.longitude"),
        ({"location": {**PLACE, "latitude": "north"}}, "location.latitude"),
        ({"location": {"name": "Sea", "latitude": 1}}, "location.longitude"),
        ({"location": "Sea"}, "location"),
    ],
)
def test_a_draft_that_does_not_fit_is_422(
    builders: Builders, body: dict[str, Any], field: str
) -> None:
    ana = builders.new_user()
    problem = assert_problem(send_post(ana, builders.draft(ana, **body)), 422, "invalid-fields")
    assert list(problem["errors"]) == [field]


def test_the_longest_caption_and_a_place_without_coordinates_are_taken(
    builders: Builders,
) -> None:
    post = builders.publish(builders.new_user(), caption="é" * 2200, location={"name": "Sea"})
    assert post["caption"] == "é" * 2200
    assert post["location"] == {"name": "Sea", "latitude": None, "longitude": None}


@pytest.mark.parametrize("without", ["cache", "queue"])
def test_a_post_stands_whatever_redis_does(
    request: pytest.FixtureRequest, builders: Builders, without: str
) -> None:
    app = request.getfixturevalue(f"app_without_{without}")
    ana = builders.new_user().on(app)
    answer = send_post(ana, builders.draft(ana))
    assert answer.status_code == 201
    assert ana.feed() == [int(answer.json["id"])]


def test_a_first_try_that_died_after_its_commit_is_read_at_once_after_the_replay(
    builders: Builders, graph: Graph, storage: Storage
) -> None:
    ana, key = builders.new_user(), secrets.token_hex(8)
    builders.publish(ana)
    _have_a_list(storage, ana)
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


def test_a_host_whose_clock_is_off_publishes_nothing(
    builders: Builders, graph: Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana = builders.new_user()
    draft = builders.draft(ana)
    late = new_id() - (20_000 << 12)
    monkeypatch.setattr("graph.ids.new_id", lambda: late)
    assert_problem(send_post(ana, draft), 503, "clock-off")
    assert graph.posts.ids_by_author(ana.id, before=2**53, limit=5) == []


def test_an_id_that_is_taken_is_drawn_again(
    builders: Builders, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana, ben = builders.new_user(), builders.new_user()
    draft = builders.draft(ben)
    taken = int(builders.publish(ana)["id"])
    ids = iter([taken, new_id(), new_id(), new_id(), new_id()])
    monkeypatch.setattr("graph.ids.new_id", lambda: next(ids))
    answer = send_post(ben, draft)
    assert answer.status_code == 201
    assert int(answer.json["id"]) != taken


def _have_a_list(storage: Storage, person: Person) -> None:
    token = storage.timelines.begin(person.id)
    assert token
    ids = person.feed()
    assert storage.timelines.finish(person.id, token, ids, watermark=0)
