"""Stores that somebody else runs: what a newcomer reads when their settings are wrong."""

import errno
from dataclasses import replace
from pathlib import Path

import pytest

from stack import LocalStack, StackError, StackSettings
from stack.errors import explained
from stack.parts.neo4j import ExternalNeo4j, Login
from stack.parts.redis import ExternalRedis
from stack.parts.s3 import Bucket, ExternalS3

NOBODY = "127.0.0.1:9"


@pytest.fixture
def bucket(stack_env: dict[str, str]) -> Bucket:
    return Bucket(
        endpoint_url=stack_env["S3_ENDPOINT_URL"],
        name=stack_env["S3_BUCKET"],
        access_key=stack_env["AWS_ACCESS_KEY_ID"],
        secret_key=stack_env["AWS_SECRET_ACCESS_KEY"],
        region=stack_env["AWS_REGION"],
    )


def test_stores_with_the_right_settings_have_no_problem(
    stack_env: dict[str, str], bucket: Bucket
) -> None:
    login = Login(
        uri=stack_env["NEO4J_URI"],
        user=stack_env["NEO4J_USER"],
        password=stack_env["NEO4J_PASSWORD"],
    )
    assert ExternalNeo4j(login).problem() is None
    assert ExternalRedis("queue", stack_env["QUEUE_REDIS_URL"]).problem() is None
    assert ExternalS3(bucket).problem() is None


def test_a_neo4j_that_does_not_answer_is_waited_for() -> None:
    login = Login(uri=f"bolt://{NOBODY}", user="neo4j", password="x")
    assert f"no answer at bolt://{NOBODY}" in (ExternalNeo4j(login).problem() or "")


def test_a_neo4j_address_that_is_none_is_a_sentence() -> None:
    login = Login(uri="http://127.0.0.1:7474", user="neo4j", password="x")
    with pytest.raises(StackError, match="NEO4J_URI"):
        ExternalNeo4j(login).problem()


def test_the_wrong_password_of_a_redis_names_the_variable(stack_env: dict[str, str]) -> None:
    _, _, address = stack_env["CACHE_REDIS_URL"].partition("@")
    with pytest.raises(StackError, match="Redis refuses the password in CACHE_REDIS_URL"):
        ExternalRedis("cache", f"redis://:wrong@{address}").problem()


def test_a_redis_without_the_password_it_wants_names_the_variable(
    stack_env: dict[str, str],
) -> None:
    _, _, address = stack_env["QUEUE_REDIS_URL"].partition("@")
    with pytest.raises(StackError, match="QUEUE_REDIS_URL"):
        ExternalRedis("queue", f"redis://{address}").problem()


def test_a_redis_url_that_is_none_is_a_sentence() -> None:
    with pytest.raises(StackError, match="QUEUE_REDIS_URL is not the URL of a Redis"):
        ExternalRedis("queue", "localhost").problem()


def test_a_redis_that_does_not_answer_is_waited_for() -> None:
    assert ExternalRedis("queue", f"redis://{NOBODY}/0").problem()


def test_the_wrong_key_of_an_s3_names_the_variables(bucket: Bucket) -> None:
    with pytest.raises(StackError, match="AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY"):
        ExternalS3(replace(bucket, secret_key="wrong")).problem()


def test_an_s3_without_keys_names_the_variables(bucket: Bucket) -> None:
    with pytest.raises(StackError, match="needs AWS_ACCESS_KEY_ID"):
        ExternalS3(replace(bucket, access_key=None)).problem()


def test_a_bucket_that_is_missing_is_no_problem_as_it_will_be_made(bucket: Bucket) -> None:
    assert ExternalS3(replace(bucket, name="not-made-yet")).problem() is None


def test_an_s3_that_does_not_answer_is_waited_for(bucket: Bucket) -> None:
    assert ExternalS3(replace(bucket, endpoint_url=f"http://{NOBODY}")).problem()


@pytest.mark.parametrize(
    ("uri", "told"), [("bolt://127.0.0.1:9", "another"), (None, "neo4j")], ids=["theirs", "ours"]
)
def test_the_database_that_is_named_counts_for_an_external_neo4j_alone(
    tmp_path: Path, uri: str | None, told: str
) -> None:
    settings = StackSettings(folder=tmp_path, neo4j_uri=uri, neo4j_database="another")
    stack = LocalStack(settings, stores=["neo4j"])
    stack.supervisor.start = lambda *_, **__: None  # type: ignore[method-assign] # only told
    stack.start_stores()
    assert stack.env["NEO4J_DATABASE"] == told


def test_a_folder_of_somebody_elses_is_a_sentence() -> None:
    said = str(explained(PermissionError(errno.EACCES, "Permission denied", "the/lock")))
    assert said.startswith("the/lock: permission denied.")
    assert "STACK_FOLDER" in said
