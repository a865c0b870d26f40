"""A push message and its outcome."""

import json
import re
import unicodedata
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum

from graph.push_subscriptions import PushSubscription

MAX_PAYLOAD_BYTES = 3_000
"""The longest payload. Push services take 4,096 bytes, with the encryption's overhead."""

URGENCIES = ("very-low", "low", "normal", "high")
"""RFC 8030, 5.3."""

_TOPIC = re.compile(r"[A-Za-z0-9_-]{1,32}", re.ASCII)
_ELLIPSIS = "…"
_JOINERS = frozenset("\u200d\ufe0e\ufe0f")
"""A zero-width joiner and variation selectors: they belong to the character before them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Payload:
    """What the service worker of the page shows: private text, sent encrypted."""

    kind: str
    title: str = field(repr=False)
    body: str = field(repr=False)
    url: str
    """Where a click leads, a path of ours."""
    tag: str
    """A notification of the same tag is replaced in the browser."""
    unread: int

    def encode(self) -> bytes:
        """JSON of at most MAX_PAYLOAD_BYTES: body, then title, is shortened if it is longer.

        Raises ValueError if it is too long without both.
        """
        shortened = self
        for name in ("body", "title"):
            data = _json(shortened)
            if len(data) <= MAX_PAYLOAD_BYTES:
                return data
            shortened = shortened._with_longest(name)
        data = _json(shortened)
        if len(data) > MAX_PAYLOAD_BYTES:
            raise ValueError("the payload is too long without its texts")
        return data

    def _with_longest(self, name: str) -> "Payload":
        """The payload with as many characters of the text as fit; none if none fits."""
        text = str(getattr(self, name))
        low, high = 0, len(text)
        while low < high:
            middle = (low + high + 1) // 2
            if len(_json(self._shortened(name, text, middle))) <= MAX_PAYLOAD_BYTES:
                low = middle
            else:
                high = middle - 1
        return self._shortened(name, text, low)

    def _shortened(self, name: str, text: str, length: int) -> "Payload":
        short = cut(text, length)
        return replace(self, **{name: short + _ELLIPSIS if short else ""})  # type: ignore[arg-type]


_MEMBERS = tuple(member.name for member in fields(Payload))


def cut(text: str, length: int) -> str:
    """The first `length` characters at most, without a part of a combined one at the end."""
    if length >= len(text):
        return text
    while length > 0 and (_continues(text[length]) or text[length - 1] == "\u200d"):
        length -= 1
    return text[:length].rstrip()


def _continues(character: str) -> bool:
    """Whether a character combines with the one before it."""
    is_skin_tone = "\U0001f3fb" <= character <= "\U0001f3ff"
    return bool(unicodedata.combining(character)) or character in _JOINERS or is_skin_tone


def _json(payload: Payload) -> bytes:
    members = {name: getattr(payload, name) for name in _MEMBERS}
    text = json.dumps(members, ensure_ascii=False, separators=(",", ":"))
    return text.encode(errors="replace")


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One payload for one subscription. Raises ValueError for what a push service would refuse."""

    subscription: PushSubscription
    payload: Payload
    ttl_seconds: int
    """How long the push service keeps it for a browser that is offline."""
    urgency: str = "normal"
    topic: str | None = None
    """A later message of the same topic replaces this one where it still waits."""
    tries: int = 0
    """How often it was tried before."""

    def __post_init__(self) -> None:
        if self.urgency not in URGENCIES:
            raise ValueError(f"urgency is one of {URGENCIES}")
        if self.topic is not None and _TOPIC.fullmatch(self.topic) is None:
            raise ValueError("a topic has 1 to 32 characters of base64url")
        if self.ttl_seconds < 0:
            raise ValueError("ttl_seconds is not negative")


class Result(StrEnum):
    """What became of a message. The values are labels of the metric."""

    DELIVERED = "delivered"
    """The push service has it."""
    GONE = "gone"
    """The push service no longer knows the subscription: delete it."""
    REFUSED = "refused"
    """Never try this message again."""
    LATER = "later"
    """Try again after `pause_seconds`."""
    EXHAUSTED = "exhausted"
    """As LATER, after the last try: drop it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The result of one message."""

    result: Result
    tries: int
    """How often it has been tried. A try that an open circuit kept back counts too."""
    pause_seconds: float = 0.0
    """With LATER: how long to wait at least. A time would need a clock that all hosts share."""
