"""The subscribers of one partition whom a notifier watches, and what is new for them."""

import time
from collections.abc import Sequence

from graph import Graph
from graph.ids import first_id_at, from_ms
from storage import Storage
from storage.notices.records import NoticeRecord
from workers.notices.agenda import Arrival, Waiting
from workers.notices.due import NoticeTimes, free_at
from workers.notices.walking import News, PartitionWalk

HANDOVER_MS = 60_000
"""How long a partition may have had no notifier: what came meanwhile is told."""

SUBSCRIPTIONS_PAGE = 5_000
"""Subscriptions that are read from the graph at once."""

PAGE = 1_000
"""Users whose records or numbers are read at once."""

SHORTEST_REFRESH_SECONDS = 10.0
REFRESH_SHARE = 20
"""The subscribers are read again after so many times the time of the last reading: that costs a
twentieth of the notifier's time, however many they are."""


class PartitionSubscribers:
    """Watches the subscribers of a partition. Methods raise as the stores do."""

    def __init__(
        self, graph: Graph, storage: Storage, times: NoticeTimes, partition: int, now_ms: int
    ) -> None:
        self._graph = graph
        self._storage = storage
        self._times = times
        self._partition = partition
        self._walk = PartitionWalk(storage.subscriber_walk)
        self._first_floor = first_id_at(from_ms(now_ms - times.delay_ms - HANDOVER_MS))
        """Whoever has no record counts as notified of what is older than this."""
        self._refresh_at = 0.0
        self._news: list[News] = []
        self._unfinished: list[Arrival] = []
        """Like the news: what was seen, and is not returned yet, as a store failed meanwhile."""
        self.user_ids: set[int] = set()

    def take_without_list(self, most: int) -> list[int]:
        """Some users whose timeline is missing, each once a minute."""
        return self._walk.take_without_list(most, time.monotonic())

    def look(self) -> list[Arrival]:
        """What is new since the last look that succeeded, and unfinished notices of new users."""
        self._refresh()
        for news in self._walk.look():
            self._news.append(news)
        first_looks = [
            one.user_id
            for one in self._news
            if one.post_floor is None or one.notification_floor is None
        ]
        records = self._read_records(first_looks)
        arrivals = [
            *self._unfinished,
            *(self._arrival_of(one, records.get(one.user_id)) for one in self._news),
        ]
        self._news, self._unfinished = [], []
        return [arrival for arrival in arrivals if arrival]

    def restore_numbers(self) -> None:
        """Ask the graph for the newest notifications that the cache does not know, of some users.

        The next look sees them.
        """
        unknown = self._walk.without_number(PAGE)
        if unknown:
            newest = self._graph.notifications.newest_ids(unknown)
            self._storage.newest_notifications.raise_to(newest)

    def _refresh(self) -> None:
        """Read the subscribers again, if it is time."""
        began = time.monotonic()
        if began < self._refresh_at:
            return
        user_ids = self._read_user_ids()
        records = self._read_records([user for user in user_ids if user not in self.user_ids])
        self._unfinished += [
            Arrival(
                waiting=self._waiting_of(user_id, record), not_before=free_at(record, self._times)
            )
            for user_id, record in records.items()
            if record and record.sending
        ]
        self._walk.set_users(user_ids)
        self.user_ids = set(user_ids)
        seconds = time.monotonic() - began
        self._refresh_at = began + max(SHORTEST_REFRESH_SECONDS, REFRESH_SHARE * seconds)

    def _read_user_ids(self) -> list[int]:
        user_ids: list[int] = []
        after: int | None = 0
        while after is not None:
            page = self._graph.push_subscriptions.subscribed_users(
                self._partition, after=after, limit=SUBSCRIPTIONS_PAGE
            )
            user_ids += [user.user_id for user in page.users]
            after = page.next_after
        return user_ids

    def _read_records(self, user_ids: Sequence[int]) -> dict[int, NoticeRecord | None]:
        records: dict[int, NoticeRecord | None] = {}
        for start in range(0, len(user_ids), PAGE):
            records |= self._storage.notice_records.read_many(user_ids[start : start + PAGE])
        return records

    def _arrival_of(self, news: News, record: NoticeRecord | None) -> Arrival | None:
        """What is new, if it is above the floors of a first look."""
        floors = self._waiting_of(news.user_id, record)
        post_floor = floors.post_floor if news.post_floor is None else news.post_floor
        notification_floor = (
            floors.notification_floor
            if news.notification_floor is None
            else news.notification_floor
        )
        new_post = [news.post_id] if news.post_id > post_floor else []
        new_notification = (
            [news.notification_id] if news.notification_id > notification_floor else []
        )
        if not new_post and not new_notification:
            return None
        return Arrival(
            waiting=Waiting(
                user_id=news.user_id,
                notification_id=max(new_notification, default=0),
                post_floor=post_floor,
                notification_floor=notification_floor,
            ),
            ids=(*new_post, *new_notification),
            not_before=free_at(record, self._times) if record else 0,
        )

    def _waiting_of(self, user_id: int, record: NoticeRecord | None) -> Waiting:
        return Waiting(
            user_id=user_id,
            notification_id=0,
            post_floor=record.post_id if record else self._first_floor,
            notification_floor=record.notification_id if record else self._first_floor,
        )
