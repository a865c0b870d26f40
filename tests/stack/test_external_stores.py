"""External stores: the messages for wrong settings."""

import errno
from dataclasses import replace
from pathlib import Path

import pytest

from stack import LocalStack, StackError, StackSettings
from stack.errors import to_stack_error
from stack.parts.neo4j import ExternalNeo4j, Login
from stack.parts.redis import ExternalRedis
from stack.parts.s3 import Bucket, ExternalS3

NO_LISTENER = "127.0.0.1:9"


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
    login = Login(uri=f"bolt://{NO_LISTENER}", user="neo4j", password="x")
    assert f"no answer at bolt://{NO_LISTENER}" in (ExternalNeo4j(login).problem() or "")


def test_an_invalid_neo4j_uri_is_an_error_that_names_the_variable() -> None:
    login = Login(uri="http://127.0.0.1:7474", user="neo4j", password="x")
    with pytest.raises(StackError, match="NEO4J_URI"):
        ExternalNeo4j(login).problem()


def test_a_wrong_redis_password_names_the_variable(stack_env: dict[str, str]) -> None:
    _, _, address = stack_env["CACHE_REDIS_URL"].partition("@")
    with pytest.raises(StackError, match="Redis refuses the password in CACHE_REDIS_URL"):
        ExternalRedis("cache", f"redis://:wrong@{address}").problem()


def test_a_missing_redis_password_names_the_variable(
    stack_env: dict[str, str],
) -> None:
    _, _, address = stack_env["QUEUE_REDIS_URL"].partition("@")
    with pytest.raises(StackError, match="QUEUE_REDIS_URL"):
        ExternalRedis("queue", f"redis://{address}").problem()


def test_an_invalid_redis_url_is_an_error_that_names_the_variable() -> None:
    with pytest.raises(StackError, match="QUEUE_REDIS_URL is not the URL of a Redis"):
        ExternalRedis("queue", "localhost").problem()


def test_a_redis_that_does_not_answer_is_waited_for() -> None:
    assert ExternalRedis("queue", f"redis://{NO_LISTENER}/0").problem()


def test_a_wrong_s3_key_names_the_variables(bucket: Bucket) -> None:
    with pytest.raises(StackError, match="AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY"):
        ExternalS3(replace(bucket, secret_key="wrong")).problem()


def test_missing_s3_keys_name_the_variables(bucket: Bucket) -> None:
    with pytest.raises(StackError, match="needs AWS_ACCESS_KEY_ID"):
        ExternalS3(replace(bucket, access_key=None)).problem()


def test_a_missing_bucket_is_no_problem_as_it_is_created_later(bucket: Bucket) -> None:
    assert ExternalS3(replace(bucket, name="not-created-yet")).problem() is None


def test_an_s3_that_does_not_answer_is_waited_for(bucket: Bucket) -> None:
    assert ExternalS3(replace(bucket, endpoint_url=f"http://{NO_LISTENER}")).problem()


@pytest.mark.parametrize(
    ("uri", "database"),
    [("bolt://127.0.0.1:9", "another"), (None, "neo4j")],
    ids=["external", "local"],
)
def test_the_database_setting_applies_to_an_external_neo4j_only(
    tmp_path: Path, uri: str | None, database: str
) -> None:
    settings = StackSettings(folder=tmp_path, neo4j_uri=uri, neo4j_database="another")
    stack = LocalStack(settings, stores=["neo4j"])
    stack.supervisor.start = lambda *_, **__: None  # type: ignore[method-assign]
    stack.start_stores()
    assert stack.env["NEO4J_DATABASE"] == database


def test_a_missing_permission_is_a_message_that_names_the_file_and_the_remedy() -> None:
    message = str(to_stack_error(PermissionError(errno.EACCES, "Permission denied", "the/lock")))
    assert message.startswith("the/lock: permission denied.")
    assert "STACK_FOLDER" in message
