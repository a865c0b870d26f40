"""What the walk over a partition takes for news, on a real cache."""

import pytest

from graph.ids import new_id
from storage import Storage
from storage.redis.partitions import key_of
from storage.timeline_layout import ABOVE_NOTHING, timeline_key
from workers.notices.walking import PartitionWalk


class Walked:
    """One user whose timeline and number a test writes, and the walk that looks at it."""

    def __init__(self, storage: Storage) -> None:
        self.user_id = new_id()
        self.walk = PartitionWalk(storage.subscriber_walk)
        self.walk.set_users([self.user_id])
        self._storage = storage

    def push(self, *entries: int) -> None:
        self._storage.cache.client.rpush(timeline_key(self.user_id), *entries)

    def lose_list(self) -> None:
        self._storage.cache.client.delete(timeline_key(self.user_id))

    def notify(self, number: int) -> None:
        self._storage.newest_notifications.raise_to({self.user_id: number})

    def news(self) -> list[tuple[int, int]]:
        """The newest post and the newest notification that are news now."""
        return [(one.post_id, one.notification_id) for one in self.walk.look()]


@pytest.fixture
def walked(storage: Storage) -> Walked:
    return Walked(storage)


def test_each_new_entry_is_news_once(walked: Walked) -> None:
    walked.push(10)
    assert walked.news() == [(10, 0)]
    assert walked.news() == []
    walked.push(20)
    walked.notify(7)
    assert walked.news() == [(20, 7)]


def test_a_list_that_was_lost_and_built_again_is_no_news(walked: Walked) -> None:
    walked.push(10, 20)
    walked.news()
    walked.lose_list()
    assert walked.news() == []
    assert walked.walk.take_without_list(9, now=0.0) == [walked.user_id]
    walked.push(-ABOVE_NOTHING)
    assert walked.news() == [], "it is being built"
    walked.push(10, 20)
    assert walked.news() == []
    walked.push(30)
    assert walked.news() == [(30, 0)]


def test_what_was_seen_before_is_the_floor_of_news(walked: Walked) -> None:
    def floors() -> list[tuple[int | None, int | None]]:
        return [(one.post_floor, one.notification_floor) for one in walked.walk.look()]

    walked.push(-ABOVE_NOTHING)
    assert floors() == []
    walked.push(10)
    assert floors() == [(None, None)]
    walked.notify(5)
    walked.push(20)
    assert floors() == [(10, None)]
    walked.notify(6)
    assert floors() == [(20, 5)]


def test_a_list_whose_newest_entry_is_removed_makes_no_news(walked: Walked) -> None:
    walked.push(10, 20)
    walked.news()
    walked.lose_list()
    walked.push(10)
    assert walked.news() == []
    walked.push(20)
    assert walked.news() == [], "it was told before"


def test_a_number_that_the_cache_has_lost_is_asked_for_again(
    walked: Walked, storage: Storage
) -> None:
    walked.push(10)
    walked.notify(5)
    walked.news()
    assert walked.walk.without_number(9) == []
    storage.cache.client.delete(key_of(b"nt", walked.user_id))
    walked.news()
    assert walked.walk.without_number(9) == [walked.user_id]
    walked.notify(5)
    assert walked.news() == []
    assert walked.walk.without_number(9) == []


def test_users_who_stay_are_remembered(walked: Walked) -> None:
    walked.push(10)
    walked.news()
    walked.walk.set_users([new_id(), walked.user_id])
    assert walked.news() == []
