"""Pushes that come out of order, late or twice do not change what a page shows: 26 and 27."""

import time

import pytest

from graph.ids import new_id
from tests.support.stage import CAP, LIMIT, SLACK, Stage
from workers.outbox import run

SECOND = 1_000
DAY = 86_400 * SECOND


def drawn(ms_ago: float, count: int, every_ms: float = 1.0) -> list[int]:
    """Ids of the past, rising, the last one about `ms_ago` old."""
    now = time.time() * 1000 - ms_ago
    return [new_id(int(now - every_ms * (count - 1 - number))) for number in range(count)]


def listed(stage: Stage) -> tuple[int, int]:
    """A viewer with a list, and an author whom they follow."""
    viewer, author = stage.town.users(2)
    stage.town.follow(viewer, author)
    stage.build(viewer)
    return viewer, author


def publish_late(stage: Stage, author: int, post_ids: list[int]) -> None:
    """Posts of the past, fanned out now, in the order given."""
    stage.town.old_posts(author, sorted(set(post_ids)))
    for post_id in post_ids:
        assert stage.do(stage.town.event("post-published", post_id, author)) == "done"


# Case 26
def test_a_late_post_older_than_a_trimmed_list_does_not_lower_its_watermark(stage: Stage) -> None:
    viewer, author = listed(stage)
    ancient = drawn(9 * DAY, 3, every_ms=DAY)
    newer = drawn(0, CAP + SLACK + 5)
    stage.town.old_posts(author, newer)
    for post_id in newer:
        stage.storage.timelines.push([viewer], post_id, read_at=time.monotonic())
    entries = stage.entries(viewer)
    assert entries[0] > 0, "the sentinel is trimmed off"
    publish_late(stage, author, ancient)
    assert stage.entries(viewer) == entries
    stage.right(viewer)


# Case 26
def test_late_posts_below_the_sentinel_are_the_graphs_part(stage: Stage) -> None:
    viewer, author = stage.town.users(2)
    stage.town.follow(viewer, author)
    stage.town.old_posts(author, drawn(5 * DAY, CAP + 3, every_ms=SECOND))
    stage.build(viewer)
    entries = stage.entries(viewer)
    assert entries[0] < 0, "complete above the oldest post it took"
    publish_late(stage, author, drawn(6 * DAY, 2))
    assert stage.entries(viewer) == entries
    stage.right(viewer)


# Case 26
def test_late_posts_take_their_place_and_the_list_keeps_its_expiry(stage: Stage) -> None:
    viewer, author = listed(stage)
    stage.do(stage.town.post(author)[1])
    late = drawn(2 * DAY, 6, every_ms=SECOND)
    publish_late(stage, author, [late[3], late[0], late[5], late[1], late[1], late[4], late[2]])
    entries = stage.entries(viewer)
    assert entries == sorted(entries)
    assert stage.storage.cache.client.ttl(f"tl:{viewer:014x}") > 86_400
    stage.right(viewer)


# Case 26
def test_late_posts_beyond_the_cap_are_trimmed_without_a_gap(stage: Stage) -> None:
    viewer, author = listed(stage)
    publish_late(stage, author, drawn(2 * DAY, CAP + SLACK + 7, every_ms=SECOND))
    assert len(stage.entries(viewer)) <= CAP + SLACK
    assert stage.storage.cache.client.ttl(f"tl:{viewer:014x}") > 86_400
    stage.right(viewer)


# Case 26, for a list being built
def test_a_late_post_into_a_list_being_built_ends_the_building(stage: Stage) -> None:
    viewer, author = stage.town.users(2)
    stage.town.follow(viewer, author)
    token = stage.storage.timelines.begin(viewer)
    assert token
    pulled = stage.graph.posts.feed_page(viewer, before=2**53, limit=CAP).post_ids
    stage.do(stage.town.post(author)[1])  # into the list being built
    publish_late(stage, author, drawn(DAY, 1))  # after the pull, far before that one
    stage.storage.timelines.finish(viewer, token, pulled, watermark=0)
    stage.right(viewer)
    stage.right(viewer, rebuilds=True)
    stage.right(viewer)


# Case 27
def test_a_window_of_posts_pushed_out_of_order_does_not_hide_the_newest(stage: Stage) -> None:
    viewer, author = listed(stage)
    older = drawn(40 * 60 * SECOND, CAP, every_ms=SECOND)
    publish_late(stage, author, older)
    window = drawn(500, 12, every_ms=2 * SECOND)
    stage.town.old_posts(author, window)
    for post_id in [window[-1], window[-2], *window[:-2]]:  # the newest first, the others late
        stage.storage.timelines.push([viewer], post_id, read_at=time.monotonic())
    stage.right(viewer)


# Case 27
def test_a_push_judged_in_time_that_arrives_later_shows_at_its_place(stage: Stage) -> None:
    viewer, author = listed(stage)
    stage.town.old_posts(author, drawn(10 * 60 * SECOND, CAP + SLACK + 1, every_ms=SECOND))
    stage.evict_list(viewer)
    stage.build(viewer)
    held = stage.behind_proxies()
    [slow] = drawn(28 * SECOND, 1)
    stage.town.old_posts(author, [slow])
    event = stage.town.event("post-published", slow, author)
    hold = held.to_cache.hold(b"RPUSHX\r\n$17\r\ntl:%014x" % viewer)
    job = stage.begin(run, held.graph, held.storage, event.id, event.epoch)
    hold.wait()
    between = drawn(100, 2 * LIMIT + 4, every_ms=2 * SECOND)
    publish_late(stage, author, between)
    hold.release()  # the bytes arrive behind posts up to 28 s newer
    job.result(10)
    assert slow in stage.entries(viewer)
    stage.right(viewer)


# Case 27
@pytest.mark.parametrize("times", [2, LIMIT + 4, 3 * LIMIT])
def test_a_post_pushed_again_and_again_is_shown_once(stage: Stage, times: int) -> None:
    viewer, author = listed(stage)
    for _ in range(LIMIT + 2):
        post, event = stage.town.post(author)
        stage.do(event)
    for _ in range(times):
        stage.storage.timelines.push([viewer], post, read_at=time.monotonic())
    assert stage.entries(viewer).count(post) == times + 1
    stage.right(viewer)


# Case 27
def test_duplicates_that_pushed_the_sentinel_out_do_not_end_the_feed(stage: Stage) -> None:
    viewer, author = listed(stage)
    stage.town.old_posts(author, drawn(DAY, 9, every_ms=SECOND))
    stage.evict_list(viewer)
    stage.build(viewer)
    post, event = stage.town.post(author)
    stage.do(event)
    for _ in range(CAP + SLACK):
        stage.storage.timelines.push([viewer], post, read_at=time.monotonic())
    assert set(stage.entries(viewer)) == {post}
    stage.right(viewer)
