import secrets
from typing import Any

import pytest
import requests

from graph import Graph
from storage import Storage
from tests.support.people import Builders, Person, assert_problem, checksum
from tests.support.town import Town
from tests.support.transports import ApiResponse

BYTES = b"\xff\xd8\xff\xe0 the beginning of a photograph"


def create(person: Person, key: str = "", **body: Any) -> ApiResponse:
    declaration = {"content_type": "image/jpeg", "size_bytes": len(BYTES), **body}
    headers = {"Idempotency-Key": key} if key else {}
    return person.post("/v1/me/photos", json=declaration, headers=headers)


def upload(response: ApiResponse, data: bytes = BYTES, **headers: str) -> int:
    presigned = response.json["upload"]
    return requests.put(
        presigned["url"], data=data, headers={**presigned["headers"], **headers}, timeout=10
    ).status_code


def test_a_photo_is_created_uploaded_and_completed(builders: Builders) -> None:
    person = builders.new_user()
    response = create(person, checksum_sha256=checksum(BYTES), alt_text="A lighthouse")
    assert response.status_code == 201
    assert response.json["state"] == "waiting"
    assert response.json["upload"]["method"] == "PUT"
    assert upload(response) == 200
    path = f"/v1/me/photos/{response.json['id']}"
    for _ in range(2):
        completion = person.post(f"{path}/complete")
        assert (completion.status_code, completion.json["id"]) == (202, response.json["id"])
        assert completion.json["state"] in {"processing", "failed"}  # a worker can be running


def test_completing_before_the_upload_is_409(builders: Builders) -> None:
    person = builders.new_user()
    path = f"/v1/me/photos/{create(person).json['id']}/complete"
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
def test_s3_refuses_an_upload_that_differs_from_the_declaration(
    builders: Builders, data: bytes, headers: dict[str, str]
) -> None:
    person = builders.new_user()
    response = create(person, checksum_sha256=checksum(BYTES))
    assert upload(response, data, **headers) in {400, 403}
    complete = person.post(f"/v1/me/photos/{response.json['id']}/complete")
    assert_problem(complete, 409, "nothing-uploaded")


def test_a_photo_has_the_fields_of_its_state(builders: Builders) -> None:
    person = builders.new_user()

    def get_photo(photo_id: int) -> ApiResponse:
        return person.get(f"/v1/me/photos/{photo_id}")

    assert get_photo(builders.photo_waiting(person)).json.keys() == {"id", "state"}
    processing = get_photo(builders.photo_processing(person))
    assert (processing.json["state"], processing.headers["Retry-After"]) == ("processing", "1")
    failed = get_photo(builders.photo_failed(person)).json
    assert (failed["state"], failed["failure_code"]) == ("failed", "not-an-image")
    ready = get_photo(builders.photo_ready(person))
    assert "Retry-After" not in ready.headers
    assert (ready.json["width"], ready.json["height"]) == (640, 480)
    assert set(ready.json["renditions"]) == {"1080", "640", "320"}


def test_anothers_photo_and_an_absent_one_are_the_same_404(builders: Builders) -> None:
    ana, ben = builders.new_user(), builders.new_user()
    photo_id = builders.photo_waiting(ana)
    details = {
        assert_problem(response, 404, "not-found")["detail"]
        for response in (
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
def test_an_invalid_declaration_of_a_photo_is_refused(
    builders: Builders, body: dict[str, Any], status: int, code: str, field: str
) -> None:
    problem = assert_problem(create(builders.new_user(), **body), status, code)
    assert list(problem["errors"]) == [field]


@pytest.mark.parametrize(
    ("spelling", "content_type"),
    [
        ("image/jpg", "image/jpeg"),
        ("image/pjpeg", "image/jpeg"),
        ("IMAGE/JPEG; q=0.9", "image/jpeg"),
        ("image/heif", "image/heic"),
        ("image/x-png", "image/png"),
    ],
)
def test_a_content_type_in_another_spelling_is_signed_and_returned_in_its_usual_one(
    builders: Builders, graph: Graph, spelling: str, content_type: str
) -> None:
    person, key = builders.new_user(), secrets.token_hex(8)
    response = create(person, key, content_type=spelling, checksum_sha256=checksum(BYTES))
    assert response.status_code == 201
    assert response.json["upload"]["headers"]["Content-Type"] == content_type
    photo = graph.photos.get(int(response.json["id"]))
    assert photo
    assert photo.content_type == content_type
    usual = create(person, key, content_type=content_type, checksum_sha256=checksum(BYTES))
    assert (usual.status_code, usual.json["id"]) == (200, response.json["id"])
    assert upload(response, BYTES, **{"Content-Type": spelling}) == 403
    assert upload(response) == 200


def test_an_alt_text_is_stored_in_one_form(builders: Builders) -> None:
    person = builders.new_user()
    alt_text = "A\tlighthouse\u2028\u202bat night\r"
    photo_id = create(person, alt_text=alt_text).json["id"]
    shown = person.get(f"/v1/me/photos/{photo_id}").json["alt_text"]
    assert shown == "A lighthouse\n\u202bat night\u202c"


def test_a_photo_of_15_mb_is_accepted(builders: Builders) -> None:
    assert create(builders.new_user(), size_bytes=15_000_000).status_code == 201


def test_the_same_key_returns_the_first_photo(builders: Builders) -> None:
    person, key = builders.new_user(), secrets.token_hex(8)
    first, again = create(person, key), create(person, key)
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.json["id"] == first.json["id"]
    assert upload(again) == 200
    reused = create(person, key, size_bytes=99)
    assert_problem(reused, 422, "idempotency-key-reused")


def test_the_key_of_a_photo_is_410_after_its_post_is_deleted(
    builders: Builders, graph: Graph
) -> None:
    person, key = builders.new_user(), secrets.token_hex(8)
    photo_id = int(create(person, key).json["id"])
    graph.photos.complete(photo_id, owner_id=person.id)
    Town(graph).set_ready(photo_id)
    post = builders.publish(person, photo_ids=[photo_id])
    assert person.delete(f"/v1/posts/{post['id']}").status_code == 204
    graph.posts.delete_photos([photo_id])  # as the worker does after the deletion
    assert_problem(create(person, key), 410, "post-deleted")


def test_two_users_can_use_the_same_key(builders: Builders) -> None:
    key = secrets.token_hex(8)
    responses = [create(builders.new_user(), key) for _ in range(2)]
    assert [response.status_code for response in responses] == [201, 201]
    assert responses[0].json["id"] != responses[1].json["id"]


def test_a_key_of_a_photo_cannot_be_used_for_a_post(builders: Builders) -> None:
    person, key = builders.new_user(), secrets.token_hex(8)
    create(person, key)
    response = person.post(
        "/v1/me/feed", json=builders.draft(person), headers={"Idempotency-Key": key}
    )
    assert_problem(response, 422, "idempotency-key-reused")


def test_a_second_completion_does_not_process_the_photo_again(
    builders: Builders, graph: Graph, storage: Storage
) -> None:
    person = builders.new_user()
    photo_id = builders.photo_ready(person)
    before = person.get(f"/v1/me/photos/{photo_id}").json
    completion = person.post(f"/v1/me/photos/{photo_id}/complete")
    assert (completion.status_code, completion.json["state"]) == (202, "ready")
    assert person.get(f"/v1/me/photos/{photo_id}").json == before
    assert graph.photos.by_id(photo_id, owner_id=person.id).state == "ready"
    assert storage.photos.upload_size("nothing of this name") is None
