"""The settings of storage, read from the environment."""

import pytest
from environs import Env, EnvValidationError

from storage import StorageSettings


def test_settings_name_every_missing_variable_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("QUEUE_REDIS_URL", "CACHE_REDIS_URL", "S3_BUCKET"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TIMELINE_CAP", "0")
    monkeypatch.setenv("EXPORT_PART_BYTES", "1000")
    env = Env(eager=False)
    StorageSettings.from_env(env)

    with pytest.raises(EnvValidationError) as raised:
        env.seal()
    missing = raised.value.error_messages
    wrong = {"TIMELINE_CAP", "EXPORT_PART_BYTES"}
    assert {"QUEUE_REDIS_URL", "CACHE_REDIS_URL", "S3_BUCKET", *wrong} <= set(missing)


def test_the_repr_of_settings_has_no_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    values = {
        "QUEUE_REDIS_URL": "redis://:hidden@queue",
        "CACHE_REDIS_URL": "redis://:hidden@cache",
        "S3_ENDPOINT_URL": "http://s3",
        "S3_BUCKET": "bucket",
        "AWS_ACCESS_KEY_ID": "hidden",
        "AWS_SECRET_ACCESS_KEY": "hidden",
        "MEDIA_BASE_URL": "http://media",
        "S3_CORS_ORIGINS": "https://a.example,https://b.example",
    }
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    settings = StorageSettings.from_env(Env())

    assert "hidden" not in repr(settings)
    assert settings.s3_cors_origins == ("https://a.example", "https://b.example")
