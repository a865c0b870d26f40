"""Pushes out of order, late or repeated do not change a page (cases 26 and 27)."""

import time

import pytest

from graph.ids import new_id
from storage.timeline_layout import timeline_key
from tests.support.outbox import run
from tests.support.stage import CAP, LIMIT, SLACK, Stage

SECOND = 1_000
DAY = 86_400 * SECOND


def past_ids(ms_ago: float, count: int, every_ms: float = 1.0) -> list[int]:
    """Ascending ids of the past, the last about `ms_ago` milliseconds old."""
    now = time.time() * 1000 - ms_ago
    return [new_id(int(now - every_ms * (count - 1 - number))) for number in range(count)]


def viewer_with_list(stage: Stage) -> tuple[int, int]:
    """A viewer with a list, and an author whom they follow."""
    viewer, author = stage.town.users(2)
    stage.town.add_followees(viewer, author)
    stage.build(viewer)
    return viewer, author


def publish_late(stage: Stage, author: int, post_ids: list[int]) -> None:
    """Create posts of the past and fan them out now, in the given order."""
    stage.town.old_posts(author, sorted(set(post_ids)))
    for post_id in post_ids:
        assert stage.do(stage.town.event("post-published", post_id, author)) == "done"


# Case 26
def test_a_late_post_older_than_a_trimmed_list_does_not_lower_its_watermark(stage: Stage) -> None:
    viewer, author = viewer_with_list(stage)
    ancient = past_ids(9 * DAY, 3, every_ms=DAY)
    newer = past_ids(0, CAP + SLACK + 5)
    stage.town.old_posts(author, newer)
    for post_id in newer:
        stage.storage.timelines.push([viewer], post_id, read_at=time.monotonic())
    entries = stage.entries(viewer)
    assert entries[0] > 0, "the sentinel has been trimmed"
    publish_late(stage, author, ancient)
    assert stage.entries(viewer) == entries
    stage.check_feed(viewer)


# Case 26
def test_late_posts_below_the_sentinel_are_read_from_the_graph(stage: Stage) -> None:
    viewer, author = stage.town.users(2)
    stage.town.add_followees(viewer, author)
    stage.town.old_posts(author, past_ids(5 * DAY, CAP + 3, every_ms=SECOND))
    stage.build(viewer)
    entries = stage.entries(viewer)
    assert entries[0] < 0, "complete above the oldest post that it has"
    publish_late(stage, author, past_ids(6 * DAY, 2))
    assert stage.entries(viewer) == entries
    stage.check_feed(viewer)


# Case 26
def test_late_posts_take_their_place_and_the_list_keeps_its_expiry(stage: Stage) -> None:
    viewer, author = viewer_with_list(stage)
    stage.do(stage.town.post(author)[1])
    late = past_ids(2 * DAY, 6, every_ms=SECOND)
    publish_late(stage, author, [late[3], late[0], late[5], late[1], late[1], late[4], late[2]])
    entries = stage.entries(viewer)
    assert entries == sorted(entries)
    assert stage.storage.cache.client.ttl(timeline_key(viewer)) > 86_400
    stage.check_feed(viewer)


# Case 26
def test_late_posts_beyond_the_cap_are_trimmed_without_a_gap(stage: Stage) -> None:
    viewer, author = viewer_with_list(stage)
    publish_late(stage, author, past_ids(2 * DAY, CAP + SLACK + 7, every_ms=SECOND))
    assert len(stage.entries(viewer)) <= CAP + SLACK
    assert stage.storage.cache.client.ttl(timeline_key(viewer)) > 86_400
    stage.check_feed(viewer)


# Case 26, for a list being built
def test_a_late_post_into_a_list_under_construction_ends_the_build(stage: Stage) -> None:
    viewer, author = stage.town.users(2)
    stage.town.add_followees(viewer, author)
    token = stage.storage.timelines.begin(viewer)
    assert token
    post_ids = stage.graph.posts.feed_page(viewer, before=2**53, limit=CAP).post_ids
    stage.do(stage.town.post(author)[1])  # into the list under construction
    publish_late(stage, author, past_ids(DAY, 1))  # after the read, and far older
    stage.storage.timelines.finish(viewer, token, post_ids, watermark=0)
    stage.check_feed(viewer)
    stage.check_feed(viewer, rebuilds=True)
    stage.check_feed(viewer)


# Case 27
def test_a_window_of_posts_pushed_out_of_order_does_not_hide_the_newest(stage: Stage) -> None:
    viewer, author = viewer_with_list(stage)
    older = past_ids(40 * 60 * SECOND, CAP, every_ms=SECOND)
    publish_late(stage, author, older)
    window = past_ids(500, 12, every_ms=2 * SECOND)
    stage.town.old_posts(author, window)
    for post_id in [window[-1], window[-2], *window[:-2]]:  # the newest first, the others late
        stage.storage.timelines.push([viewer], post_id, read_at=time.monotonic())
    stage.check_feed(viewer)


# Case 27
def test_a_push_that_arrives_late_shows_at_its_place(stage: Stage) -> None:
    viewer, author = viewer_with_list(stage)
    stage.town.old_posts(author, past_ids(10 * 60 * SECOND, CAP + SLACK + 1, every_ms=SECOND))
    stage.evict_list(viewer)
    stage.build(viewer)
    proxied = stage.behind_proxies()
    [slow] = past_ids(28 * SECOND, 1)
    stage.town.old_posts(author, [slow])
    event = stage.town.event("post-published", slow, author)
    hold = proxied.to.cache.hold(b"RPUSHX\r\n$22\r\n" + timeline_key(viewer))
    job = stage.begin(run, proxied.graph, proxied.storage, event.id, event.epoch)
    hold.wait()
    between = past_ids(100, 2 * LIMIT + 4, every_ms=2 * SECOND)
    publish_late(stage, author, between)
    hold.release()  # the bytes arrive behind posts up to 28 s newer
    job.result(10)
    assert slow in stage.entries(viewer)
    stage.check_feed(viewer)


# Case 27
@pytest.mark.parametrize("times", [2, LIMIT + 4, 3 * LIMIT])
def test_a_post_pushed_again_and_again_is_shown_once(stage: Stage, times: int) -> None:
    viewer, author = viewer_with_list(stage)
    for _ in range(LIMIT + 2):
        post, event = stage.town.post(author)
        stage.do(event)
    for _ in range(times):
        stage.storage.timelines.push([viewer], post, read_at=time.monotonic())
    assert stage.entries(viewer).count(post) == times + 1
    stage.check_feed(viewer)


# Case 27
def test_duplicates_that_trimmed_the_sentinel_do_not_end_the_feed(stage: Stage) -> None:
    viewer, author = viewer_with_list(stage)
    stage.town.old_posts(author, past_ids(DAY, 9, every_ms=SECOND))
    stage.evict_list(viewer)
    stage.build(viewer)
    post, event = stage.town.post(author)
    stage.do(event)
    for _ in range(CAP + SLACK):
        stage.storage.timelines.push([viewer], post, read_at=time.monotonic())
    assert set(stage.entries(viewer)) == {post}
    stage.check_feed(viewer)
