import json
import os
import time
from typing import Any

import http_ece
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st
from py_vapid import Vapid02

from drill.support.push_service import Browser, decode, encode
from tests.support.vapid import new_private_key
from web_push.keys import public_key_of
from web_push.settings import WebPushSettings
from workers.notices.push.encryption import encrypt
from workers.notices.push.vapid import TOKEN_SECONDS, Vapid


def test_the_example_of_rfc_8291_is_encrypted_as_there() -> None:
    private = decode("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw")
    body = encrypt(
        b"When I grow up, I want to be a watermelon",
        p256dh=decode(
            "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"
        ),
        auth=decode("BTBZMqHH6r4Tts7J_aSIgg"),
        private_key=ec.derive_private_key(int.from_bytes(private), ec.SECP256R1()),
        salt=decode("DGv6ra1nlYgDCS1FRnbzlw"),
    )
    assert encode(body) == (
        "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6Tlz"
        "AC8wEqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
    )


@given(st.binary(max_size=3_000))
def test_another_implementation_decrypts_every_text(text: bytes) -> None:
    browser = Browser("https://push.test")
    body = encrypt(text, p256dh=decode(browser.p256dh), auth=browser.auth)
    assert len(body) == len(text) + 103
    decrypted = http_ece.decrypt(
        body, private_key=browser.private_key, auth_secret=browser.auth, version="aes128gcm"
    )
    assert decrypted == text


def test_no_two_messages_are_alike() -> None:
    browser = Browser("https://push.test")
    keys: dict[str, Any] = {"p256dh": decode(browser.p256dh), "auth": browser.auth}
    one, two = encrypt(b"text", **keys), encrypt(b"text", **keys)
    assert one[:16] != two[:16]
    assert one[21:86] != two[21:86]


def test_a_wrong_point_is_refused() -> None:
    with pytest.raises(ValueError, match="key"):
        encrypt(b"text", p256dh=b"\x04" + bytes(64), auth=os.urandom(16))


def test_a_token_is_signed_for_one_push_service_and_expires() -> None:
    key = new_private_key()
    vapid = Vapid(WebPushSettings(private_key=key, subject="mailto:ana@photos.test"))
    now = time.time()
    header = vapid.authorization("https://push.test:8443", now)
    assert Vapid02.verify(header)
    token, public_key = header.removeprefix("vapid t=").split(",k=")
    assert public_key == public_key_of(key)
    claims = json.loads(decode(token.split(".")[1]))
    assert claims == {
        "aud": "https://push.test:8443",
        "exp": int(now) + TOKEN_SECONDS,
        "sub": "mailto:ana@photos.test",
    }
    forged = header.replace(token.split(".")[1], encode(b'{"aud":"https://other.test"}'))
    assert not Vapid02.verify(forged)
