import secrets
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any

import pytest
import requests

from api.http.context import context_of
from graph import Graph
from storage import Storage
from storage.photos import QUICK_CALLS
from tests.support.declared_photos import BYTES, create
from tests.support.eventually import eventually
from tests.support.people import Builders, Person, assert_problem, checksum
from tests.support.town import Town
from tests.support.transports import ApiResponse


def hours_until(time: str) -> float:
    return round((datetime.fromisoformat(time) - datetime.now(UTC)).total_seconds() / 3600, 1)


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


def test_a_size_may_be_written_with_a_fraction_of_zero(builders: Builders) -> None:
    """JSON has one kind of number: 9.0 is the integer 9."""
    assert create(builders.new_user(), size_bytes=9.0).status_code == 201
    assert_problem(create(builders.new_user(), size_bytes=1e300), 413, "photo-too-large")


def test_completing_before_the_upload_is_409(builders: Builders) -> None:
    person = builders.new_user()
    path = f"/v1/me/photos/{create(person).json['id']}/complete"
    assert_problem(person.post(path), 409, "nothing-uploaded")
    assert person.get(path.removesuffix("/complete")).json["state"] == "waiting"


# Case 45
def test_one_user_waits_for_s3_with_one_completion_and_leaves_the_other_turn(
    builders: Builders, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    greedy, other = builders.new_user(), builders.new_user()
    paths = {one: f"/v1/me/photos/{create(one).json['id']}/complete" for one in (greedy, other)}
    turns = storage.photos._quick_turns
    monkeypatch.setattr(turns, "_wait_seconds", 30)
    with ThreadPoolExecutor(3) as pool, ExitStack() as held:
        for _ in range(QUICK_CALLS):
            held.enter_context(turns.turn(AssertionError))

        def complete(person: Person) -> Future[ApiResponse]:
            return pool.submit(person.on_new_connection().post, paths[person])

        both, third = [complete(greedy), complete(greedy)], complete(other)
        eventually(lambda: any(one.done() for one in both))
        [refused] = [one.result() for one in both if one.done()]
        assert_problem(refused, 429, "too-many-requests")
        assert refused.headers["Retry-After"] == "1"
        eventually(lambda: len(turns._waiting) == 2)
        held.close()
        for answer in (*both, third):
            assert answer.result(30).status_code in {409, 429}
        assert_problem(third.result(), 409, "nothing-uploaded")
    assert_problem(greedy.post(paths[greedy]), 409, "nothing-uploaded")


@pytest.mark.parametrize("burst", [4])
def test_completions_of_a_user_at_once_all_pass_with_a_healthy_s3(
    builders: Builders, monkeypatch: pytest.MonkeyPatch, burst: int
) -> None:
    person = builders.new_user()
    path = f"/v1/me/photos/{create(person).json['id']}/complete"
    monkeypatch.setattr(context_of(builders.app).completions, "_wait_seconds", 30)
    with ThreadPoolExecutor(burst) as pool:
        answers = pool.map(lambda _: person.on_new_connection().post(path), range(burst))
        for answer in answers:
            assert_problem(answer, 409, "nothing-uploaded")


# Security 13
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

    waiting = get_photo(builders.photo_waiting(person)).json
    assert waiting.keys() == {"id", "state", "expires_at"}
    assert hours_until(waiting["expires_at"]) == 24.0
    processing = get_photo(builders.photo_processing(person))
    assert (processing.json["state"], processing.headers["Retry-After"]) == ("processing", "1")
    failed = get_photo(builders.photo_failed(person)).json
    assert (failed["state"], failed["failure_code"]) == ("failed", "not-an-image")
    ready = get_photo(builders.photo_ready(person))
    assert "Retry-After" not in ready.headers
    assert (ready.json["width"], ready.json["height"]) == (640, 480)
    assert set(ready.json["renditions"]) == {"1080", "640", "320"}
    assert hours_until(ready.json["expires_at"]) == 24.0
    assert "expires_at" not in processing.json | failed


# Security 7
def test_anothers_photo_and_an_absent_one_are_the_same_404(builders: Builders) -> None:
    ana, ben = builders.new_user(), builders.new_user()
    photo_id = builders.photo_waiting(ana)
    details = {
        assert_problem(response, 404, "not-found")["detail"]
        for response in (
            ben.get(f"/v1/me/photos/{photo_id}"),
            ben.post(f"/v1/me/photos/{photo_id}/complete"),
            ben.delete(f"/v1/me/photos/{photo_id}"),
            ben.get("/v1/me/photos/1"),
            ben.delete("/v1/me/photos/1"),
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


# Security 9
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


def ids_of(page: dict[str, Any]) -> list[int]:
    return [int(photo["id"]) for photo in page["photos"]]


def test_photos_are_listed_newest_first_in_pages_and_by_state(builders: Builders) -> None:
    person = builders.new_user()
    ready, waiting, failed = (
        builders.photo_ready(person),
        builders.photo_waiting(person),
        builders.photo_failed(person),
    )
    posted = builders.photo_ready(person)
    post = builders.publish(person, photo_ids=[posted])
    first = person.get("/v1/me/photos?limit=3")
    assert ids_of(first.json) == [posted, failed, waiting]
    assert f"cursor={first.json['next']}" in first.headers["Link"]
    second = person.read(f"/v1/me/photos?limit=3&cursor={first.json['next']}")
    assert ids_of(second) == [ready]
    assert "next" not in second
    assert first.json["photos"][0] == person.read(f"/v1/me/photos/{posted}")
    assert first.json["photos"][0]["post_id"] == post["id"]
    assert "expires_at" not in first.json["photos"][0]
    assert first.json["photos"][1]["failure_code"] == "not-an-image"
    assert "post_id" not in second["photos"][0]
    assert ids_of(person.read("/v1/me/photos?state=ready")) == [posted, ready]
    assert ids_of(person.read("/v1/me/photos?state=expired")) == []
    assert_problem(person.get("/v1/me/photos?state=deleted"), 422, "invalid-fields")
    assert ids_of(builders.new_user().read("/v1/me/photos")) == []
    foreign = builders.new_user().get(f"/v1/me/photos?cursor={first.json['next']}")
    assert_problem(foreign, 400, "invalid-cursor")


@pytest.mark.parametrize("state", ["waiting", "processing", "ready", "failed"])
def test_a_deleted_photo_is_gone_and_its_deletion_can_be_repeated(
    builders: Builders, state: str
) -> None:
    person = builders.new_user()
    photo_id = getattr(builders, f"photo_{state}")(person)
    path = f"/v1/me/photos/{photo_id}"
    for _ in range(2):
        response = person.delete(path)
        assert (response.status_code, response.text) == (204, "")
    assert_problem(person.get(path), 404, "not-found")
    assert_problem(person.post(f"{path}/complete"), 404, "not-found")
    assert ids_of(person.read("/v1/me/photos")) == []
    post = person.post(
        "/v1/me/feed",
        json={"photo_ids": [str(photo_id)]},
        headers={"Idempotency-Key": secrets.token_hex(8)},
    )
    assert_problem(post, 404, "not-found")


def test_a_photo_of_a_post_cannot_be_deleted(builders: Builders) -> None:
    person = builders.new_user()
    photo_id = builders.photo_ready(person)
    builders.publish(person, photo_ids=[photo_id])
    refused = person.delete(f"/v1/me/photos/{photo_id}")
    assert_problem(refused, 409, "photo-already-posted")
    assert person.read(f"/v1/me/photos/{photo_id}")["state"] == "ready"


def test_the_key_of_a_deleted_photo_is_410(builders: Builders) -> None:
    person, key = builders.new_user(), secrets.token_hex(8)
    photo_id = create(person, key).json["id"]
    assert person.delete(f"/v1/me/photos/{photo_id}").status_code == 204
    assert_problem(create(person, key), 410, "post-deleted")
