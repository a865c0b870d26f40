"""Photos in S3, and who may PUT and GET which objects, by plain HTTP."""

import base64
import hashlib
import secrets
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from environs import Env

from drill.support.proxy import Proxy
from storage import Storage, StorageRefusedError, StorageSettings, StorageUnavailableError
from storage.photos import RENDITION_SIDES, Photos, Upload
from storage.s3 import SweptPage
from tests.support.eventually import eventually
from tests.support.uploads import object_names, private_bucket
from workers.photos import imaging

DATA = b"\xff\xd8 some bytes with the signature of a JPEG"


@pytest.fixture(scope="module")
def settings(stack_env: dict[str, str]) -> StorageSettings:
    assert stack_env
    return StorageSettings.from_env(Env())


@pytest.fixture
def photos(storage: Storage) -> Photos:
    return storage.photos


@pytest.fixture
def path(photos: Photos) -> Iterator[str]:
    path = secrets.token_urlsafe(16)
    yield path
    photos.remove(path)


def sha256(data: bytes) -> str:
    return base64.b64encode(hashlib.sha256(data).digest()).decode()


def presigned(
    photos: Photos, path: str, *, checksum: str | None = None, seconds: int = 60
) -> Upload:
    return photos.presign_upload(
        path,
        content_type="image/jpeg",
        size_bytes=len(DATA),
        checksum_sha256=checksum,
        expires_seconds=seconds,
    )


def put(upload: Upload, data: bytes = DATA, headers: Mapping[str, str] | None = None) -> int:
    sent = {**upload.headers, **(headers or {})}
    return requests.put(upload.url, data=data, headers=sent, timeout=10).status_code


def get(url: str) -> requests.Response:
    return requests.get(url, timeout=10)


def test_an_upload_that_matches_its_signature_is_accepted(photos: Photos, path: str) -> None:
    upload = presigned(photos, path, checksum=sha256(DATA))
    assert upload.method == "PUT"
    assert timedelta(0) < upload.expires_at - datetime.now(UTC) <= timedelta(seconds=60)
    assert put(upload) == 200
    assert photos.upload_size(path) == len(DATA)
    assert photos.read_upload(path, limit_bytes=1000) == DATA


def test_without_a_checksum_type_and_length_are_signed(photos: Photos, path: str) -> None:
    upload = presigned(photos, path)
    assert put(upload, DATA[:-1]) == 403
    assert put(upload, headers={"Content-Type": "image/png"}) == 403
    assert put(upload) == 200


# Security 13
@pytest.mark.parametrize(
    ("data", "headers", "status"),
    [
        (DATA[:-1] + b"!", {}, 400),
        (DATA + b"!", {}, 403),
        (DATA[:-1], {}, 403),
        (b"", {}, 403),
        (DATA, {"Content-Type": "text/html"}, 403),
        (DATA[::-1], {"x-amz-checksum-sha256": sha256(DATA[::-1])}, 403),
    ],
)
def test_an_upload_of_anything_else_is_refused(
    photos: Photos, path: str, data: bytes, headers: dict[str, str], status: int
) -> None:
    assert put(presigned(photos, path, checksum=sha256(DATA)), data, headers) == status
    assert photos.upload_size(path) is None


# Security 13
def test_an_upload_to_another_key_is_refused(photos: Photos, path: str) -> None:
    upload = presigned(photos, path)
    for elsewhere in (f"media/{path}/1080.jpg", f"originals/{path}", "incoming/another"):
        moved = replace(upload, url=upload.url.replace(f"incoming/{path}", elsewhere))
        assert moved.url != upload.url
        assert put(moved) == 403


# Security 13
def test_a_presigned_put_reads_and_deletes_nothing(photos: Photos, path: str) -> None:
    upload = presigned(photos, path)
    put(upload)
    for method in ("GET", "DELETE"):
        assert requests.request(method, upload.url, timeout=10).status_code == 403
    assert photos.upload_size(path) == len(DATA)


# Security 13
def test_an_expired_upload_is_refused(photos: Photos, path: str) -> None:
    upload = presigned(photos, path, seconds=1)
    eventually(lambda: datetime.now(UTC) > upload.expires_at + timedelta(seconds=1))
    assert put(upload) == 403


def test_a_missing_upload_is_none(photos: Photos, path: str) -> None:
    assert photos.upload_size(path) is None
    assert photos.read_upload(path, limit_bytes=10) is None


def test_a_read_of_a_longer_upload_stops_one_byte_after_the_limit(
    photos: Photos, path: str
) -> None:
    put(presigned(photos, path))
    assert photos.read_upload(path, limit_bytes=10) == DATA[:11]
    assert photos.read_upload(path, limit_bytes=len(DATA)) == DATA


# Security 19
def test_anyone_may_get_a_rendition_and_cache_it_for_ever(photos: Photos, path: str) -> None:
    for side in RENDITION_SIDES:
        photos.put_rendition(path, side, DATA)
    urls = photos.rendition_urls(path)
    assert list(urls) == ["1080", "640", "320"]
    for url in urls.values():
        answer = get(url)
        assert answer.content == DATA
        assert answer.headers["Content-Type"] == "image/jpeg"
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"


# Security 13
def test_nobody_else_gets_originals_uploads_or_lists(
    photos: Photos, settings: StorageSettings, path: str
) -> None:
    put(presigned(photos, path))
    photos.store_original(path, DATA, "image/jpeg")
    photos.put_rendition(path, 1080, DATA)
    for target in (
        f"incoming/{path}", f"originals/{path}", f"media/../originals/{path}",
        f"media/%2e%2e/originals/{path}", f"media/..%2foriginals/{path}",
        f"media//../originals/{path}", f"media/{path}/../../originals/{path}",
        f"/originals/{path}", "", "?list-type=2",
        "?list-type=2&prefix=media/", "?policy", "?acl", "?cors", "?uploads", "?versions",
    ):  # fmt: skip
        status, body = get_raw_path(settings, target)
        assert status >= 400, target
        assert DATA not in body


def get_raw_path(settings: StorageSettings, target: str) -> tuple[int, bytes]:
    """A GET whose path no client library has normalized."""
    connection = HTTPConnection(urlsplit(settings.s3_endpoint_url).netloc, timeout=10)
    with closing(connection):
        connection.request("GET", f"/{settings.s3_bucket}/{target}")
        answer = connection.getresponse()
        return answer.status, answer.read()


def test_the_owner_can_list_the_objects_of_a_photo(photos: Photos, path: str) -> None:
    photos.store_original(path, DATA, "image/jpeg")
    assert object_names(photos, path) == {"originals/*"}


# Security 19
def test_nobody_else_changes_or_deletes_a_rendition(photos: Photos, path: str) -> None:
    photos.put_rendition(path, 640, DATA)
    url = photos.rendition_urls(path)["640"]
    assert requests.put(url, data=b"other", timeout=10).status_code == 403
    assert requests.delete(url, timeout=10).status_code == 403
    assert get(url).content == DATA


def test_all_objects_of_a_photo_are_removed_and_again(photos: Photos, path: str) -> None:
    put(presigned(photos, path))
    photos.store_original(path, DATA, "image/jpeg")
    for side in RENDITION_SIDES:
        photos.put_rendition(path, side, DATA)
    for _ in range(2):
        photos.remove(path)
        assert object_names(photos, path) == set()


def test_removing_an_upload_leaves_the_rest(photos: Photos, path: str) -> None:
    put(presigned(photos, path))
    photos.store_original(path, DATA, "image/jpeg")
    photos.put_rendition(path, 320, DATA)
    photos.remove_upload(path)
    assert object_names(photos, path) == {"media/*/320.jpg", "originals/*"}


@pytest.fixture
def private_photos(settings: StorageSettings) -> Iterator[Photos]:
    """Photos in a new bucket of this test alone, with one allowed origin for browsers."""
    with private_bucket(settings, s3_cors_origins=("https://app.example",)) as photos:
        yield photos


def test_a_bucket_is_created_and_preparing_it_again_is_safe(
    private_photos: Photos, path: str
) -> None:
    private_photos.prepare_bucket()
    private_photos.ping()
    private_photos.put_rendition(path, 1080, DATA)
    private_photos.store_original(path, DATA, "image/jpeg")
    url = private_photos.rendition_urls(path)["1080"]
    assert get(url).status_code == 200
    assert get(url.replace(f"media/{path}/1080.jpg", f"originals/{path}")).status_code == 403


# Security 23
def test_only_the_named_origin_may_upload_from_a_browser(private_photos: Photos, path: str) -> None:
    url = presigned(private_photos, path).url
    preflight = {
        "Access-Control-Request-Method": "PUT",
        "Access-Control-Request-Headers": "content-type,x-amz-checksum-sha256",
    }
    allowed, refused = (
        requests.options(url, headers={"Origin": origin, **preflight}, timeout=10).headers
        for origin in ("https://app.example", "https://evil.example")
    )
    assert allowed["Access-Control-Allow-Origin"] == "https://app.example"
    assert "Access-Control-Allow-Origin" not in refused


def test_abandoned_uploads_are_swept_and_nothing_else(private_photos: Photos) -> None:
    paths = [secrets.token_urlsafe(16) for _ in range(3)]
    for path in paths:
        put(presigned(private_photos, path))
        private_photos.store_original(path, DATA, "image/jpeg")
    now = datetime.now(UTC)
    _, first, last = sorted(paths)
    page = private_photos.sweep_incoming(now - timedelta(days=1), limit=2)
    assert page == SweptPage(removed=0, last_key=f"incoming/{first}")
    later = now + timedelta(minutes=1)
    page = private_photos.sweep_incoming(later, after_key=f"incoming/{first}", limit=2)
    assert page == SweptPage(removed=1, last_key=None)
    assert [path for path in paths if "incoming/*" not in object_names(private_photos, path)] == [
        last
    ]
    assert private_photos.sweep_incoming(later) == SweptPage(removed=2, last_key=None)
    assert private_photos.sweep_incoming(later) == SweptPage(removed=0, last_key=None)
    for path in paths:
        assert object_names(private_photos, path) == {"originals/*"}


def test_the_objects_of_many_photos_are_removed_together(photos: Photos) -> None:
    paths = [secrets.token_urlsafe(16) for _ in range(3)]
    for path in paths:
        put(presigned(photos, path))
        photos.store_original(path, DATA, "image/jpeg")
        for side in RENDITION_SIDES:
            photos.put_rendition(path, side, DATA)
    for _ in range(2):
        assert photos.remove_many(paths[:2]) == set()
    assert [len(object_names(photos, path)) for path in paths] == [0, 0, 5]
    assert photos.remove_many(paths) == set()


def test_an_object_that_s3_refuses_to_remove_is_named_and_the_others_are_removed(
    private_photos: Photos, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos, delete_objects = private_photos, private_photos._client.delete_objects

    def refuse_one(*, Bucket: str, Delete: dict[str, Any]) -> dict[str, Any]:  # noqa: N803
        """The answer of an S3 that cannot remove one of the objects."""
        good = [one for one in Delete["Objects"] if one["Key"] != "incoming/bad"]
        answer: dict[str, Any] = delete_objects(Bucket=Bucket, Delete={"Objects": good})
        return {**answer, "Errors": [{"Key": "incoming/bad", "Code": "InternalError"}]}

    for path in ("bad", "good"):
        put(presigned(photos, path))
    monkeypatch.setattr(photos._client, "delete_objects", refuse_one)
    assert photos.remove_many(["bad", "good"]) == {"bad"}
    assert object_names(photos, "good") == set()
    put(presigned(photos, "good"))
    later = datetime.now(UTC) + timedelta(minutes=1)
    assert photos.sweep_incoming(later) == SweptPage(removed=1, last_key=None)
    assert (object_names(photos, "bad"), object_names(photos, "good")) == ({"incoming/*"}, set())
    with pytest.raises(StorageUnavailableError, match="InternalError"):
        photos.remove("bad")
    monkeypatch.undo()


def test_s3_that_is_down_is_unavailable_after_a_short_time(settings: StorageSettings) -> None:
    upstream = urlsplit(settings.s3_endpoint_url)
    with Proxy(upstream.hostname or "", upstream.port or 80) as proxy:
        photos = Photos(replace(settings, s3_endpoint_url=f"http://127.0.0.1:{proxy.port}"))
        photos.ping()
        with proxy.outage():
            start = datetime.now(UTC)
            for call in (
                photos.ping,
                lambda: photos.upload_size("x"),
                lambda: photos.read_upload("x", limit_bytes=1),
                lambda: photos.put_rendition("x", 1080, DATA),
                lambda: photos.remove("x"),
                lambda: photos.remove_many(["x"]),
                lambda: photos.sweep_incoming(start),
            ):
                with pytest.raises(StorageUnavailableError) as unavailable:
                    call()
                assert unavailable.value.part == "s3"
            assert datetime.now(UTC) - start < timedelta(seconds=30)
        photos.ping()
        photos.close()


def test_s3_that_does_not_answer_delays_no_request_for_long(settings: StorageSettings) -> None:
    upstream = urlsplit(settings.s3_endpoint_url)
    with Proxy(upstream.hostname or "", upstream.port or 80) as proxy:
        photos = Photos(replace(settings, s3_endpoint_url=f"http://127.0.0.1:{proxy.port}"))
        proxy.swallow()
        start = datetime.now(UTC)
        with pytest.raises(StorageUnavailableError):
            photos.upload_size("x")
        assert datetime.now(UTC) - start < timedelta(seconds=5)
        proxy.resume()
        photos.close()


# Case 45
def test_of_ten_requests_that_ask_a_slow_s3_eight_are_refused_at_once(
    settings: StorageSettings,
) -> None:
    upstream = urlsplit(settings.s3_endpoint_url)
    with Proxy(upstream.hostname or "", upstream.port or 80) as proxy:
        photos = Photos(replace(settings, s3_endpoint_url=f"http://127.0.0.1:{proxy.port}"))
        photos.ping()
        proxy.slow(0.8)

        def ask(_number: int) -> tuple[bool, timedelta]:
            start = datetime.now(UTC)
            try:
                answered = photos.upload_size("x") is None
            except StorageUnavailableError:
                answered = False
            return answered, datetime.now(UTC) - start

        with ThreadPoolExecutor(10) as pool:
            outcomes = list(pool.map(ask, range(10)))
            upload = photos.presign_upload(
                "x", content_type="image/jpeg", size_bytes=1, checksum_sha256=None
            )
        proxy.resume()
        assert upload.url
        assert sum(answered for answered, _ in outcomes) == 2
        assert all(time < timedelta(seconds=0.8) for answered, time in outcomes if not answered)
        assert photos.upload_size("x") is None
        photos.close()


def test_an_answer_that_is_cut_off_is_never_returned_as_whole(
    settings: StorageSettings, photos: Photos, path: str
) -> None:
    data = bytes(6_000_000)
    upload = photos.presign_upload(
        path, content_type="image/png", size_bytes=len(data), checksum_sha256=None
    )
    assert put(upload, data) == 200
    upstream = urlsplit(settings.s3_endpoint_url)
    with Proxy(upstream.hostname or "", upstream.port or 80) as proxy:
        proxied_photos = Photos(replace(settings, s3_endpoint_url=f"http://127.0.0.1:{proxy.port}"))
        proxy.slow(0.05)  # the whole upload would take about 5 s
        start = datetime.now(UTC)
        with ThreadPoolExecutor(max_workers=1) as pool:
            read = pool.submit(proxied_photos.read_upload, path, limit_bytes=len(data))
            eventually(lambda: datetime.now(UTC) > start + timedelta(seconds=1))
            proxy.cut()
            proxy.resume()
            with suppress(StorageUnavailableError):  # after an early cut the read is retried
                assert read.result(timeout=30) == data
        proxied_photos.close()


def test_wrong_credentials_raise_unavailable(settings: StorageSettings) -> None:
    photos = Photos(replace(settings, s3_secret_key="wrong"))
    with pytest.raises(StorageUnavailableError):
        photos.ping()
    with pytest.raises(StorageUnavailableError):
        photos.read_upload("x", limit_bytes=1)
    photos.close()


def test_a_missing_bucket_is_a_refusal(settings: StorageSettings) -> None:
    photos = Photos(replace(settings, s3_bucket="no-such-bucket-here"))
    with pytest.raises(StorageRefusedError):
        photos.read_upload("x", limit_bytes=1)
    with pytest.raises(StorageRefusedError):
        photos.remove("x")
    photos.close()


def test_rendition_sides_are_those_of_imaging() -> None:
    assert RENDITION_SIDES == imaging.RENDITION_SIDES
