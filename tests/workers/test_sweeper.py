"""The sweeper: which events it wakes workers for, and which expired items it clears."""

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import urlsplit

import pytest
from rq import Queue
from rq.serializers import JSONSerializer
from structlog.testing import capture_logs

from api.services.blocks import block
from api.services.follows import unfollow
from drill.support.proxy import Hold, Proxy
from graph.events import Event
from graph.ids import new_id
from graph.photos import Photo
from storage import Storage, queues
from storage.errors import StorageUnavailableError
from storage.photos import Photos
from storage.s3 import SweptPage
from tests.support.eventually import eventually
from tests.support.stage import Stage, empty_queues
from tests.support.uploads import object_names, put_upload
from workers import clearing, sweeper
from workers.outbox import drain
from workers.sweeper import Sweeper


def queued_shards(stage: Stage, queue: str) -> list[int]:
    """The shards of the jobs that wait in a queue."""
    jobs = Queue(queue, connection=stage.storage.queue.client, serializer=JSONSerializer).jobs
    return [job.args[1] for job in jobs]


def begin_alone(stage: Stage) -> None:
    """Empty the stage's queues, and make the events of other tests due later."""
    stage.town.put_off_all()
    empty_queues(stage.storage)


def late_event(stage: Stage, kind: str = "post-published", *, shard: int | None = None) -> Event:
    """An event that has been due for two seconds, for which nobody has rung."""
    event = stage.town.event(kind, new_id(), stage.town.user())
    shard = event.shard if shard is None else shard
    stage.town.query(
        "MATCH (e:Event {id: $id}) SET e.due_at = timestamp() - 2000, e.shard = $shard",
        id=event.id,
        shard=shard,
    )
    return replace(event, shard=shard)


# Cases 11 and 14
def test_a_shard_with_due_events_gets_one_job(stage: Stage) -> None:
    begin_alone(stage)
    event = late_event(stage)
    late_event(stage, shard=event.shard)
    assert Sweeper(stage.graph, stage.storage).sweep() == 1
    assert Sweeper(stage.graph, stage.storage).sweep() == 0, "its bell stands"
    assert queued_shards(stage, "fanout") == [event.shard]
    stage.storage.queues.silence("fanout", event.shard)  # the job begins, and its worker dies
    assert Sweeper(stage.graph, stage.storage).sweep() == 1


def test_a_shard_whose_events_are_not_due_gets_no_job(stage: Stage) -> None:
    begin_alone(stage)
    viewer, author = stage.town.users(2)
    stage.town.add_followees(viewer, author)
    event = stage.town.unfollow(viewer, author)
    assert event
    assert Sweeper(stage.graph, stage.storage).sweep() == 0
    stage.town.query("MATCH (e:Event {id: $id}) SET e.due_at = timestamp() - 2000", id=event.id)
    assert Sweeper(stage.graph, stage.storage).sweep() == 1
    assert queued_shards(stage, "timelines") == [event.shard]


def test_the_events_of_an_unfollow_and_a_block_are_rung_for_when_they_are_due(
    stage: Stage,
) -> None:
    begin_alone(stage)
    viewer, author, blocked = stage.town.users(3)
    stage.town.add_followees(viewer, author, blocked)
    unfollow(stage.graph, stage.storage, follower_id=viewer, followee_id=author)
    block(stage.graph, stage.storage, blocker_id=viewer, blocked_id=blocked)
    events = stage.town.events_of(viewer)
    assert len(events) == 2
    assert queued_shards(stage, "timelines") == []
    for event in events:
        stage.town.query("MATCH (e:Event {id: $id}) SET e.due_at = timestamp() - 2000", id=event.id)
    Sweeper(stage.graph, stage.storage).sweep()
    assert set(queued_shards(stage, "timelines")) == {event.shard for event in events}


def test_a_job_says_how_many_events_of_its_shard_are_due(stage: Stage) -> None:
    begin_alone(stage)
    for _ in range(3):
        late_event(stage, shard=5)
    Sweeper(stage.graph, stage.storage).sweep()
    queue = Queue("fanout", connection=stage.storage.queue.client, serializer=JSONSerializer)
    [job] = queue.jobs
    assert job.description == "fanout, shard 5: 3 or more events are due"


# Case 52
def test_a_full_queue_gets_no_job_and_does_not_delay_the_others(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin_alone(stage)
    monkeypatch.setattr(queues, "QUEUE_LIMIT", 3)
    monkeypatch.setattr(queues, "LENGTH_SECONDS", 0.0)
    for shard in range(8):
        late_event(stage, shard=shard)
    follow = late_event(stage, "followed")
    with pytest.raises(StorageUnavailableError, match="full"):
        Sweeper(stage.graph, stage.storage).sweep()
    assert len(queued_shards(stage, "fanout")) == 3
    assert queued_shards(stage, "timelines") == [follow.shard]


# Case 52
def test_any_job_of_a_shard_does_the_events_for_which_nobody_rang(stage: Stage) -> None:
    begin_alone(stage)
    author = stage.town.user()
    _post, event = stage.town.post(author)
    forgotten = late_event(stage, "followed", shard=event.shard)
    outcomes = drain(stage.graph, stage.storage, "timelines", event.shard)
    assert outcomes == {forgotten.id: "done"}


def test_events_of_the_version_before_are_adopted_and_rung_for(stage: Stage) -> None:
    begin_alone(stage)
    event = late_event(stage)
    stage.town.query(
        "MATCH (e:Event {id: $id}) SET e.rung_at = 0 REMOVE e.queue, e.tried", id=event.id
    )
    stop = threading.Event()
    running = stage.begin(Sweeper(stage.graph, stage.storage).run, stop)
    eventually(lambda: queued_shards(stage, "fanout") == [event.shard])
    stop.set()
    running.result(15)
    assert stage.drain(event) == {event.id: "done"}


def test_an_outage_is_logged_once_and_then_the_sweeper_continues(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeper, "SWEEP_SECONDS", 0.02)
    begin_alone(stage)
    proxied = stage.behind_proxies()
    event = late_event(stage)
    stop = threading.Event()
    with capture_logs() as lines:
        proxied.to.queue.down()
        running = stage.begin(Sweeper(proxied.graph, proxied.storage).run, stop)
        eventually(lambda: any(line.get("step") == "sweep" for line in lines))
        proxied.to.queue.up()
        eventually(lambda: event.shard in queued_shards(stage, "fanout"))
        stop.set()
        running.result(10)
    events = [line["event"] for line in lines if line.get("step") == "sweep"]
    assert events == ["sweeper waits for a store", "sweeper goes on"]


def test_an_upload_never_completed_expires_after_a_day_with_its_objects(stage: Stage) -> None:
    owner = stage.town.user()
    photos = [overdue_photo(stage, owner), stage.town.waiting_photo(owner, size_bytes=6)]
    for photo in photos:
        put_upload(stage.storage, photo.path, b"a part")
    Sweeper(stage.graph, stage.storage).clear()
    states = [stage.graph.photos.by_id(photo.id, owner_id=owner).state for photo in photos]
    assert states == ["expired", "waiting"]
    objects = [object_names(stage.storage.photos, photo.path) for photo in photos]
    assert objects == [set(), {"incoming/*"}]


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
    begin_alone(stage)
    storage, hold = held_s3
    owner = stage.town.user()
    overdue_photo(stage, owner)
    stop = threading.Event()
    running = stage.begin(Sweeper(stage.graph, storage).run, stop)
    hold.wait()
    event = late_event(stage)
    eventually(lambda: event.shard in queued_shards(stage, "fanout"), seconds=5)
    hold.release()
    stop.set()
    running.result(15)


def overdue_photo(stage: Stage, owner_id: int) -> Photo:
    """A photo that has been waiting for its upload for longer than it may."""
    photo = stage.town.waiting_photo(owner_id, size_bytes=6)
    stage.town.end_photo_times(photo.id)
    return photo


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


def create_expired_keys(stage: Stage, count: int) -> int:
    """Idempotency keys of one new user that have expired; the user's id."""
    owner = stage.town.user()
    stage.town.query(
        "UNWIND range(1, $count) AS key CREATE (:IdempotencyKey"
        " {user_id: $owner, key: 'k' + key, fingerprint: 'f', result_id: 1, expires_at: key})",
        owner=owner,
        count=count,
    )
    return owner


def count_keys(stage: Stage, owner: int) -> int:
    [row] = stage.town.query(
        "MATCH (k:IdempotencyKey) WHERE k.user_id = $owner RETURN count(k) AS count", owner=owner
    )
    return int(row["count"])


# Case 49
def test_a_round_clears_page_after_page_until_one_is_short(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clearing, "PAGE", 10)
    owner = create_expired_keys(stage, 95)
    assert not Sweeper(stage.graph, stage.storage).clear()
    assert count_keys(stage, owner) == 0


# Case 48
def test_a_step_that_takes_its_whole_time_goes_on_in_the_next_round(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clearing, "PAGE", 10)
    monkeypatch.setattr(sweeper, "STEP_SECONDS", 0.0)
    owner = create_expired_keys(stage, 25)
    left: list[int] = []
    while not left or left[-1]:
        assert Sweeper(stage.graph, stage.storage).clear(), "there may be more"
        left.append(count_keys(stage, owner))
    assert left == [15, 5, 0]


# Case 48
def test_a_slow_step_keeps_no_other_from_its_own(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def sweep_slowly(_before: object, *, after_key: str, limit: int = 1) -> SweptPage:
        time.sleep(0.05)
        return SweptPage(removed=limit, last_key=f"{after_key}x")

    monkeypatch.setattr(sweeper, "STEP_SECONDS", 0.2)
    monkeypatch.setattr(type(stage.storage.photos), "sweep_incoming", staticmethod(sweep_slowly))
    owner = create_expired_keys(stage, 5)
    assert Sweeper(stage.graph, stage.storage).clear(), "the slow step is not done"
    assert count_keys(stage, owner) == 0


# Case 49
def test_sweepers_side_by_side_share_the_steps(stage: Stage) -> None:
    owner = create_expired_keys(stage, 3)
    assert stage.storage.queues.begin_step("keys"), "another sweeper is at it"
    Sweeper(stage.graph, stage.storage).clear()
    assert count_keys(stage, owner) == 3
    stage.storage.queues.end_step("keys")
    proxied = stage.behind_proxies()
    with proxied.to.queue.outage():  # nobody knows what others do
        Sweeper(proxied.graph, proxied.storage).clear()
    assert count_keys(stage, owner) == 0


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
    photo = overdue_photo(stage, owner)
    with capture_logs() as lines:
        Sweeper(stage.graph, stage.storage).clear()
    assert "sweeper's step failed" in [line["event"] for line in lines]
    assert stage.graph.photos.by_id(photo.id, owner_id=owner).state == "expired"
