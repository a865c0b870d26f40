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
from storage.notices.records import NoticeRecord, Sending
from storage.read_positions import Tail
from storage.timeline_layout import ABOVE_NOTHING
from workers.notices.agenda import Waiting

ENTRIES = 160
"""Entries of a timeline that are looked at: more than a notice counts, as some are no news."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """What decides a user's notice."""

    user_id: int
    record: NoticeRecord | None
    post_floor: int
    notification_floor: int
    newest_post_id: int
    """The newest post that was looked at, at least the floor."""
    newest_notification_id: int
    """Likewise."""
    has_list: bool
    """Whether there is a finished timeline. Without one nobody knows what is new in it."""
    posts: Sequence[NewPost]
    """News above the floor, newest first."""
    group: NotificationGroup | None
    """The newest group of unread notifications, if it is above the floor."""
    unread_notifications: int
    settings: NotificationSettings | None
    """None: the user is not active."""
    subscriptions: Sequence[PushSubscription]

    @property
    def sending(self) -> Sending | None:
        """The unfinished notice; None if there is none."""
        return self.record.sending if self.record else None

    @property
    def noticed_at(self) -> int:
        """When the last notice was sent, in Unix milliseconds; 0: never."""
        return self.record.noticed_at if self.record else 0

    def is_newer_than(self, post_id: int, notification_id: int) -> bool:
        """Whether there is something above these ids."""
        return self.newest_post_id > post_id or self.newest_notification_id > notification_id


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
    floors = {one.user_id: _floors_of(one, records[one.user_id]) for one in waiting}
    news = graph.read_positions.news(
        {user_id: _ids_above(floors[user_id][0], tails[user_id]) for user_id in user_ids}
    )
    settings = graph.notification_settings.read_many(user_ids)
    subscriptions = graph.push_subscriptions.of_users(user_ids)
    truths = []
    for one in waiting:
        user_id, tail = one.user_id, tails[one.user_id]
        post_floor, notification_floor = floors[user_id]
        newest_notification_id = max(one.notification_id, notification_floor)
        group, unread = None, 0
        if newest_notification_id > notification_floor and subscriptions.get(user_id):
            group, unread = _newest_unread_group(graph, user_id, notification_floor)
        truths.append(
            Truth(
                user_id=user_id,
                record=records[user_id],
                post_floor=post_floor,
                notification_floor=notification_floor,
                newest_post_id=max([post_floor, *tail.entries]),
                newest_notification_id=newest_notification_id,
                has_list=_is_finished(tail),
                posts=news.get(user_id, []),
                group=group,
                unread_notifications=unread,
                settings=settings.get(user_id),
                subscriptions=subscriptions.get(user_id, []),
            )
        )
    return truths


def _floors_of(waiting: Waiting, record: NoticeRecord | None) -> tuple[int, int]:
    """What the user has been told of: the newest post and the newest notification."""
    if record is None:
        return waiting.post_floor, waiting.notification_floor
    return record.post_id, record.notification_id


def _ids_above(floor: int, tail: Tail) -> list[int]:
    """The posts that may be news, newest first."""
    read_up_to = max(floor, tail.position or 0)
    return sorted({entry for entry in tail.entries if entry > read_up_to}, reverse=True)


def _is_finished(tail: Tail) -> bool:
    return bool(tail.entries) and tail.entries[0] != -ABOVE_NOTHING


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
