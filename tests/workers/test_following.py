"""The event of a follow: the newest notification's id in the cache, and the bound of a user's."""

from graph.events import Event
from graph.notifications import MOST, TRIM_SLACK
from storage.notices.newest_notifications import pack_newest
from tests.support.stage import Stage
from workers.following import finish_follow


def newest_in_cache(stage: Stage, user_id: int) -> int | None:
    [reply] = stage.storage.cache.execute([pack_newest(user_id)])
    return None if reply is None else int(reply)


def new_follow(stage: Stage, follower_id: int, followee_id: int) -> tuple[Event, int]:
    """A follow whose request died after its commit: its event, and its notification's id."""
    follow = stage.graph.follows.create(follower_id=follower_id, followee_id=followee_id)
    assert follow.event
    assert follow.notification_id
    return follow.event, follow.notification_id


def test_the_event_raises_the_newest_id_that_its_request_did_not(stage: Stage) -> None:
    ana, ben = stage.town.users(2)
    event, notification_id = new_follow(stage, ana, ben)
    assert newest_in_cache(stage, ben) is None
    assert stage.do(event) == "done"
    assert newest_in_cache(stage, ben) == notification_id


def test_the_event_can_be_repeated_and_late(stage: Stage) -> None:
    ana, bo, ben = stage.town.users(3)
    late, _ = new_follow(stage, ana, ben)
    event, newest = new_follow(stage, bo, ben)
    for one in (event, late, late):
        finish_follow(stage.graph, stage.storage, one)
        assert newest_in_cache(stage, ben) == newest


def test_the_event_deletes_what_is_beyond_the_bound(stage: Stage) -> None:
    ben, ana = stage.town.users(2)
    stage.town.followed_at(1_735_689_600_000, ben, *stage.town.users(MOST + TRIM_SLACK))
    event, newest = new_follow(stage, ana, ben)
    assert stage.do(event) == "done"
    kept = [one["id"] for one in stage.town.notifications_of(ben)]
    assert len(kept) == MOST
    assert kept[-1] == newest
