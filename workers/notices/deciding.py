"""Decides for users whose notice is due: send it, decide again later, or drop it.

Whether something is news is decided here and not when it arrived: by now it may have been read or
deleted, its author left or blocked, or the session ended.
"""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from graph import Graph
from graph.ids import from_ms, to_ms
from graph.notification_settings import NEW_PHOTOS
from graph.notifications import NotificationGroup
from graph.read_positions import NewPost
from observing import metrics
from storage import Storage
from storage.notices.records import NoticeRecord, Sending
from workers.notices.agenda import Waiting
from workers.notices.due import NoticeTimes, free_at, spread_ms, window_end
from workers.notices.push.messages import Message, Outcome, Payload, Result
from workers.notices.push.retrying import MAX_TRIES
from workers.notices.quiet_hours import quiet_until
from workers.notices.truth import Truth, read_truth
from workers.notices.wording import sentence_of

CLAIM_SECONDS = 120
"""How long a notice belongs to who sends it. After a kill it is sent again after this time."""

TTL_SECONDS = 86_400
"""How long a push service keeps a notice for a browser that is offline."""

TITLE, URL, TAG = "photofeed", "/hello", "photofeed"
"""Of each notice. The tag is also the topic: a notice replaces the one before it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """A notice that this process has claimed, with its messages."""

    user_id: int
    record: NoticeRecord
    """The record as long as the notice is being sent."""
    messages: Sequence[Message]

    @property
    def claimed_until(self) -> int:
        """When another try may begin, in Unix milliseconds."""
        return self.record.sending.retry_at if self.record.sending else 0

    @property
    def waiting(self) -> Waiting:
        """The user, to be decided again. Who has lost the record has been told of everything."""
        told = self.record.sending or self.record
        return Waiting(
            user_id=self.user_id,
            notification_id=0,
            post_floor=told.post_id,
            notification_floor=told.notification_id,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Decisions:
    """What becomes of some users. Users who are in neither part are done."""

    notices: Sequence[Notice]
    later: Mapping[int, int]
    """By user, when to decide again, in Unix milliseconds."""


class Decider:
    """Decides for many users at once.

    Every method raises StorageUnavailableError and GraphUnavailableError; it can then be repeated.
    """

    def __init__(self, graph: Graph, storage: Storage, times: NoticeTimes) -> None:
        self._graph = graph
        self._storage = storage
        self._times = times
        self._noticed_at: OrderedDict[int, int] = OrderedDict()
        """By user, the notices of the last window, oldest first, for the loss of their records."""

    def decide(self, waiting: Sequence[Waiting], now_ms: int) -> Decisions:
        """The decisions. A notice is claimed in the user's record before this returns."""
        records = self._storage.notice_records.read_many([one.user_id for one in waiting])
        later = {u: at for u, r in records.items() if (at := self._free_at(u, r)) > now_ms}
        ready = [one for one in waiting if one.user_id not in later]
        messages: dict[int, list[Message]] = {}
        changes: dict[int, tuple[NoticeRecord | None, NoticeRecord]] = {}
        for truth in read_truth(self._graph, self._storage, ready, records):
            of_user = _messages_of(truth)
            quiet_end = _quiet_end_ms(truth, now_ms) if of_user else None
            if quiet_end is not None:
                later[truth.user_id] = quiet_end + spread_ms(truth.user_id, self._times)
                continue
            messages[truth.user_id] = of_user
            changes[truth.user_id] = truth.record, _record_after(truth, of_user, now_ms)
        claimed = self._storage.notice_records.replace_many(changes)
        notices = [
            Notice(user_id=user_id, record=changes[user_id][1], messages=messages[user_id])
            for user_id in claimed
            if messages[user_id]
        ]
        self._remember(notices, now_ms)
        return Decisions(notices=notices, later=later)

    def finish(self, notices: Sequence[tuple[Notice, Sequence[Outcome]]]) -> dict[int, int]:
        """Record the outcomes of notices, and delete subscriptions that are gone.

        Returns when to try again, in Unix milliseconds, by user.
        """
        gone = [
            message.subscription.id
            for notice, outcomes in notices
            for message, outcome in zip(notice.messages, outcomes, strict=True)
            if outcome.result == Result.GONE
        ]
        if gone:
            self._graph.push_subscriptions.delete(gone)
        changes = {
            notice.user_id: (notice.record, _record_of_outcomes(notice, outcomes))
            for notice, outcomes in notices
        }
        self._storage.notice_records.replace_many(changes)
        return {u: new.sending.retry_at for u, (_, new) in changes.items() if new.sending}

    def _free_at(self, user_id: int, record: NoticeRecord | None) -> int:
        """When the next notice may be sent, or this one tried again."""
        if record is None:
            return window_end(self._noticed_at.get(user_id, 0), self._times)
        return free_at(record, self._times)

    def _remember(self, notices: Sequence[Notice], now_ms: int) -> None:
        for notice in notices:
            self._noticed_at[notice.user_id] = notice.record.noticed_at
            self._noticed_at.move_to_end(notice.user_id)
        while self._noticed_at:
            user_id, noticed_at = next(iter(self._noticed_at.items()))
            if window_end(noticed_at, self._times) > now_ms:
                return
            del self._noticed_at[user_id]


def _messages_of(truth: Truth) -> list[Message]:
    """One message for each subscription that has something to tell; counts why there is none."""
    if truth.settings is None:
        return _dropped("inactive")
    if not truth.subscriptions:
        return _dropped("no-subscription")
    posts = [] if NEW_PHOTOS in truth.settings.muted_kinds else truth.posts
    group = truth.group
    if group and group.kind in truth.settings.muted_kinds:
        group = None
    if not posts and not group:
        return _dropped("muted" if truth.posts or truth.group else "nothing-new")
    tries = truth.record.sending.tries if truth.record and truth.record.sending else 0
    if tries >= MAX_TRIES:  # each of them by a process that was killed
        return _dropped("exhausted")
    messages = []
    for subscription in truth.subscriptions:
        payload = _payload_of(
            [post for post in posts if post.id > subscription.id],
            group if group and group.id > subscription.id else None,
            truth.unread_notifications,
        )
        if payload:
            messages.append(
                Message(
                    subscription=subscription,
                    payload=payload,
                    ttl_seconds=TTL_SECONDS,
                    topic=TAG,
                    tries=tries,
                )
            )
    return messages or _dropped("nothing-new")


def _payload_of(
    posts: Sequence[NewPost], group: NotificationGroup | None, unread_notifications: int
) -> Payload | None:
    sentences = [sentence_of(posts)] if posts else []
    sentences += [group.text] if group else []
    if not sentences:
        return None
    return Payload(
        kind=NEW_PHOTOS if posts or not group else group.kind,
        title=TITLE,
        body=". ".join(sentences),
        url=URL,
        tag=TAG,
        unread=len(posts) + unread_notifications,
    )


def _dropped(reason: str) -> list[Message]:
    metrics.NOTICES_DROPPED.labels(reason=reason).inc()
    return []


def _quiet_end_ms(truth: Truth, now_ms: int) -> int | None:
    """When the user's quiet hours end; None if it is not quiet now."""
    if truth.settings is None:
        return None
    end = quiet_until(truth.settings, from_ms(now_ms))
    return None if end is None else to_ms(end)


def _record_after(truth: Truth, messages: Sequence[Message], now_ms: int) -> NoticeRecord:
    """The record of a notice that is being sent; without messages, of one that is dropped."""
    if not messages:
        return NoticeRecord(
            post_id=truth.seen_post_id,
            notification_id=truth.seen_notification_id,
            noticed_at=truth.record.noticed_at if truth.record else 0,
        )
    return NoticeRecord(
        post_id=truth.post_floor,
        notification_id=truth.notification_floor,
        noticed_at=now_ms,
        sending=Sending(
            post_id=truth.seen_post_id,
            notification_id=truth.seen_notification_id,
            subscription_ids=tuple(message.subscription.id for message in messages),
            tries=messages[0].tries + 1,
            retry_at=now_ms + CLAIM_SECONDS * 1000,
        ),
    )


def _record_of_outcomes(notice: Notice, outcomes: Sequence[Outcome]) -> NoticeRecord:
    """The record after a try: the notice is done, or some messages are tried again."""
    sending = notice.record.sending
    if sending is None:  # a claimed notice always has it
        return notice.record
    again = [
        (message.subscription.id, outcome)
        for message, outcome in zip(notice.messages, outcomes, strict=True)
        if outcome.result == Result.LATER
    ]
    if not again:
        return NoticeRecord(
            post_id=sending.post_id,
            notification_id=sending.notification_id,
            noticed_at=notice.record.noticed_at,
        )
    return replace(
        notice.record,
        sending=replace(
            sending,
            subscription_ids=tuple(subscription_id for subscription_id, _ in again),
            tries=max(1, *(outcome.tries for _, outcome in again)),
            retry_at=int(max(outcome.retry_at or 0 for _, outcome in again) * 1000),
        ),
    )
