"""What each user has been notified of (`nr:` and the user's id), in `queue`, which has an AOF.

A record is replaced only if it is still the one that was read. So of two notifiers that decide at
once, one sends.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from storage.redis.partitions import key_of
from storage.redis.protocol import pack
from storage.redis.scripts import Script
from storage.redis.server import Server

TTL_SECONDS = 30 * 86_400
"""Without a record the user counts as notified of all that is older than the delay of notices."""

REPLACE = Script("replace")

_RECORD = re.compile(rb"(?:\d+ ){8}(?:\d+(?:,\d+)*)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sending:
    """A notice that is being sent, or is to be sent again."""

    post_id: int
    """The newest post that it tells of; the floor of posts once it is done."""
    notification_id: int
    """Likewise for notifications."""
    subscription_ids: tuple[int, ...]
    """Those which do not have it yet."""
    tries: int
    """Begun, also those that a killed process did not finish."""
    retry_at: int
    """Unix milliseconds: not before this time."""
    is_claimed: bool = False
    """Whether its sender may be at work until then; else a push service has put it off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeRecord:
    """What a user has been notified of. Times are Unix milliseconds."""

    post_id: int
    """The floor: no notice tells of this post or an older one."""
    notification_id: int
    """The floor of notifications."""
    noticed_at: int = 0
    """When a notice was last sent, or sent again; 0: never."""
    sending: Sending | None = None

    def to_bytes(self) -> bytes:
        """The stored form."""
        sending = self.sending or _NO_SENDING
        numbers = (
            self.post_id,
            self.notification_id,
            self.noticed_at,
            sending.post_id,
            sending.notification_id,
            sending.tries,
            sending.retry_at,
            sending.is_claimed,
        )
        return b"%d %d %d %d %d %d %d %d " % numbers + b",".join(
            b"%d" % subscription_id for subscription_id in sending.subscription_ids
        )

    @classmethod
    def from_bytes(cls, value: bytes) -> Self | None:
        """The record, or None if the value is not one."""
        if not _RECORD.fullmatch(value):
            return None
        *numbers, ids = value.split(b" ")
        post_id, notification_id, noticed_at, *of_sending = map(int, numbers)
        to_post, to_notification, tries, retry_at, is_claimed = of_sending
        sending = Sending(
            post_id=to_post,
            notification_id=to_notification,
            subscription_ids=tuple(map(int, ids.split(b","))) if ids else (),
            tries=tries,
            retry_at=retry_at,
            is_claimed=bool(is_claimed),
        )
        return cls(
            post_id=post_id,
            notification_id=notification_id,
            noticed_at=noticed_at,
            sending=sending if tries else None,
        )


_NO_SENDING = Sending(post_id=0, notification_id=0, subscription_ids=(), tries=0, retry_at=0)


class NoticeRecords:
    """Reads and replaces records. Every method raises StorageUnavailableError."""

    def __init__(self, queue: Server) -> None:
        self._queue = queue

    def now_ms(self) -> int:
        """The time by the clock of the queue's server, which all notifiers share."""
        [(seconds, microseconds)] = self._queue.execute([pack(b"TIME")])
        return int(seconds) * 1000 + int(microseconds) // 1000

    def read_many(self, user_ids: Sequence[int]) -> dict[int, NoticeRecord | None]:
        """Each user's record, or None. A value that is no record is deleted."""
        if not user_ids:
            return {}
        values = self._queue.execute([pack(b"GET", _key(user_id)) for user_id in user_ids])
        records = {
            user_id: NoticeRecord.from_bytes(value) if value else None
            for user_id, value in zip(user_ids, values, strict=True)
        }
        damaged = [user_id for user_id, value in zip(user_ids, values, strict=True) if value]
        if damaged := [user_id for user_id in damaged if records[user_id] is None]:
            self._queue.execute([pack(b"DEL", *map(_key, damaged))])
        return records

    def replace_many(
        self, records: Mapping[int, tuple[NoticeRecord | None, NoticeRecord]]
    ) -> set[int]:
        """The users whose record was the first of the pair, and is the second now."""
        if not records:
            return set()
        calls = [
            REPLACE.pack_call([_key(user_id)], [_value(old), new.to_bytes(), TTL_SECONDS])
            for user_id, (old, new) in records.items()
        ]
        replies = self._queue.execute(calls, REPLACE)
        return {user_id for user_id, done in zip(records, replies, strict=True) if done}


def _key(user_id: int) -> bytes:
    return key_of(b"nr", user_id)


def _value(record: NoticeRecord | None) -> bytes:
    return record.to_bytes() if record else b""
