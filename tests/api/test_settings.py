import pytest
from environs import Env
from environs.exceptions import EnvError

from api.app import ApiSettings


def from_env(monkeypatch: pytest.MonkeyPatch, **variables: str) -> ApiSettings:
    for name in (
        "CURSOR_SECRET",
        "SESSION_DAYS",
        "LIMITS_SCALE",
        "TRUSTED_PROXIES",
        "UPLOAD_PHOTOS_A_DAY",
        "UPLOAD_BYTES_A_DAY",
        "CORS_ORIGINS",
    ):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    env = Env(eager=False)
    settings = ApiSettings.from_env(env)
    env.seal()
    return settings


def test_only_the_cursor_secret_is_required(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = from_env(monkeypatch, CURSOR_SECRET="0123456789abcdef")
    assert (settings.session_days, settings.limits_scale, settings.trusted_proxies) == (30, 1, 0)
    assert (settings.upload_photos_a_day, settings.upload_bytes_a_day) == (1_000, 5_000_000_000)


def test_the_uploads_of_a_day_are_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    secret, uploads = "0123456789abcdef", {"UPLOAD_PHOTOS_A_DAY": "3", "UPLOAD_BYTES_A_DAY": "99"}
    settings = from_env(monkeypatch, CURSOR_SECRET=secret, **uploads)
    assert (settings.upload_photos_a_day, settings.upload_bytes_a_day) == (3, 99)


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
