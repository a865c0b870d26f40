"""Server-sent events, and the ids that they carry. Pure."""

import json
import re
from typing import Any, NamedTuple, Self

from graph.ids import MAX_ID

RETRY_MS = 5_000
"""How long a client waits before it connects again."""

COMMENT = b":\n\n"
"""Ignored by clients; it keeps proxies from closing the connection."""

_TEXT = re.compile(r"([0-9]{1,16})-([0-9]{1,16})", re.ASCII)


class LastSeen(NamedTuple):
    """The newest post and the newest notification that a client knows: the `id` of an event."""

    post_id: int
    notification_id: int

    @classmethod
    def read(cls, text: str) -> Self | None:
        """The ids in the text `{post}-{notification}`; None if it is malformed."""
        match = _TEXT.fullmatch(text)
        ids = [int(match[1]), int(match[2])] if match else []
        return cls(*ids) if ids and max(ids) <= MAX_ID else None

    def __str__(self) -> str:
        """The text for the client."""
        return f"{self.post_id}-{self.notification_id}"


def opening(last_seen: LastSeen) -> bytes:
    """The first bytes of a stream. An `id` without data sets the client's last id silently."""
    return f"retry: {RETRY_MS}\nid: {last_seen}\n\n".encode()


def news(name: str, last_seen: LastSeen, newest_id: int | None, unread: Any) -> bytes:
    """A `tick` or a `notification`. `unread`: the JSON of a count, None if it is not known."""
    data = {"newest_id": None if newest_id is None else str(newest_id), "unread": unread}
    return _event(name, last_seen, data)


def signed_out(last_seen: LastSeen) -> bytes:
    """The last event of a stream whose session has ended."""
    return _event("signed-out", last_seen, {})


def _event(name: str, last_seen: LastSeen, data: dict[str, Any]) -> bytes:
    text = json.dumps(data, separators=(",", ":"))
    return f"event: {name}\nid: {last_seen}\ndata: {text}\n\n".encode()
