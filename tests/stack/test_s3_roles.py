"""The identities of the S3 server, tried as somebody would who has stolen a role's keys."""

import io
import secrets
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
import requests
from botocore.client import Config
from botocore.exceptions import ClientError
from environs import Env

from stack.roles import S3_SECRETS, variable_of
from storage import Storage, StorageSettings
from storage.exports import ExportObjects
from storage.photos import Photos

DATA = b"bytes of a photo"
JPEG = "image/jpeg"


@pytest.fixture(scope="module")
def bucket(storage: Storage) -> str:
    assert storage
    return StorageSettings.from_env(Env()).s3_bucket


def keys_of(stack_env: dict[str, str], role: str) -> tuple[str, str]:
    access_key, secret_key = (stack_env[variable_of(role, name)] for name in S3_SECRETS)
    return access_key, secret_key


def photos_of(stack_env: dict[str, str], role: str) -> Photos:
    access_key, secret_key = keys_of(stack_env, role)
    settings = StorageSettings.from_env(Env())
    return Photos(replace(settings, s3_access_key=access_key, s3_secret_key=secret_key))


def client_of(stack_env: dict[str, str], role: str) -> Any:
    access_key, secret_key = keys_of(stack_env, role)
    return boto3.client(
        "s3",
        endpoint_url=stack_env["S3_ENDPOINT_URL"],
        aws_access_key_id=access_key,
        aws_secret_access_key=secret_key,
        region_name=stack_env["AWS_REGION"],
        config=Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}),
    )


def assert_refused(call: Any, **arguments: Any) -> None:
    with pytest.raises(ClientError) as error:
        call(**arguments)
    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403, error.value


# Security 22
def test_the_api_signs_uploads_and_sees_them_and_the_workers_do_the_rest(
    stack_env: dict[str, str], bucket: str
) -> None:
    assert bucket
    api, worker = photos_of(stack_env, "api"), photos_of(stack_env, "worker")
    path = secrets.token_hex(8)
    upload = api.presign_upload(path, content_type=JPEG, size_bytes=len(DATA), checksum_sha256=None)
    assert api.upload_size(path) is None
    assert requests.put(upload.url, data=DATA, headers=upload.headers, timeout=20).ok
    assert api.upload_size(path) == len(DATA)
    assert worker.read_upload(path, limit_bytes=1000) == DATA
    worker.store_original(path, DATA, JPEG)
    worker.put_rendition(path, 320, DATA)
    assert requests.get(worker.rendition_urls(path)["320"], timeout=20).content == DATA
    in_an_hour = datetime.now(UTC) + timedelta(hours=1)
    assert worker.sweep_incoming(in_an_hour, after_key=f"incoming/{path[:-1]}").removed >= 1
    worker.remove(path)
    assert worker.read_original(path, limit_bytes=1000) is None
    for photos in (api, worker, photos_of(stack_env, "admin")):
        photos.ping()


# Security 22
def test_the_api_cannot_read_write_or_delete_what_was_checked(
    stack_env: dict[str, str], bucket: str
) -> None:
    worker, path = photos_of(stack_env, "worker"), secrets.token_hex(8)
    worker.store_original(path, DATA, JPEG)
    worker.put_rendition(path, 320, DATA)
    api = client_of(stack_env, "api")
    for key in (f"originals/{path}", f"media/{path}/320.jpg"):
        assert_refused(api.delete_object, Bucket=bucket, Key=key)
        assert_refused(api.put_object, Bucket=bucket, Key=key, Body=b"x")
        copied = {"Bucket": bucket, "Key": key}
        if key.startswith("originals/"):
            assert_refused(api.get_object, Bucket=bucket, Key=key)
            assert_refused(
                api.copy_object, Bucket=bucket, Key=f"incoming/{path}", CopySource=copied
            )
    for prefix in ("", "originals/", "incoming/", "probe"):
        assert_refused(api.list_objects_v2, Bucket=bucket, Prefix=prefix)
    objects = {"Objects": [{"Key": f"originals/{path}"}, {"Key": f"media/{path}/320.jpg"}]}
    answer = api.delete_objects(Bucket=bucket, Delete=objects)
    assert [error["Code"] for error in answer["Errors"]] == ["AccessDenied"] * 2
    assert worker.read_original(path, limit_bytes=1000) == DATA
    worker.remove(path)


# Security 22
@pytest.mark.parametrize("role", ["api", "worker", "admin"])
def test_no_role_may_change_who_reads_the_bucket(
    stack_env: dict[str, str], bucket: str, role: str
) -> None:
    client = client_of(stack_env, role)
    assert_refused(client.put_bucket_policy, Bucket=bucket, Policy="{}")
    assert_refused(client.delete_bucket_policy, Bucket=bucket)
    assert_refused(client.delete_bucket, Bucket=bucket)
    assert_refused(client.create_bucket, Bucket=f"other-{secrets.token_hex(4)}")
    assert_refused(client.put_bucket_acl, Bucket=bucket, ACL="public-read")
    rules = {"CORSRules": [{"AllowedOrigins": ["*"], "AllowedMethods": ["GET"]}]}
    assert_refused(client.put_bucket_cors, Bucket=bucket, CORSConfiguration=rules)
    expiry = {"Days": 1}
    rule = {"ID": "x", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": expiry}
    assert_refused(
        client.put_bucket_lifecycle_configuration,
        Bucket=bucket,
        LifecycleConfiguration={"Rules": [rule]},
    )


# Security 22
def test_a_worker_touches_nothing_outside_its_folders(
    stack_env: dict[str, str], bucket: str
) -> None:
    worker = client_of(stack_env, "worker")
    assert_refused(worker.put_object, Bucket=bucket, Key="other/x", Body=b"x")
    assert_refused(worker.delete_object, Bucket=bucket, Key="other/x")
    for prefix in ("", "originals/", "media/"):
        assert_refused(worker.list_objects_v2, Bucket=bucket, Prefix=prefix)


def exports_of(stack_env: dict[str, str], role: str) -> ExportObjects:
    access_key, secret_key = keys_of(stack_env, role)
    settings = StorageSettings.from_env(Env())
    return ExportObjects(replace(settings, s3_access_key=access_key, s3_secret_key=secret_key))


# Security 22
def test_workers_make_exports_and_the_api_signs_their_links_and_no_more(
    stack_env: dict[str, str], bucket: str
) -> None:
    worker, path = exports_of(stack_env, "worker"), secrets.token_hex(8)
    worker.store_part(path, 1, 3, io.BytesIO(DATA), file_name="photofeed-1.zip")
    link = exports_of(stack_env, "api").link(path, 1, 3, seconds=60)
    assert requests.get(link, timeout=20).content == DATA
    key = f"exports/{path}/1-3.zip"
    api, admin = client_of(stack_env, "api"), client_of(stack_env, "admin")
    for client in (api, admin):
        assert_refused(client.put_object, Bucket=bucket, Key=key, Body=b"x")
        assert_refused(client.delete_object, Bucket=bucket, Key=key)
        assert_refused(client.list_objects_v2, Bucket=bucket, Prefix="exports/")
    assert_refused(admin.get_object, Bucket=bucket, Key=key)
    assert requests.get(link, timeout=20).content == DATA
    worker.remove(path)
    assert requests.get(link, timeout=20).status_code == 404


# Security 22
def test_the_admin_app_reads_and_writes_no_object(stack_env: dict[str, str], bucket: str) -> None:
    admin = client_of(stack_env, "admin")
    assert_refused(admin.put_object, Bucket=bucket, Key="incoming/x", Body=b"x")
    assert_refused(admin.get_object, Bucket=bucket, Key="originals/x")
    assert_refused(admin.list_objects_v2, Bucket=bucket)
