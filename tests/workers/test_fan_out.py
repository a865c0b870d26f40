"""Fan-out: who receives a post, how its audience is read, and what ends a job early."""

import json
import threading
from dataclasses import replace
from typing import Any

import pytest
from prometheus_client import REGISTRY

from api.services.posts import push_to_author
from graph.errors import GraphUnavailableError
from graph.events import Event
from graph.ids import new_id
from storage.pushing import MAX_AGE_SECONDS
from storage.timeline_layout import timeline_key
from storage.timelines import Timelines
from tests.support.outbox import claim
from tests.support.stage import CAP, SLACK, Stage
from workers import fan_out


def test_a_post_reaches_the_author_and_every_follower_and_its_body_the_cache(
    stage: Stage,
) -> None:
    author, followers = stage.audience(3)
    stranger = stage.town.user()
    stage.build(stranger)
    post, event = stage.town.post(author)
    assert stage.do(event) == "done"
    assert stage.town.find_event(event.id) is None
    for user in (author, *followers):
        assert stage.entries(user)[-1] == post
        stage.check_feed(user)
    assert post not in stage.entries(stranger)
    body = stage.storage.bodies.read_many([post])[post]
    assert body
    assert json.loads(body)["id"] == str(post)


def test_the_author_has_the_post_before_its_event_is_done(stage: Stage) -> None:
    author, _ = stage.audience(0)
    post, event = stage.town.post(author)
    push_to_author(stage.storage, author, post)
    stage.check_feed(author)
    stage.do(event)
    stage.check_feed(author)


def test_publishing_succeeds_when_the_authors_timeline_cannot_be_reached(stage: Stage) -> None:
    proxied = stage.behind_proxies()
    with proxied.to.cache.outage():
        push_to_author(proxied.storage, stage.town.user(), new_id())


def test_followers_without_a_list_get_none(stage: Stage) -> None:
    author, follower = stage.town.users(2)
    stage.town.add_followers(author, [follower])
    stage.do(stage.town.post(author)[1])
    assert stage.entries(follower) == []
    stage.check_feed(follower)


def test_the_followers_are_read_in_pages_and_none_is_left_out(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fan_out, "PAGE", 3)
    author, followers = stage.audience(7)
    post, event = stage.town.post(author)
    stage.do(event)
    assert [stage.entries(follower).count(post) for follower in followers] == [1] * 7


def test_a_push_cut_in_mid_buffer_continues_over_a_new_connection(stage: Stage) -> None:
    author, followers = stage.audience(4)
    proxied = stage.behind_proxies()
    post, event = stage.town.post(author)
    hold = proxied.to.cache.hold(timeline_key(followers[2]))
    job = stage.begin(fan_out.fan_out, proxied.graph, proxied.storage, claim_first(stage, event.id))
    hold.wait()
    proxied.to.cache.cut()
    job.result(10)
    hold.release()
    for follower in followers:
        assert post in stage.entries(follower)
        stage.check_feed(follower)


def claim_first(stage: Stage, event_id: int) -> Event:
    event = claim(stage.graph, event_id, 0)
    assert event
    return event


def test_a_list_beyond_its_cap_is_trimmed_and_the_feed_continues_in_the_graph(
    stage: Stage,
) -> None:
    author, [follower] = stage.audience(1)
    stage.town.old_posts(author, sorted(new_id() for _ in range(CAP + SLACK)))
    stage.evict_list(follower)
    stage.build(follower)
    for _ in range(SLACK + 1):
        stage.do(stage.town.post(author)[1])
    assert len(stage.entries(follower)) <= CAP + SLACK
    stage.check_feed(follower)


@pytest.mark.parametrize(
    ("kind", "size"), [("post-published", "small"), ("post-published-widely", "large")]
)
def test_lag_and_pushes_are_counted_by_the_size_of_the_audience(
    stage: Stage, kind: str, size: str
) -> None:
    def counts() -> list[float]:
        return [
            REGISTRY.get_sample_value(f"photofeed_{name}", {"audience": size}) or 0
            for name in (
                "publish_to_visible_seconds_count",
                "timeline_pushes_total",
                "timeline_push_seconds_total",
            )
        ]

    author, followers = stage.audience(2)
    post, _event = stage.town.post(author)
    before = counts()
    stage.do(stage.town.event(kind, post, author))
    lags, pushes, seconds = (now - then for now, then in zip(counts(), before, strict=True))
    assert (lags, pushes) == (1, 1 + len(followers))
    assert 0 < seconds < 60


def test_the_size_of_an_audience_follows_from_the_first_page_cursor_and_kind() -> None:
    fresh = Event(
        id=1,
        kind="post-published",
        shard=1,
        subject_id=2,
        author_id=3,
        epoch=1,
        cursor=-2,
        attempts=1,
    )
    assert fan_out.audience_of(fresh, 999) == "small"
    assert fan_out.audience_of(fresh, 1_000) == "medium"
    assert fan_out.audience_of(replace(fresh, cursor=77), 5) == "medium"
    assert fan_out.audience_of(replace(fresh, kind="post-published-widely"), 5) == "large"


@pytest.mark.parametrize("count", [0, 2, 3, 4, 6, 7])
def test_a_fan_out_makes_only_the_calls_to_the_graph_that_its_audience_needs(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    """Pages of three: up to two followers need one read and no thread, more need a further read."""
    monkeypatch.setattr(fan_out, "PAGE", 3)
    author, followers = stage.audience(count)
    post, event = stage.town.post(author)
    calls: list[str] = []
    events, follows = type(stage.graph.events), type(stage.graph.follows)
    advance, read = events.advance, follows.followers_page

    def counted_advance(*given: Any) -> bool:
        calls.append("advance")
        return advance(*given)

    def counted_read(*given: Any, **named: Any) -> list[int]:
        in_thread = threading.current_thread() is not threading.main_thread()
        calls.append("read ahead" if in_thread else "read")
        return read(*given, **named)

    monkeypatch.setattr(events, "advance", counted_advance)
    monkeypatch.setattr(follows, "followers_page", counted_read)
    assert stage.do(event) == "done"
    assert calls.count("read") == 1
    assert calls.count("read ahead") == count // 3
    assert calls.count("advance") == max(0, count // 3 - 1)
    assert not [t for t in threading.enumerate() if t.name.startswith("followers")]
    for user in (author, *followers):
        assert stage.entries(user).count(post) == 1


def test_an_outage_of_the_graph_during_a_push_postpones_the_rest(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fan_out, "PAGE", 1)
    author, followers = stage.audience(3)
    post, event = stage.town.post(author)
    follows = type(stage.graph.follows)
    read = follows.followers_page

    def fail_in_thread(*given: Any, **named: Any) -> list[int]:
        if threading.current_thread() is threading.main_thread():
            return read(*given, **named)
        raise GraphUnavailableError("away")

    with monkeypatch.context() as patch:
        patch.setattr(follows, "followers_page", fail_in_thread)
        assert stage.do(event) == "outage"
    assert not [t for t in threading.enumerate() if t.name.startswith("followers")]
    pending = stage.town.find_event(event.id)
    assert pending
    assert pending.attempts == 0
    stage.town.end_lease(event.id)
    assert stage.do(pending) == "done"
    for follower in followers:
        assert post in stage.entries(follower)
        stage.check_feed(follower)


def test_a_page_that_was_read_ahead_and_grew_old_is_read_again(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second page is older than MAX_AGE_SECONDS when it is pushed."""
    monkeypatch.setattr(fan_out, "PAGE", 1)
    author, followers = stage.audience(3)
    post, event = stage.town.post(author)
    push, ages = type(stage.storage.timelines).push, iter([0.0, MAX_AGE_SECONDS + 1, 0.0, 0.0, 0.0])

    def push_aged(timelines: Timelines, users: list[int], post_id: int, *, read_at: float) -> int:
        return push(timelines, users, post_id, read_at=read_at - next(ages))

    monkeypatch.setattr(type(stage.storage.timelines), "push", push_aged)
    assert stage.do(event) == "done"
    assert [stage.entries(follower).count(post) for follower in followers] == [1] * 3
