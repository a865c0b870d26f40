"""Decides for users whose notice is due: send it, wait, or drop it. Reads the truth for that.

Whether something is news is decided here and not when it arrived: by now it may have been read or
deleted, its author left or blocked, or the session ended.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from graph import Graph
from graph.ids import MAX_ID, from_ms, to_ms
from graph.notification_settings import NEW_PHOTOS, NotificationSettings
from graph.notifications import NotificationGroup
from graph.push_subscriptions import PushSubscription
from observing import metrics
from storage import Storage
from storage.notice_records import NoticeRecord, Sending
from storage.read_positions import Tail
from workers.notices.due import NoticeTimes, spread_ms, window_end
from workers.notices.messages import Message, Payload
from workers.notices.quiet_hours import quiet_until
from workers.notices.wording import MOST_COUNTED, NewPost, sentence_of

ENTRIES = 160
"""Entries of a timeline that are looked at: MOST_COUNTED and one, and some that are no news."""

CLAIM_SECONDS = 60
"""How long a notice belongs to who sends it. After a kill it is sent again after this time."""

TTL_SECONDS = 86_400
"""How long a push service keeps a notice for a browser that is offline."""

TITLE, URL, TAG = "photofeed", "/hello", "photofeed"
"""Of each notice. The tag is also the topic: a notice replaces the one before it."""


class Dropped(StrEnum):
    """Why there is no notice. The values are labels of the metric."""

    NOTHING_NEW = "nothing-new"
    """Read, deleted, own, or of somebody whom the user has left."""
    MUTED = "muted"
    NO_SUBSCRIPTION = "no-subscription"
    INACTIVE = "inactive"
    """The user is not active."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Floors:
    """What a user counts as notified of, where there is no record."""

    post_id: int
    notification_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """A notice that this process has claimed, with its messages."""

    user_id: int
    record: NoticeRecord
    """The record while it is being sent."""
    messages: Sequence[Message]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decisions:
    """What becomes of some users."""

    notices: list[Notice]
    later: dict[int, int]
    """When to decide again, in Unix milliseconds, by user."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Truth:
    """What is known of a user when the notice is due."""

    record: NoticeRecord | None
    floors: NoticeRecord
    """The record, or one made from Floors."""
    seen_post_id: int
    """The newest entry that was looked at."""
    seen_notification_id: int
    posts: Sequence[NewPost]
    group: NotificationGroup | None
    """The newest group of notifications, if it is news."""
    unread_notifications: int
    settings: NotificationSettings | None
    subscriptions: Sequence[PushSubscription]


class Decider:
    """Decides for many users at once. Every method raises StorageError, GraphUnavailableError."""

    def __init__(self, graph: Graph, storage: Storage, times: NoticeTimes) -> None:
        self._graph = graph
        self._storage = storage
        self._times = times

    def decide(self, floors: Mapping[int, Floors], now_ms: int) -> Decisions:
        """The decisions for the users, whose notices are claimed in their records."""
        records = self._storage.notice_records.read_many(list(floors))
        later = {u: at for u, r in records.items() if r and (at := self._next_try(r)) > now_ms}
        users = {u: records[u] for u in floors if u not in later}
        changes: dict[int, tuple[NoticeRecord | None, NoticeRecord]] = {}
        messages: dict[int, list[Message]] = {}
        for user_id, truth in self._read(users, floors).items():
            quiet_end = _quiet_end_ms(truth, now_ms)
            if quiet_end is not None:
                later[user_id] = quiet_end + spread_ms(user_id, self._times)
                continue
            messages[user_id] = _messages_of(truth)
            changes[user_id] = (truth.record, _next_record(truth, messages[user_id], now_ms))
        claimed = self._storage.notice_records.replace_many(changes)
        notices = [
            Notice(user_id=u, record=changes[u][1], messages=messages[u])
            for u in claimed
            if messages[u]
        ]
        return Decisions(notices=notices, later=later)

    def finish(self, notices: Iterable[tuple[NoticeRecord, int, Sequence[int], int]]) -> None:
        raise NotImplementedError

    def _next_try(self, record: NoticeRecord) -> int:
        if record.sending:
            return record.sending.retry_at
        return window_end(record.noticed_at, self._times)

    def _read(
        self, records: Mapping[int, NoticeRecord | None], floors: Mapping[int, Floors]
    ) -> dict[int, _Truth]:
        raise NotImplementedError
