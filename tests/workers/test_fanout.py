import json
import time

import pytest
from prometheus_client import REGISTRY

from graph.events import Event
from graph.ids import new_id
from tests.races.stage import CAP, SLACK, Stage
from workers import fanout
from workers.fanout import push_to_author


def audience(stage: Stage, size: int) -> tuple[int, list[int]]:
    author, *followers = stage.town.users(size + 1)
    stage.town.followers(author, followers)
    for user in (author, *followers):
        stage.build(user)
    return author, followers


def test_a_post_comes_to_the_author_and_every_follower_and_its_body_to_the_cache(
    stage: Stage,
) -> None:
    author, followers = audience(stage, 3)
    stranger = stage.town.user()
    stage.build(stranger)
    post, event = stage.town.post(author)
    assert stage.do(event) == "done"
    assert stage.town.find_event(event.id) is None
    for user in (author, *followers):
        assert stage.entries(user)[-1] == post
        stage.right(user)
    assert post not in stage.entries(stranger)
    body = stage.storage.bodies.many([post])[post]
    assert body
    assert json.loads(body)["id"] == str(post)


def test_the_author_has_the_post_before_its_event_is_done(stage: Stage) -> None:
    author, _ = audience(stage, 0)
    post, event = stage.town.post(author)
    push_to_author(stage.storage, author, post)
    stage.right(author)
    stage.do(event)
    stage.right(author)


def test_publishing_goes_on_when_the_authors_timeline_cannot_be_reached(stage: Stage) -> None:
    cut_off = stage.behind_proxies()
    with cut_off.to_cache.outage():
        push_to_author(cut_off.storage, stage.town.user(), new_id())


def test_followers_without_a_list_get_none(stage: Stage) -> None:
    author, follower = stage.town.users(2)
    stage.town.followers(author, [follower])
    stage.do(stage.town.post(author)[1])
    assert stage.entries(follower) == []
    stage.right(follower)


def test_the_followers_are_read_page_by_page_and_nobody_is_left_out(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fanout, "PAGE", 3)
    author, followers = audience(stage, 7)
    post, event = stage.town.post(author)
    stage.do(event)
    assert [stage.entries(follower).count(post) for follower in followers] == [1] * 7


def test_a_push_cut_in_mid_buffer_goes_on_over_a_new_connection(stage: Stage) -> None:
    author, followers = audience(stage, 4)
    cut_off = stage.behind_proxies()
    post, event = stage.town.post(author)
    hold = cut_off.to_cache.hold(b"tl:%014x" % followers[2])
    job = stage.begin(fanout.fan_out, cut_off.graph, cut_off.storage, _claimed(stage, event.id))
    hold.wait()
    cut_off.to_cache.cut()
    job.result(10)
    hold.release()
    for follower in followers:
        assert post in stage.entries(follower)
        stage.right(follower)


def _claimed(stage: Stage, event_id: int) -> Event:
    event = stage.graph.events.claim(event_id, 0)
    assert event
    return event


def test_a_list_longer_than_it_may_be_is_trimmed_and_the_feed_goes_on_in_the_graph(
    stage: Stage,
) -> None:
    author, [follower] = audience(stage, 1)
    stage.town.old_posts(author, sorted(new_id() for _ in range(CAP + SLACK)))
    stage.evict_list(follower)
    stage.build(follower)
    for _ in range(SLACK + 1):
        stage.do(stage.town.post(author)[1])
    assert len(stage.entries(follower)) <= CAP + SLACK
    stage.right(follower)


def test_the_lag_of_a_post_is_measured_when_its_last_follower_has_it(stage: Stage) -> None:
    def seen() -> float:
        return REGISTRY.get_sample_value("photofeed_publish_to_visible_seconds_count") or 0

    before = seen()
    began = time.time()
    stage.do(stage.town.post(stage.town.user())[1])
    assert seen() == before + 1
    assert time.time() - began < 60
