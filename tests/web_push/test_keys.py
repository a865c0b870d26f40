import secrets
from pathlib import Path

import pytest
from environs import Env, EnvValidationError

from drill.support.push_service import Browser, encode
from stack.secrets import P256_ORDER, load
from tests.support.vapid import new_private_key
from web_push.keys import InvalidKeyError, public_key_of, read_auth, read_point
from web_push.settings import DEFAULT_SUBJECT, WebPushSettings


def settings_of(monkeypatch: pytest.MonkeyPatch, **variables: str) -> WebPushSettings:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    env = Env(eager=False)
    settings = WebPushSettings.from_env(env)
    env.seal()
    return settings


def test_a_point_of_the_curve_and_a_secret_of_16_bytes_are_keys() -> None:
    browser = Browser("https://push.test")
    assert encode(read_point(browser.p256dh)) == browser.p256dh
    assert read_auth(encode(browser.auth)) == browser.auth


@pytest.mark.parametrize(
    "text",
    [
        "",
        "é",
        encode(b"\x04" + b"\x01" * 64),  # not on the curve
        encode(b"\x00" + b"\x00" * 64),  # the point at infinity
        encode(b"\x02" + b"\x01" * 32),  # a compressed point
        encode(b"\x04" + bytes(64)),
    ],
)
def test_what_is_no_point_is_refused(text: str) -> None:
    with pytest.raises(InvalidKeyError):
        read_point(text)


def test_a_key_has_one_spelling() -> None:
    browser = Browser("https://push.test")
    for text in (browser.p256dh + "=", " " + browser.p256dh, browser.p256dh + "\n"):
        with pytest.raises(InvalidKeyError):
            read_point(text)
    for text in ("A" * 21, "A" * 21 + "B", "A" * 23, "A" * 20 + "+/"):
        with pytest.raises(InvalidKeyError):
            read_auth(text)


def test_the_stack_draws_a_key_of_the_curve_and_adds_it_to_old_secrets(tmp_path: Path) -> None:
    path = tmp_path / "secrets.env"
    path.write_text("CURSOR_SECRET=old\n")
    drawn = load(path)
    assert drawn["CURSOR_SECRET"] == "old"
    assert len(read_point(public_key_of(drawn["VAPID_PRIVATE_KEY"]))) == 65
    assert load(path) == drawn


def test_the_settings_are_read_and_a_wrong_one_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("VAPID_PRIVATE_KEY", "VAPID_SUBJECT", "PUSH_ORIGINS"):
        monkeypatch.delenv(name, raising=False)  # other tests have those of their stack
    assert settings_of(monkeypatch).subject == DEFAULT_SUBJECT
    assert settings_of(monkeypatch).public_key == ""
    key = new_private_key()
    settings = settings_of(
        monkeypatch,
        VAPID_PRIVATE_KEY=key,
        VAPID_SUBJECT="https://photos.test/contact",
        PUSH_ORIGINS="http://127.0.0.1:9400, https://push.test",
    )
    assert settings.public_key == public_key_of(key)
    assert settings.origins == {"http://127.0.0.1:9400", "https://push.test"}
    assert key not in repr(settings)
    for name, wrong in {
        "VAPID_PRIVATE_KEY": secrets.token_urlsafe(31),
        "VAPID_SUBJECT": "somebody",
        "PUSH_ORIGINS": "127.0.0.1:9400",
    }.items():
        with monkeypatch.context() as patch, pytest.raises(EnvValidationError, match=name) as error:
            settings_of(patch, **{name: wrong})
        assert "VAPID_PRIVATE_KEY" not in name or wrong not in str(error.value)


@pytest.mark.parametrize("number", [0, P256_ORDER, P256_ORDER + 1])
def test_a_number_outside_the_curve_is_no_private_key(number: int) -> None:
    with pytest.raises(InvalidKeyError):
        public_key_of(encode(number.to_bytes(32)))
