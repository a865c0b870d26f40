"""The sweeper: which events it wakes workers for, and which expired items it clears."""

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import pytest
from rq import Queue
from rq.serializers import JSONSerializer
from structlog.testing import capture_logs

from drill.support.proxy import Hold, Proxy
from graph.events import SHARDS
from graph.ids import new_id
from storage import Storage
from storage.errors import StorageUnavailableError
from storage.photos import Photos
from storage.queues import JOB_FUNCTION
from tests.support.eventually import eventually
from tests.support.stage import Stage, empty_queues
from workers import sweeper
from workers.sweeper import Sweeper

LONG_AGO = datetime.now(UTC) - timedelta(days=3)


def queued_jobs(stage: Stage, queue: str) -> list[list[int]]:
    """The arguments of the jobs that wait in a queue."""
    jobs = Queue(queue, connection=stage.storage.queue.client, serializer=JSONSerializer).jobs
    return [list(job.args) for job in jobs]


def silence(stage: Stage) -> None:
    """Empty the stage's queues, and mark the events of other tests as woken."""
    stage.town.mark_all_woken()
    empty_queues(stage.storage)


def test_a_due_event_gets_one_job_in_each_lease(stage: Stage) -> None:
    silence(stage)
    author = stage.town.user()
    event = stage.town.event("post-published", new_id(), author)
    Sweeper(stage.graph, stage.storage).sweep()
    assert queued_jobs(stage, "fanout").count([event.id, 0]) == 1
    Sweeper(stage.graph, stage.storage).sweep()
    assert queued_jobs(stage, "fanout").count([event.id, 0]) == 1
    stage.town.end_lease(event.id)
    Sweeper(stage.graph, stage.storage).sweep()
    assert queued_jobs(stage, "fanout").count([event.id, 0]) == 2
    assert stage.do(event) == "done"


def test_an_event_that_is_not_due_gets_no_job(stage: Stage) -> None:
    silence(stage)
    viewer, author = stage.town.users(2)
    stage.town.add_followees(viewer, author)
    event = stage.graph.follows.delete(follower_id=viewer, followee_id=author)
    assert event
    Sweeper(stage.graph, stage.storage).sweep()
    assert [event.id, 0] not in queued_jobs(stage, "timelines")
    stage.town.end_hold(viewer)
    Sweeper(stage.graph, stage.storage).sweep()
    assert [event.id, 0] in queued_jobs(stage, "timelines")


def test_a_job_lost_by_the_queue_is_enqueued_again(stage: Stage) -> None:
    author = stage.town.user()
    _post, event = stage.town.post(author)
    stage.storage.queues.wake(event)
    silence(stage)
    stage.town.end_lease(event.id)
    Sweeper(stage.graph, stage.storage).sweep()
    assert [event.id, 0] in queued_jobs(stage, "fanout")
    stage.do(event)


def test_a_full_queue_gets_no_job_and_does_not_delay_the_others(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    silence(stage)
    monkeypatch.setattr(sweeper, "LONGEST_QUEUE", 3)
    monkeypatch.setattr(sweeper, "PAGE", 2)
    viewer, author = stage.town.users(2)
    posts = [stage.town.event("post-published", new_id(), author) for _ in range(40)]
    follows = [stage.town.event("followed", viewer, author) for _ in range(2)]
    for _ in range(2):
        Sweeper(stage.graph, stage.storage).sweep()
    assert len(queued_jobs(stage, "fanout")) == 3
    assert len(queued_jobs(stage, "timelines")) <= 3
    for event in [*posts, *follows]:
        stage.do(event)


def test_an_event_without_room_in_its_queue_gets_a_job_when_there_is_room(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    silence(stage)
    monkeypatch.setattr(sweeper, "LONGEST_QUEUE", 3)
    monkeypatch.setattr(sweeper, "PAGE", 2)
    author = stage.town.user()
    posts = [stage.town.event("post-published", new_id(), author) for _ in range(9)]
    a_sweeper = Sweeper(stage.graph, stage.storage)
    calls = []
    for _ in range(3):  # all within one lease
        assert "fanout" in a_sweeper.sweep()
        calls += queued_jobs(stage, "fanout")
        empty_queues(stage.storage)
    assert sorted(calls) == sorted([post.id, 0] for post in posts)
    assert "fanout" not in a_sweeper.sweep()
    for event in posts:
        stage.do(event)


def test_a_job_that_redis_did_not_accept_is_enqueued_in_the_next_sweep(
    stage: Stage,
) -> None:
    silence(stage)
    proxied = stage.behind_proxies()
    author = stage.town.user()
    posts = [stage.town.event("post-published", new_id(), author) for _ in range(3)]
    a_sweeper = Sweeper(stage.graph, proxied.storage)
    hold = proxied.to.queue.hold(JOB_FUNCTION.encode())
    with pytest.raises(StorageUnavailableError):
        a_sweeper.sweep()
    hold.release()
    for _ in posts:  # one sweep for each shard that has not been read
        a_sweeper.sweep()
    assert {(event, epoch) for event, epoch in queued_jobs(stage, "fanout")} == {
        (post.id, 0) for post in posts
    }
    for event in posts:
        stage.do(event)


def test_the_event_that_has_been_due_longest_gets_the_first_job(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    silence(stage)
    monkeypatch.setattr(sweeper, "LONGEST_QUEUE", 3)
    author = stage.town.user()
    events = [stage.town.event("post-published", new_id(), author) for _ in range(6)]
    shard, due_at = events[0].id % SHARDS, 1_000_000
    for place, event in enumerate(reversed(events)):
        stage.town.query(
            "MATCH (e:Event) WHERE e.id = $id SET e.shard = $shard, e.due_at = $due_at",
            id=event.id,
            shard=shard,
            due_at=due_at + place,
        )
    Sweeper(stage.graph, stage.storage).sweep()
    assert queued_jobs(stage, "fanout") == [[event.id, 0] for event in reversed(events[3:])]
    for event in events:
        stage.do(event)


def test_a_full_queue_is_filled_again_before_the_next_full_sweep(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    silence(stage)
    monkeypatch.setattr(sweeper, "LONGEST_QUEUE", 2)
    monkeypatch.setattr(sweeper, "SWEEP_SECONDS", 60.0)
    monkeypatch.setattr(sweeper, "SHORTEST_PAUSE_SECONDS", 0.02)
    author = stage.town.user()
    posts = [stage.town.event("post-published", new_id(), author) for _ in range(6)]
    stop, calls = threading.Event(), set()

    def all_are_queued() -> bool:
        queued = {event_id for event_id, _epoch in queued_jobs(stage, "fanout")}
        if len(queued) == 2:  # empties the queue, as a worker does
            calls.update(queued)
            empty_queues(stage.storage)
        return calls == {post.id for post in posts}

    running = stage.begin(Sweeper(stage.graph, stage.storage).run, stop)
    eventually(all_are_queued, seconds=20)
    stop.set()
    running.result(10)
    for event in posts:
        stage.do(event)


def test_an_event_of_an_unknown_kind_does_not_delay_the_others(stage: Stage) -> None:
    silence(stage)
    author = stage.town.user()
    unknown = stage.town.event("of-the-next-version", 1, author)
    known = [stage.town.event("post-published", new_id(), author) for _ in range(2 * SHARDS)]
    Sweeper(stage.graph, stage.storage).sweep()
    calls = queued_jobs(stage, "fanout")
    assert all([event.id, 0] in calls for event in known)
    assert stage.town.find_event(unknown.id) == unknown


def test_an_outage_is_logged_once_and_then_the_sweeper_continues(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeper, "SWEEP_SECONDS", 0.0)
    monkeypatch.setattr(sweeper, "SHORTEST_PAUSE_SECONDS", 0.02)
    silence(stage)
    proxied = stage.behind_proxies()
    event = stage.town.event("post-published", new_id(), stage.town.user())
    stop = threading.Event()
    with capture_logs() as lines:
        proxied.to.queue.down()
        running = stage.begin(Sweeper(proxied.graph, proxied.storage).run, stop)
        eventually(lambda: proxied.to.queue.refused >= 3)
        proxied.to.queue.up()
        eventually(lambda: [event.id, 0] in queued_jobs(stage, "fanout"))
        stop.set()
        running.result(10)
    events = [line["event"] for line in lines if line.get("step") == "sweep"]
    assert events == ["sweeper waits for a store", "sweeper goes on"]
    stage.do(event)


def test_an_upload_never_completed_expires_after_a_day_with_its_objects(stage: Stage) -> None:
    owner = stage.town.user()
    photos = [photo_since(stage, owner, LONG_AGO), photo_since(stage, owner, datetime.now(UTC))]
    Sweeper(stage.graph, stage.storage).clear()
    states = [stage.graph.photos.by_id(photo, owner_id=owner).state for photo in photos]
    assert states == ["expired", "waiting"]


@pytest.fixture
def held_s3(stage: Stage) -> Iterator[tuple[Storage, Hold]]:
    """The stage's storage, with an S3 whose first deletion hangs until the hold is released."""
    settings = stage._storage_settings
    upstream = urlsplit(settings.s3_endpoint_url)
    with Proxy(upstream.hostname or "", upstream.port or 80) as proxy:
        photos = Photos(replace(settings, s3_endpoint_url=f"http://127.0.0.1:{proxy.port}"))
        hold = proxy.hold(b"?delete")
        yield replace(stage.storage, photos=photos), hold
        hold.release()
        photos.close()


def test_an_s3_that_hangs_delays_no_sweep(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, held_s3: tuple[Storage, Hold]
) -> None:
    monkeypatch.setattr(sweeper, "SWEEP_SECONDS", 0.1)
    monkeypatch.setattr(sweeper, "SHORTEST_PAUSE_SECONDS", 0.02)
    silence(stage)
    storage, hold = held_s3
    owner = stage.town.user()
    photo_since(stage, owner, LONG_AGO)
    stop = threading.Event()
    running = stage.begin(Sweeper(stage.graph, storage).run, stop)
    hold.wait()
    event = stage.town.event("post-published", new_id(), owner)
    eventually(lambda: [event.id, 0] in queued_jobs(stage, "fanout"), seconds=5)
    hold.release()
    stop.set()
    running.result(15)
    stage.do(event)


def test_objects_that_a_slow_s3_keeps_are_left_to_the_clearing_of_incoming_objects(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail_on_removal(path: str) -> None:
        raise AssertionError(path)

    monkeypatch.setattr(sweeper, "REMOVAL_SECONDS", 0.0)
    monkeypatch.setattr(stage.storage.photos, "remove", fail_on_removal)
    owner = stage.town.user()
    photo = photo_since(stage, owner, LONG_AGO)
    with capture_logs() as lines:
        Sweeper(stage.graph, stage.storage).clear()
    assert stage.graph.photos.by_id(photo, owner_id=owner).state == "expired"
    assert "sweeper's step failed" not in [line["event"] for line in lines]


def photo_since(stage: Stage, owner_id: int, time: datetime) -> int:
    """A photo that has been waiting for its upload since this time."""
    photo_id = new_id(int(time.timestamp() * 1000))
    expires_at = time + timedelta(days=1)
    return stage.town.waiting_photo(owner_id, photo_id=photo_id, expires_at=expires_at).id


def test_expired_keys_are_deleted_and_others_are_not(stage: Stage) -> None:
    owner = stage.town.user()
    stage.town.query(
        "UNWIND [['old', 0], ['new', timestamp() + 1000000]] AS pair CREATE (:IdempotencyKey"
        " {user_id: $owner, key: pair[0], fingerprint: 'f', result_id: 1, expires_at: pair[1]})",
        owner=owner,
    )
    Sweeper(stage.graph, stage.storage).clear()
    rows = stage.town.query(
        "MATCH (k:IdempotencyKey) WHERE k.user_id = $owner RETURN k.key AS key", owner=owner
    )
    assert [row["key"] for row in rows] == ["new"]


def test_notifications_of_more_than_ninety_days_are_deleted(stage: Stage) -> None:
    user, *people = stage.town.users(4)
    now_ms = time.time_ns() // 1_000_000
    kept = [
        notification_id
        for days, follower in zip((91, 89, 0), people, strict=True)
        for notification_id in stage.town.followed_at(now_ms - days * 86_400_000, user, follower)
    ][1:]
    Sweeper(stage.graph, stage.storage).clear()
    assert [one["id"] for one in stage.town.notifications_of(user)] == kept


def test_a_clearing_step_that_fails_does_not_stop_the_others(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_limit: int) -> int:
        raise RuntimeError("a mistake of ours")

    monkeypatch.setattr(stage.graph.idempotency_keys, "delete_expired", fail)
    owner = stage.town.user()
    photo = photo_since(stage, owner, LONG_AGO)
    with capture_logs() as lines:
        Sweeper(stage.graph, stage.storage).clear()
    assert "sweeper's step failed" in [line["event"] for line in lines]
    assert stage.graph.photos.by_id(photo, owner_id=owner).state == "expired"
