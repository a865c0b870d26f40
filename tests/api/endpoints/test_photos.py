import secrets
from typing import Any

import pytest
import requests

from graph import Graph
from storage import Storage
from tests.support.people import Answer, Builders, Person, assert_problem, checksum

BYTES = b"\xff\xd8\xff\xe0 the beginning of a photograph"


def begin(person: Person, key: str = "", **body: Any) -> Answer:
    given = {"content_type": "image/jpeg", "size_bytes": len(BYTES), **body}
    headers = {"Idempotency-Key": key} if key else {}
    return person.post("/v1/me/photos", json=given, headers=headers)


def upload(answer: Answer, data: bytes = BYTES, **headers: str) -> int:
    given = answer.json["upload"]
    sent = {**given["headers"], **headers}
    return requests.put(given["url"], data=data, headers=sent, timeout=10).status_code


def test_a_photo_is_asked_for_uploaded_and_completed(builders: Builders) -> None:
    person = builders.new_user()
    answer = begin(person, checksum_sha256=checksum(BYTES), alt_text="A lighthouse")
    assert answer.status_code == 201
    assert answer.json["state"] == "waiting"
    assert answer.json["upload"]["method"] == "PUT"
    assert upload(answer) == 200
    path = f"/v1/me/photos/{answer.json['id']}"
    for _ in range(2):
        done = person.post(f"{path}/complete")
        assert (done.status_code, done.json["id"]) == (202, answer.json["id"])
        assert done.json["state"] in {"processing", "failed"}  # a worker may be at it


def test_completing_before_anything_is_there_is_409(builders: Builders) -> None:
    person = builders.new_user()
    path = f"/v1/me/photos/{begin(person).json['id']}/complete"
    assert_problem(person.post(path), 409, "nothing-uploaded")
    assert person.get(path.removesuffix("/complete")).json["state"] == "waiting"


@pytest.mark.parametrize(
    ("data", "headers"),
    [
        (BYTES + b"x", {}),
        (BYTES[:-1], {}),
        (BYTES, {"Content-Type": "text/html"}),
        (b"?" * len(BYTES), {}),
    ],
)
def test_s3_refuses_another_length_type_or_other_bytes(
    builders: Builders, data: bytes, headers: dict[str, str]
) -> None:
    person = builders.new_user()
    answer = begin(person, checksum_sha256=checksum(BYTES))
    assert upload(answer, data, **headers) in {400, 403}
    complete = person.post(f"/v1/me/photos/{answer.json['id']}/complete")
    assert_problem(complete, 409, "nothing-uploaded")


def test_a_photo_says_what_it_has_so_far(builders: Builders) -> None:
    person = builders.new_user()

    def shown(photo_id: int) -> Answer:
        return person.get(f"/v1/me/photos/{photo_id}")

    assert shown(builders.photo_waiting(person)).json.keys() == {"id", "state"}
    processing = shown(builders.photo_processing(person))
    assert (processing.json["state"], processing.headers["Retry-After"]) == ("processing", "1")
    failed = shown(builders.photo_failed(person)).json
    assert (failed["state"], failed["failure_code"]) == ("failed", "not-an-image")
    ready = shown(builders.photo_ready(person))
    assert "Retry-After" not in ready.headers
    assert (ready.json["width"], ready.json["height"]) == (640, 480)
    assert set(ready.json["renditions"]) == {"1080", "640", "320"}


def test_anothers_photo_and_none_are_the_same_404(builders: Builders) -> None:
    ana, ben = builders.new_user(), builders.new_user()
    photo_id = builders.photo_waiting(ana)
    details = {
        assert_problem(answer, 404, "not-found")["detail"]
        for answer in (
            ben.get(f"/v1/me/photos/{photo_id}"),
            ben.post(f"/v1/me/photos/{photo_id}/complete"),
            ben.get("/v1/me/photos/1"),
        )
    }
    assert len(details) == 1


@pytest.mark.parametrize(
    ("body", "status", "code", "field"),
    [
        ({"content_type": "image/svg+xml"}, 415, "unsupported-photo-type", "content_type"),
        ({"content_type": "text/html"}, 415, "unsupported-photo-type", "content_type"),
        ({"size_bytes": 15_000_001}, 413, "photo-too-large", "size_bytes"),
        ({"size_bytes": 0}, 422, "invalid-fields", "size_bytes"),
        ({"size_bytes": "9"}, 422, "invalid-fields", "size_bytes"),
        ({"size_bytes": 1.5}, 422, "invalid-fields", "size_bytes"),
        ({"checksum_sha256": "x"}, 422, "invalid-fields", "checksum_sha256"),
        ({"checksum_sha256": "AAAA"}, 422, "invalid-fields", "checksum_sha256"),
        ({"alt_text": "a\x00b"}, 422, "invalid-fields", "alt_text"),
        ({"path": "../../x"}, 422, "invalid-fields", "path"),
    ],
)
def test_what_cannot_become_a_photo_is_refused(
    builders: Builders, body: dict[str, Any], status: int, code: str, field: str
) -> None:
    problem = assert_problem(begin(builders.new_user(), **body), status, code)
    assert list(problem["errors"]) == [field]


def test_15_mb_are_taken(builders: Builders) -> None:
    assert begin(builders.new_user(), size_bytes=15_000_000).status_code == 201


def test_with_a_key_asking_again_gives_the_first_photo(builders: Builders) -> None:
    person, key = builders.new_user(), secrets.token_hex(8)
    first, again = begin(person, key), begin(person, key)
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.json["id"] == first.json["id"]
    assert upload(again) == 200
    reused = begin(person, key, size_bytes=99)
    assert_problem(reused, 422, "idempotency-key-reused")


def test_a_key_whose_photo_is_gone_with_its_post_is_410(builders: Builders, graph: Graph) -> None:
    person, key = builders.new_user(), secrets.token_hex(8)
    photo_id = int(begin(person, key).json["id"])
    graph.photos.complete(photo_id, owner_id=person.id)
    graph.photos.set_ready(photo_id, width=640, height=480, blurhash="LEHV6nWB2yk8")
    post = builders.publish(person, photo_ids=[photo_id])
    assert person.delete(f"/v1/posts/{post['id']}").status_code == 204
    graph.posts.forget_photos([photo_id])  # as the worker does after the deletion
    assert_problem(begin(person, key), 410, "post-deleted")


def test_a_key_is_its_users_alone(builders: Builders) -> None:
    key = secrets.token_hex(8)
    answers = [begin(builders.new_user(), key) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json["id"] != answers[1].json["id"]


def test_a_key_of_a_photo_is_not_one_of_a_post(builders: Builders) -> None:
    person, key = builders.new_user(), secrets.token_hex(8)
    begin(person, key)
    answer = person.post(
        "/v1/me/feed", json=builders.draft(person), headers={"Idempotency-Key": key}
    )
    assert_problem(answer, 422, "idempotency-key-reused")


def test_an_upload_after_completion_is_not_what_is_processed_again(
    builders: Builders, graph: Graph, storage: Storage
) -> None:
    person = builders.new_user()
    photo_id = builders.photo_ready(person)
    before = person.get(f"/v1/me/photos/{photo_id}").json
    done = person.post(f"/v1/me/photos/{photo_id}/complete")
    assert (done.status_code, done.json["state"]) == (202, "ready")
    assert person.get(f"/v1/me/photos/{photo_id}").json == before
    assert graph.photos.by_id(photo_id, owner_id=person.id).state == "ready"
    assert storage.photos.uploaded_size("nothing of this name") is None
