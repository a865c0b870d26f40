"""What is true of users when their notices are due, read for many of them at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from graph import Graph
from graph.ids import MAX_ID
from graph.notification_settings import NotificationSettings
from graph.notifications import NotificationGroup
from graph.push_subscriptions import PushSubscription
from graph.read_positions import NewPost
from storage import Storage
from storage.notices.records import NoticeRecord
from storage.read_positions import Tail
from workers.notices.agenda import Waiting
from workers.notices.wording import MOST_COUNTED

ENTRIES = 160
"""Entries of a timeline that are looked at: MOST_COUNTED and one, and some that are no news."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """What decides a user's notice."""

    user_id: int
    record: NoticeRecord | None
    post_floor: int
    notification_floor: int
    seen_post_id: int
    """The newest post that a notice would tell of, or that was looked at: the next floor."""
    seen_notification_id: int
    posts: Sequence[NewPost]
    """News above the floor, newest first."""
    group: NotificationGroup | None
    """The newest group of unread notifications, if there is a new one."""
    unread_notifications: int
    settings: NotificationSettings | None
    """None: the user is not active."""
    subscriptions: Sequence[PushSubscription]
    """Those to send to. For a notice that was tried before, those which do not have it yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Range:
    """The posts and notifications that a notice can tell of: above the floors, up to `seen`."""

    post_floor: int
    notification_floor: int
    seen_post_id: int
    seen_notification_id: int
    post_ids: Sequence[int]


def read_truth(
    graph: Graph,
    storage: Storage,
    waiting: Sequence[Waiting],
    records: Mapping[int, NoticeRecord | None],
) -> list[Truth]:
    """What is true of each user now. Raises StorageUnavailableError, GraphUnavailableError."""
    if not waiting:
        return []
    user_ids = [one.user_id for one in waiting]
    tails = storage.read_positions.tails(user_ids, most=ENTRIES)
    ranges = {
        one.user_id: _range_of(one, records[one.user_id], tails[one.user_id]) for one in waiting
    }
    news = graph.read_positions.news({u: ranges[u].post_ids for u in user_ids})
    settings = graph.notification_settings.read_many(user_ids)
    subscriptions = graph.push_subscriptions.of_users(user_ids)
    return [
        _truth_of(
            graph,
            user_id,
            ranges[user_id],
            record=records[user_id],
            posts=news.get(user_id, []),
            settings=settings.get(user_id),
            subscriptions=subscriptions.get(user_id, []),
        )
        for user_id in user_ids
    ]


def _range_of(waiting: Waiting, record: NoticeRecord | None, tail: Tail) -> _Range:
    """A notice that was tried before tells of the same posts, if they are still news."""
    post_floor = record.post_id if record else waiting.post_floor
    notification_floor = record.notification_id if record else waiting.notification_floor
    sending = record.sending if record else None
    newest = max(tail.entries, default=0)
    seen_post_id = sending.post_id if sending else max(newest, post_floor)
    seen_notification_id = (
        sending.notification_id if sending else max(waiting.notification_id, notification_floor)
    )
    read_up_to = max(post_floor, tail.position or 0)
    above = {entry for entry in tail.entries if read_up_to < entry <= seen_post_id}
    return _Range(
        post_floor=post_floor,
        notification_floor=notification_floor,
        seen_post_id=seen_post_id,
        seen_notification_id=seen_notification_id,
        post_ids=sorted(above, reverse=True),
    )


def _truth_of(
    graph: Graph,
    user_id: int,
    of: _Range,
    *,
    record: NoticeRecord | None,
    posts: Sequence[NewPost],
    settings: NotificationSettings | None,
    subscriptions: Sequence[PushSubscription],
) -> Truth:
    group, unread = None, 0
    if of.seen_notification_id > of.notification_floor and subscriptions:
        group, unread = _newest_unread_group(graph, user_id, of.notification_floor)
    if record and record.sending:
        wanted = set(record.sending.subscription_ids)
        subscriptions = [one for one in subscriptions if one.id in wanted]
    return Truth(
        user_id=user_id,
        record=record,
        post_floor=of.post_floor,
        notification_floor=of.notification_floor,
        seen_post_id=of.seen_post_id,
        seen_notification_id=of.seen_notification_id,
        posts=posts[: MOST_COUNTED + 1],
        group=group,
        unread_notifications=unread,
        settings=settings,
        subscriptions=subscriptions,
    )


def _newest_unread_group(
    graph: Graph, user_id: int, floor: int
) -> tuple[NotificationGroup | None, int]:
    """The newest group if it is unread and above the floor, and how many are unread."""
    unread = graph.notifications.unread(user_id)
    if not unread.count:
        return None, 0
    groups, _ = graph.notifications.groups(user_id, before=MAX_ID, limit=1)
    newest = [group for group in groups if group.id > floor]
    return (newest[0] if newest else None), unread.count
