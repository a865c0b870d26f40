"""Tokens: what our keys have signed is read, and nothing else."""

import base64
import hashlib
import hmac
import random
import secrets
from datetime import UTC, datetime, timedelta

import pytest

from api.services.tokens import PREFIX, TokenKeys, new_token
from graph.ids import MAX_ID, time_of, unguessable_id
from tests.support.tokens import old_text_of

OLD_KEY, NEW_KEY = "the first key of the tests", "the second key of the tests"
KEYS = TokenKeys([OLD_KEY])
TOKEN = new_token(user_id=7 << 40, session_id=9 << 40)
TOMORROW = datetime.now(UTC) + timedelta(days=1)


def bytes_of(text: str) -> bytes:
    return base64.urlsafe_b64decode(text.removeprefix(PREFIX))


def test_a_token_is_57_bytes_without_padding() -> None:
    text = KEYS.sign(TOKEN)
    assert len(bytes_of(text)) == 57
    assert len(text) == len(PREFIX) + 76
    assert KEYS.read(text) == TOKEN


def test_the_mac_is_hmac_sha_256_of_what_is_before_it() -> None:
    signed = bytes_of(KEYS.sign(TOKEN))
    key = hashlib.sha256(b"photofeed token\0" + OLD_KEY.encode()).digest()
    assert signed[48:] == hmac.digest(key, signed[:48], "sha256")[:9]


# Security 1
def test_no_changed_bit_of_a_token_is_accepted() -> None:
    signed = bytes_of(KEYS.sign(TOKEN))
    for bit in range(len(signed) * 8):
        changed = bytearray(signed)
        changed[bit // 8] ^= 1 << bit % 8
        assert KEYS.read(PREFIX + base64.urlsafe_b64encode(changed).decode()) is None


# Security 1
def test_no_text_that_our_keys_have_not_signed_is_a_token() -> None:
    seed = secrets.randbits(32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    keys = TokenKeys([OLD_KEY], old_until=TOMORROW)
    for length in [*range(130), 10_000]:
        text = PREFIX + base64.urlsafe_b64encode(chance.randbytes(length)).decode()
        assert KEYS.read(text) is None
        if length != 48:
            assert keys.read(text) is None
    other = TokenKeys([NEW_KEY]).sign(TOKEN)
    longer = [KEYS.sign(TOKEN) + end for end in ("AAAA", "====", "=", "\n", " ")]
    for text in (other, "", PREFIX, KEYS.sign(TOKEN)[3:], *longer):
        assert KEYS.read(text) is None


# Security 1
def test_old_keys_verify_and_the_newest_signs() -> None:
    old = KEYS.sign(TOKEN)
    rotated = TokenKeys([NEW_KEY, OLD_KEY])
    assert rotated.read(old) == TOKEN
    assert TokenKeys([NEW_KEY]).read(rotated.sign(TOKEN)) == TOKEN
    assert TokenKeys([NEW_KEY]).read(old) is None


# Security 1
def test_a_token_without_a_mac_is_read_until_its_time_and_is_known() -> None:
    old = old_text_of(TOKEN)
    assert KEYS.read(old) is None
    assert TokenKeys([OLD_KEY], old_until=datetime.now(UTC)).read(old) is None
    read = TokenKeys([OLD_KEY], old_until=TOMORROW).read(old)
    assert read == TOKEN._replace(is_old=True)


@pytest.mark.parametrize("name", ["user_id", "session_id"])
def test_an_id_above_the_highest_is_no_token(name: str) -> None:
    ids = {"user_id": 1, "session_id": 1, name: MAX_ID + 1}
    token = new_token(**ids)
    assert KEYS.read(KEYS.sign(token)) is None


# Security 1
def test_the_ids_of_sessions_are_random_and_say_no_time() -> None:
    ids = [unguessable_id() for _ in range(1000)]
    assert len(set(ids)) == 1000
    assert 1 <= min(ids) < max(ids) < MAX_ID
    assert min(ids) < MAX_ID // 10 < MAX_ID * 9 // 10 < max(ids)
    assert len({time_of(session_id).year for session_id in ids}) > 20
