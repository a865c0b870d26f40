from datetime import UTC, datetime

import pytest
from environs import Env
from environs.exceptions import EnvError

from api.app import ApiSettings

KEY = "k" * 24
"""As short as a key of tokens may be."""


def from_env(monkeypatch: pytest.MonkeyPatch, **variables: str) -> ApiSettings:
    for name in (
        "CURSOR_SECRET",
        "TOKEN_KEYS",
        "OLD_TOKENS_UNTIL",
        "SESSION_DAYS",
        "LIMITS_SCALE",
        "TRUSTED_PROXIES",
        "UPLOAD_PHOTOS_A_DAY",
        "UPLOAD_BYTES_A_DAY",
        "EXPORTS_A_DAY",
        "CORS_ORIGINS",
    ):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"TOKEN_KEYS": KEY, **variables}.items():
        monkeypatch.setenv(name, value)
    env = Env(eager=False)
    settings = ApiSettings.from_env(env)
    env.seal()
    return settings


def test_only_the_secrets_are_required(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = from_env(monkeypatch, CURSOR_SECRET="0123456789abcdef")
    assert (settings.session_days, settings.limits_scale, settings.trusted_proxies) == (30, 1, 0)
    assert (settings.upload_photos_a_day, settings.upload_bytes_a_day) == (1_000, 5_000_000_000)


def test_the_uploads_of_a_day_are_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    secret, uploads = "0123456789abcdef", {"UPLOAD_PHOTOS_A_DAY": "3", "UPLOAD_BYTES_A_DAY": "99"}
    settings = from_env(monkeypatch, CURSOR_SECRET=secret, **uploads)
    assert (settings.upload_photos_a_day, settings.upload_bytes_a_day) == (3, 99)


def test_the_exports_of_a_day_are_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    secret = "0123456789abcdef"
    assert from_env(monkeypatch, CURSOR_SECRET=secret).exports_a_day == 3
    assert from_env(monkeypatch, CURSOR_SECRET=secret, EXPORTS_A_DAY="7").exports_a_day == 7
    with pytest.raises(EnvError):
        from_env(monkeypatch, CURSOR_SECRET=secret, EXPORTS_A_DAY="0")


@pytest.mark.parametrize(
    "origins",
    [(), ("https://app.example.org",), ("http://localhost:5173", "http://[::1]:80", "https://a-b")],
)
def test_origins_are_a_list(monkeypatch: pytest.MonkeyPatch, origins: tuple[str, ...]) -> None:
    settings = from_env(
        monkeypatch, CURSOR_SECRET="0123456789abcdef", CORS_ORIGINS=",".join(origins)
    )
    assert settings.cors_origins == origins


@pytest.mark.parametrize(
    "text",
    [
        *("*", "null", "app.example.org", "https://", "https://app.example.org/"),
        *(
            "https://App.example.org",
            "https://*.example.org",
            "ftp://a",
            "https://a:",
            "https://a b",
        ),
        *("https://user@a", "https://a/path", "https://a?b", "https://a,evil"),
    ],
)
def test_what_no_browser_sends_as_an_origin_is_an_error(
    monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    with pytest.raises(EnvError, match=r"CORS_ORIGINS.*no origin"):
        from_env(monkeypatch, CURSOR_SECRET="0123456789abcdef", CORS_ORIGINS=text)


def test_all_wrong_settings_are_reported_together(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(EnvError) as error:
        from_env(monkeypatch, CURSOR_SECRET="short", LIMITS_SCALE="0", TRUSTED_PROXIES="x")
    for name in ("CURSOR_SECRET", "LIMITS_SCALE", "TRUSTED_PROXIES"):
        assert name in str(error.value)


def test_the_repr_of_the_settings_has_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = from_env(monkeypatch, CURSOR_SECRET="0123456789abcdef")
    assert "0123456789abcdef" not in repr(settings)


@pytest.mark.parametrize("keys", ["", ",", "k" * 23, f"{'k' * 24},short", ",".join(["k" * 24] * 5)])
def test_keys_of_tokens_that_are_too_short_or_too_many_are_refused_with_a_sentence(
    monkeypatch: pytest.MonkeyPatch, keys: str
) -> None:
    with pytest.raises(EnvError, match="1 to 4 keys of at least 24 characters") as error:
        from_env(monkeypatch, CURSOR_SECRET="0123456789abcdef", TOKEN_KEYS=keys)
    assert "kkkk" not in str(error.value)


def test_keys_of_tokens_are_a_list_and_old_tokens_have_a_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = from_env(
        monkeypatch,
        CURSOR_SECRET="0123456789abcdef",
        TOKEN_KEYS=f"{'n' * 24}, {'o' * 24}",
        OLD_TOKENS_UNTIL="2027-01-01",
    )
    assert settings.token_keys == ("n" * 24, "o" * 24)
    assert settings.old_tokens_until == datetime(2027, 1, 1, tzinfo=UTC)
    assert "nnnn" not in repr(settings)
    with pytest.raises(EnvError, match="OLD_TOKENS_UNTIL"):
        from_env(monkeypatch, CURSOR_SECRET="0123456789abcdef", OLD_TOKENS_UNTIL="soon")
