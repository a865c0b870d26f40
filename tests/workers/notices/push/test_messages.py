import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from drill.support.push_service import Browser
from workers.notices.push.messages import MAX_PAYLOAD_BYTES, Message, Payload, cut

PAYLOAD = Payload(
    kind="new-photos", title="Photofeed", body="Ana posted a photo", url="/", tag="feed", unread=1
)


def test_a_payload_is_the_json_that_the_service_worker_reads() -> None:
    assert json.loads(PAYLOAD.encode()) == {
        "kind": "new-photos",
        "title": "Photofeed",
        "body": "Ana posted a photo",
        "url": "/",
        "tag": "feed",
        "unread": 1,
    }


@pytest.mark.parametrize("character", ["a", "é", "漢", "🙂", '"', "\\", "\x01"])
def test_a_long_payload_is_shortened_at_a_character_and_fills_the_bytes(character: str) -> None:
    data = replace(PAYLOAD, body=character * 5_000).encode()
    assert MAX_PAYLOAD_BYTES - 12 < len(data) <= MAX_PAYLOAD_BYTES
    body = json.loads(data)["body"]
    assert body.endswith("…")
    assert set(body[:-1]) == {character}


def test_a_long_title_is_shortened_after_the_body() -> None:
    data = json.loads(replace(PAYLOAD, title="t" * 5_000, body="b" * 5_000).encode())
    assert data["body"] == ""
    assert data["title"].startswith("ttt")
    assert data["title"].endswith("…")


def test_a_payload_that_is_too_long_without_its_texts_is_refused() -> None:
    with pytest.raises(ValueError, match="too long"):
        replace(PAYLOAD, url="/" * 5_000).encode()


@given(st.text(max_size=4_000), st.text(max_size=4_000))
@example("half a \ud83d pair", "")
def test_no_text_makes_a_payload_too_long_or_unreadable(title: str, body: str) -> None:
    data = replace(PAYLOAD, title=title, body=body).encode()
    assert len(data) <= MAX_PAYLOAD_BYTES
    assert set(json.loads(data)) == {"kind", "title", "body", "url", "tag", "unread"}


@pytest.mark.parametrize(
    ("text", "length", "short"),
    [
        ("abc", 3, "abc"),
        ("abc", 2, "ab"),
        ("ae\u0301", 2, "a"),  # e and a combining accent
        ("a👨\u200d👩", 3, "a"),  # two people joined to one picture
        ("a👨\u200d👩", 2, "a"),
        ("a👍\U0001f3fd", 2, "a"),  # a skin tone
        ("a❤\ufe0f", 2, "a"),
        ("ab cd", 3, "ab"),
        ("\u0301" * 5, 3, ""),
    ],
)
def test_a_text_is_not_cut_inside_a_combined_character(text: str, length: int, short: str) -> None:
    assert cut(text, length) == short


@pytest.mark.parametrize(
    "wrong",
    [
        {"topic": ""},
        {"topic": "a" * 33},
        {"topic": "a/b"},
        {"topic": "a\r\nb"},
        {"urgency": "soon"},
        {"ttl_seconds": -1},
    ],
)
def test_a_message_that_a_push_service_would_refuse_is_an_error(wrong: dict[str, Any]) -> None:
    fields = {"subscription": Browser("https://push.test").subscription(), "payload": PAYLOAD}
    good: dict[str, Any] = fields | {"ttl_seconds": 0, "topic": "a_-9" * 8, "urgency": "low"}
    assert Message(**good)
    with pytest.raises(ValueError, match=next(iter(wrong)).split("_")[0]):
        Message(**good | wrong)


def test_no_secret_of_a_subscription_is_in_its_text() -> None:
    browser = Browser("https://push.test")
    message = Message(subscription=browser.subscription(), payload=PAYLOAD, ttl_seconds=0)
    for secret in (browser.endpoint, browser.p256dh, "Ana posted a photo"):
        assert secret not in repr(message)
