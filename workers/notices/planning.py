"""Plans what becomes of a user whose turn has come: a notice, a later turn, or nothing. Pure.

A notice goes to all subscriptions of the user at once. Those whose push service has put it off are
tried again with the same news, alone. Once the window is over, newer news begin a new notice, also
for them: so one bad push service does not silence the user's other browsers.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from graph.ids import from_ms, to_ms
from graph.notification_settings import NEW_PHOTOS
from graph.notifications import NotificationGroup
from graph.push_subscriptions import PushSubscription
from graph.read_positions import NewPost
from storage.notices.records import NoticeRecord, Sending
from workers.notices.agenda import Waiting
from workers.notices.due import NoticeTimes, spread_ms, window_end
from workers.notices.push.messages import Message, Payload
from workers.notices.push.retrying import MAX_TRIES
from workers.notices.quiet_hours import quiet_until, waking_time
from workers.notices.truth import Truth
from workers.notices.wording import MOST_COUNTED, sentence_of

CLAIM_SECONDS = 120
"""How long a notice belongs to who sends it. After a kill it is sent again after this time."""

WITHOUT_LIST_SECONDS = 30
"""When a user is decided again whose timeline is missing: it is being built."""

LONGEST_QUIET_SECONDS = 3_600
"""A user whose hours are quiet is decided again after this time: the settings may have changed."""

TTL_SECONDS = 86_400
"""How long a push service keeps a notice for a browser that is offline."""

TITLE, URL, TAG = "photofeed", "/hello", "photofeed"
"""Of each notice. The tag is also the topic: a notice replaces the one before it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """A notice with its messages. It belongs to who has stored its record."""

    user_id: int
    record: NoticeRecord
    """The record as long as the notice is being sent. Of its subscriptions, those without a
    message still wait for their push service."""
    sending: Sending
    """The record's."""
    messages: Sequence[Message]
    held_until: int = 0
    """Until when those wait, in Unix milliseconds."""

    @property
    def waiting(self) -> Waiting:
        """The user, to be decided again. Without a record, the floors are those of this notice."""
        return Waiting(
            user_id=self.user_id,
            notification_id=0,
            post_floor=self.sending.post_id,
            notification_floor=self.sending.notification_id,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What becomes of a user."""

    user_id: int
    record: NoticeRecord | None = None
    """The user's record from now on; None: it stays."""
    notice: Notice | None = None
    """To be sent once the record is stored."""
    turn_at: int | None = None
    """When to decide again, in Unix milliseconds; None: when something new comes."""
    dropped: str = ""
    """Why nothing is told, in a word."""


@dataclass(frozen=True, slots=True)
class _Scope:
    """What may be told, and to whom."""

    subscriptions: Sequence[PushSubscription]
    post_id: int
    """The newest post that may be told."""
    notification_id: int
    tries: int = 0
    """Begun before."""
    held_ids: tuple[int, ...] = ()
    """Subscriptions that still wait for their push service."""


def plan(truth: Truth, now_ms: int, times: NoticeTimes) -> Plan:
    """The plan for a user whose turn is now."""
    sending = truth.sending
    has_new_notifications = truth.newest_notification_id > truth.notification_floor
    if not truth.has_list and (sending or not has_new_notifications):
        return _put_off(truth, now_ms + WITHOUT_LIST_SECONDS * 1000)
    if sending is None:
        scope = _Scope(truth.subscriptions, truth.newest_post_id, truth.newest_notification_id)
        return _plan_in(truth, scope, now_ms, times)
    return _plan_unfinished(truth, sending, now_ms, times)


def _plan_unfinished(truth: Truth, sending: Sending, now_ms: int, times: NoticeTimes) -> Plan:
    """An unfinished notice goes on, or gives way to newer news once its window is over."""
    end = window_end(truth.noticed_at, times)
    is_newer = truth.is_newer_than(sending.post_id, sending.notification_id)
    if is_newer and now_ms >= end:
        return _plan_in(truth, _new_scope(truth, sending, now_ms), now_ms, times)
    if now_ms >= sending.retry_at:
        return _plan_in(truth, _retry_scope(truth, sending), now_ms, times)
    turn_at = min(sending.retry_at, end) if is_newer else sending.retry_at
    return Plan(user_id=truth.user_id, turn_at=turn_at)


def _retry_scope(truth: Truth, sending: Sending) -> _Scope:
    """The same news, for the subscriptions that do not have them yet."""
    pending = set(sending.subscription_ids)
    return _Scope(
        [one for one in truth.subscriptions if one.id in pending],
        sending.post_id,
        sending.notification_id,
        sending.tries,
    )


def _new_scope(truth: Truth, sending: Sending, now_ms: int) -> _Scope:
    """All news, for all subscriptions but those whose push service has asked for a longer pause."""
    held = sending.subscription_ids if now_ms < sending.retry_at else ()
    return _Scope(
        [one for one in truth.subscriptions if one.id not in held],
        max(truth.newest_post_id, sending.post_id),
        max(truth.newest_notification_id, sending.notification_id),
        held_ids=held,
    )


def _plan_in(truth: Truth, scope: _Scope, now_ms: int, times: NoticeTimes) -> Plan:
    if reason := _silence(truth, scope):
        return _drop(truth, scope, reason, now_ms, times)
    messages = list(_messages_of(truth, scope))
    if not messages:
        reason = "muted" if truth.posts or truth.group else "nothing-new"
        return _drop(truth, scope, reason, now_ms, times)
    if (turn_at := _quiet_turn(truth, now_ms, times)) is not None:
        return _put_off(truth, turn_at)
    return _send(truth, scope, messages, now_ms, times)


def _silence(truth: Truth, scope: _Scope) -> str:
    """Why nothing at all can be told; "" if something may be."""
    if truth.settings is None:
        return "inactive"
    if not scope.subscriptions:
        return "no-subscription"
    return "exhausted" if scope.tries >= MAX_TRIES else ""


def _messages_of(truth: Truth, scope: _Scope) -> Iterator[Message]:
    """A message for each subscription that has something to tell."""
    muted = truth.settings.muted_kinds if truth.settings else frozenset()
    for subscription in scope.subscriptions:
        post_floor, notification_floor = _floors_for(truth, subscription)
        posts = [post for post in truth.posts if post_floor < post.id <= scope.post_id]
        group = truth.group
        if group and not notification_floor < group.id <= scope.notification_id:
            group = None
        payload = _payload_of(
            [] if NEW_PHOTOS in muted else posts,
            None if group and group.kind in muted else group,
            truth.unread_notifications,
        )
        if payload:
            yield Message(
                subscription=subscription,
                payload=payload,
                ttl_seconds=TTL_SECONDS,
                topic=TAG,
                tries=scope.tries,
            )


def _floors_for(truth: Truth, subscription: PushSubscription) -> tuple[int, int]:
    """What the subscription has been told of: nothing older than itself is told.

    One that an unfinished notice has reached knows more than the others.
    """
    floors, sending = (truth.post_floor, truth.notification_floor), truth.sending
    if sending and subscription.id not in sending.subscription_ids:
        floors = sending.post_id, sending.notification_id
    return max(floors[0], subscription.id), max(floors[1], subscription.id)


def _payload_of(
    posts: Sequence[NewPost], group: NotificationGroup | None, unread_notifications: int
) -> Payload | None:
    counted = posts[: MOST_COUNTED + 1]
    sentences = [sentence_of(counted)] if counted else []
    sentences += [group.text] if group else []
    if not sentences:
        return None
    return Payload(
        kind=NEW_PHOTOS if counted or not group else group.kind,
        title=TITLE,
        body=". ".join(sentences),
        url=URL,
        tag=TAG,
        unread=len(counted) + unread_notifications,
    )


def _quiet_turn(truth: Truth, now_ms: int, times: NoticeTimes) -> int | None:
    """When to decide again if the user's hours are quiet; None if they are not."""
    hours = truth.settings.quiet_hours if truth.settings else None
    end = quiet_until(hours, from_ms(now_ms)) if hours else None
    if hours is None or end is None:
        return None
    next_look = now_ms + LONGEST_QUIET_SECONDS * 1000
    if to_ms(end) > next_look:
        return next_look
    waking_ms = max(1, int(waking_time(hours).total_seconds() * 1000))
    return to_ms(end) + spread_ms(truth.user_id, times) % waking_ms


def _put_off(truth: Truth, turn_at: int) -> Plan:
    """Decide later. A user without a record gets one: a restarted notifier needs the floors."""
    record = None
    if truth.record is None:
        record = NoticeRecord(post_id=truth.post_floor, notification_id=truth.notification_floor)
    return Plan(user_id=truth.user_id, record=record, turn_at=turn_at)


def _drop(truth: Truth, scope: _Scope, reason: str, now_ms: int, times: NoticeTimes) -> Plan:
    """Nothing is told of what is in the scope, now or later."""
    if scope.held_ids and truth.sending:
        return Plan(user_id=truth.user_id, turn_at=truth.sending.retry_at, dropped=reason)
    return Plan(
        user_id=truth.user_id,
        record=NoticeRecord(
            post_id=scope.post_id,
            notification_id=scope.notification_id,
            noticed_at=truth.noticed_at,
        ),
        turn_at=_next_turn(truth, scope, now_ms, window_end(truth.noticed_at, times)),
        dropped=reason,
    )


def _send(
    truth: Truth, scope: _Scope, messages: Sequence[Message], now_ms: int, times: NoticeTimes
) -> Plan:
    """Claim the notice. The floors rise only once every subscription has it."""
    ids = tuple(message.subscription.id for message in messages)
    sending = Sending(
        post_id=scope.post_id,
        notification_id=scope.notification_id,
        subscription_ids=(*ids, *scope.held_ids),
        tries=scope.tries + 1,
        retry_at=now_ms + CLAIM_SECONDS * 1000,
        is_claimed=True,
    )
    record = NoticeRecord(
        post_id=truth.post_floor,
        notification_id=truth.notification_floor,
        noticed_at=now_ms,
        sending=sending,
    )
    notice = Notice(
        user_id=truth.user_id,
        record=record,
        sending=sending,
        messages=messages,
        held_until=truth.sending.retry_at if truth.sending and scope.held_ids else 0,
    )
    turn_at = _next_turn(truth, scope, now_ms, window_end(now_ms, times))
    return Plan(user_id=truth.user_id, record=record, notice=notice, turn_at=turn_at)


def _next_turn(truth: Truth, scope: _Scope, now_ms: int, end: int) -> int | None:
    """The end of the window if there is something that this plan does not tell of."""
    if truth.has_list and not truth.is_newer_than(scope.post_id, scope.notification_id):
        return None
    return max(end, now_ms + WITHOUT_LIST_SECONDS * 1000)
