"""The making of an export: in parts, after kills and fences, until it ends."""

import json
import time
import tracemalloc
from datetime import UTC, datetime, timedelta

import pytest

from graph.events import Event
from graph.exports import LINK_LIFE_MS, PROGRESS_LIFE_MS
from tests.support.exports import (
    add_photo,
    ask,
    download,
    ids_of,
    links_of,
    listed,
    noise,
    object_count,
    parts_of,
    post,
    take_turns,
)
from tests.support.outbox import claim
from tests.support.stage import Stage
from workers.errors import FencedError, UnfinishedError
from workers.exports import building, part, photos, sections, turn
from workers.exports.clearing import OBJECT_RETENTION

MEGABYTE = 1_000_000


def claimed(stage: Stage, event: Event) -> Event:
    """The event, claimed by a worker that may be killed."""
    found = stage.town.find_event(event.id)
    assert found
    stage.town.end_lease(event.id)
    claim_of_it = claim(stage.graph, event.id, found.epoch)
    assert claim_of_it
    return claim_of_it


def test_a_long_export_has_parts_that_can_be_opened_alone(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sections, "PAGE", 3)
    monkeypatch.setattr(sections, "POSTS_PAGE", 3)
    monkeypatch.setattr(photos, "PAGE", 2)
    storage = stage.open_storage(export_part_bytes=part.MARGIN_BYTES + 100_000)
    user = stage.town.user()
    fans = stage.town.users(8)
    stage.town.add_followers(user, fans)
    pictures = {
        add_photo(stage.graph, storage, user, data): data
        for data in (noise(40_000) for _ in range(7))
    }
    posts = {post(stage, user, [photo]) for photo in pictures}
    export_id, event = ask(stage.graph, user)
    outcomes = take_turns(stage.graph, storage, event)
    export = stage.graph.exports.by_id(export_id, user_id=user)
    parts = download(links_of(storage, export))
    assert outcomes == ["continued"] * (len(parts) - 1) + ["done"]
    assert len(parts) == 4  # two photos in each
    assert set(ids_of(listed(parts, "followers"))) == set(fans)
    assert set(ids_of(listed(parts, "posts"))) == posts
    entries = listed(parts, "photos")
    assert sorted(ids_of(entries)) == sorted(pictures)
    for files in parts:
        for entry in json.loads(files.get("photos.json", b"[]")):
            assert files[entry["file"]] == pictures[int(entry["id"])]
    in_files = [data for files in parts for name, data in files.items() if "photos/" in name]
    assert sorted(in_files) == sorted(pictures.values())
    for one in export.parts:
        assert one.size_bytes <= storage.exports.part_bytes


def test_lists_go_on_in_later_parts(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sections, "PAGE", 2)
    monkeypatch.setattr(sections, "POSTS_PAGE", 2)
    monkeypatch.setattr(turn, "FILL_SECONDS", -1.0)  # each part gets one page
    user = stage.town.user()
    fans = stage.town.users(5)
    stage.town.add_followers(user, fans)
    stage.town.add_followees(user, *fans[:3])
    posts = [post(stage, user, [stage.town.photo(user)]) for _ in range(4)]
    parts = parts_of(stage.graph, stage.storage, user)
    for name, data in (item for files in parts for item in files.items()):
        if name.startswith(("following", "followers", "posts")):
            assert len(json.loads(data)) <= 2, name
    assert ids_of(listed(parts, "followers")) == sorted(fans, reverse=True)
    assert ids_of(listed(parts, "following")) == sorted(fans[:3], reverse=True)
    assert ids_of(listed(parts, "posts")) == sorted(posts, reverse=True)
    assert len(listed(parts, "missing")) == 4  # town.photo() stores no original
    assert all(files for files in parts)


def test_a_part_has_a_bounded_number_of_files(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(part, "MOST_FILES", 9)
    user = stage.town.user()
    for _ in range(5):
        add_photo(stage.graph, stage.storage, user, noise(100))
    parts = parts_of(stage.graph, stage.storage, user)
    assert len(parts) == 2
    assert len(listed(parts, "photos")) == 5


def test_a_photo_larger_than_a_part_is_a_part_of_its_own(stage: Stage) -> None:
    storage = stage.open_storage(export_part_bytes=100_000)
    user = stage.town.user()
    for _ in range(2):
        add_photo(stage.graph, storage, user, noise(300_000))
    parts = parts_of(stage.graph, storage, user)
    assert len(parts) == 3
    assert len(listed(parts, "photos")) == 2


def test_a_killed_worker_s_successor_makes_the_same_part_again(stage: Stage) -> None:
    storage = stage.open_storage(export_part_bytes=part.MARGIN_BYTES + 100_000)
    user = stage.town.user()
    pictures = {
        add_photo(stage.graph, storage, user, data): data
        for data in (noise(60_000) for _ in range(4))
    }
    export_id, event = ask(stage.graph, user)
    with pytest.raises(UnfinishedError):
        building.build(stage.graph, storage, claimed(stage, event))
    second = claimed(stage, event)
    begun = stage.graph.exports.begin(export_id)
    assert begun
    with part.Part(limit_bytes=storage.exports.part_bytes) as half:
        work = sections.Work(
            graph=stage.graph,
            storage=storage,
            export=begun[0],
            part=half,
            turn=turn.Turn(stage.graph, second),
        )
        sections.write(work, begun[0].position)
        building._store(storage, second, begun[0], work)  # and the worker is killed
    export = stage.graph.exports.by_id(export_id, user_id=user)
    assert len(export.parts) == 1
    assert object_count(storage, export.path) == 2
    assert take_turns(stage.graph, storage, event)[-1] == "done"
    export = stage.graph.exports.by_id(export_id, user_id=user)
    parts = download(links_of(storage, export))
    assert sorted(ids_of(listed(parts, "photos"))) == sorted(pictures)
    assert object_count(storage, export.path) == len(parts) + 1  # cleared with the others
    storage.exports.remove(export.path)
    assert object_count(storage, export.path) == 0


def test_a_repeated_record_of_a_part_counts_once(stage: Stage) -> None:
    user = stage.town.user()
    export_id, event = ask(stage.graph, user)
    mine = claimed(stage, event)
    begun = stage.graph.exports.begin(export_id)
    assert begun
    for _ in range(2):
        assert stage.graph.exports.add_part(begun[0], mine, size_bytes=9, missing=1, rest=None)
    export = stage.graph.exports.by_id(export_id, user_id=user)
    assert ([one.size_bytes for one in export.parts], export.missing_count) == ([9], 1)


def test_a_fenced_worker_records_nothing_and_removes_its_part(stage: Stage) -> None:
    user = stage.town.user()
    export_id, event = ask(stage.graph, user)
    late = claimed(stage, event)
    claimed(stage, event)
    with pytest.raises(FencedError):
        building.build(stage.graph, stage.storage, late)
    export = stage.graph.exports.by_id(export_id, user_id=user)
    assert (export.state, export.parts) == ("running", ())
    assert object_count(stage.storage, export.path) == 0


def test_a_late_object_of_a_fenced_worker_changes_no_part(stage: Stage) -> None:
    user = stage.town.user()
    photo = add_photo(stage.graph, stage.storage, user, b"a photo")
    export_id, event = ask(stage.graph, user)
    late = claimed(stage, event)
    assert take_turns(stage.graph, stage.storage, event) == ["done"]
    with part.Part(limit_bytes=MEGABYTE) as other:
        other.add_json("profile.json", {}, datetime.now(UTC))
        file, _size = other.finish()
        path = stage.graph.exports.by_id(export_id, user_id=user).path
        stage.storage.exports.store_part(path, 1, late.epoch, file, file_name="late.zip")
    export = stage.graph.exports.by_id(export_id, user_id=user)
    parts = download(links_of(stage.storage, export))
    assert ids_of(listed(parts, "photos")) == [photo]


def test_a_lease_is_renewed_while_a_part_is_made_and_sent(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.leases.RENEW_SECONDS", 0.0)
    user = stage.town.user()
    add_photo(stage.graph, stage.storage, user, noise(300_000))
    _export_id, event = ask(stage.graph, user)
    mine = claimed(stage, event)
    renewals = []
    renew = stage.graph.events.renew

    def counted(event: Event) -> bool:
        renewals.append(time.monotonic())
        return renew(event)

    monkeypatch.setattr(stage.graph.events, "renew", counted)
    building.build(stage.graph, stage.storage, mine)
    assert len(renewals) > 10


def test_a_worker_that_is_fenced_while_it_sends_a_part_stops(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.leases.RENEW_SECONDS", 0.0)
    user = stage.town.user()
    _export_id, event = ask(stage.graph, user)
    mine = claimed(stage, event)
    finish = part.Part.finish

    def finish_and_lose(self: part.Part) -> object:
        claimed(stage, event)
        return finish(self)

    monkeypatch.setattr(part.Part, "finish", finish_and_lose)
    with pytest.raises(FencedError):
        building.build(stage.graph, stage.storage, mine)


def test_a_worker_that_is_fenced_after_the_checksum_of_a_part_stops(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.leases.RENEW_SECONDS", 0.0)
    user = stage.town.user()
    _export_id, event = ask(stage.graph, user)
    mine = claimed(stage, event)
    read = turn.Watched.read

    def read_and_lose(self: turn.Watched, size: int = -1) -> bytes:
        block = read(self, size)
        if not block:
            claimed(stage, event)
        return block

    monkeypatch.setattr(turn.Watched, "read", read_and_lose)
    with pytest.raises(FencedError):  # S3's client has made it an error of its own
        building.build(stage.graph, stage.storage, mine)


def test_an_export_of_a_user_who_leaves_ends(stage: Stage) -> None:
    user = stage.town.user()
    export_id, event = ask(stage.graph, user)
    stage.town.query("MATCH (user:User {id: $id}) SET user.state = 'leaving'", id=user)
    assert take_turns(stage.graph, stage.storage, event) == ["done"]
    export = stage.graph.exports.by_id(export_id, user_id=user)
    assert (export.state, export.failure_code) == ("failed", "account-not-active")


def test_an_export_of_a_user_who_is_suspended_after_a_part_ends(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turn, "FILL_SECONDS", -1.0)  # the profile is a part
    user = stage.town.user()
    export_id, event = ask(stage.graph, user)
    with pytest.raises(UnfinishedError):
        building.build(stage.graph, stage.storage, claimed(stage, event))
    stage.town.query("MATCH (user:User {id: $id}) SET user.state = 'suspended'", id=user)
    assert take_turns(stage.graph, stage.storage, event) == ["done"]
    stage.town.query("MATCH (user:User {id: $id}) SET user.state = 'active'", id=user)
    export = stage.graph.exports.by_id(export_id, user_id=user)
    assert (export.state, export.failure_code) == ("failed", "account-not-active")


def test_a_part_that_is_made_while_its_user_leaves_is_not_recorded(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = stage.town.user()
    post(stage, user, [add_photo(stage.graph, stage.storage, user, b"a photo")])
    export_id, event = ask(stage.graph, user)
    write_list = part.Part.json_list

    def leave_and_write(self: part.Part, name: str, at: datetime) -> object:
        stage.town.query("MATCH (user:User {id: $id}) SET user.state = 'leaving'", id=user)
        return write_list(self, name, at)

    monkeypatch.setattr(part.Part, "json_list", leave_and_write)
    assert take_turns(stage.graph, stage.storage, event) == ["fenced", "done"]
    stage.town.query("MATCH (user:User {id: $id}) SET user.state = 'active'", id=user)
    export = stage.graph.exports.by_id(export_id, user_id=user)
    assert (export.state, export.failure_code) == ("failed", "account-not-active")
    assert object_count(stage.storage, export.path) == 0


def test_an_export_that_takes_longer_than_its_objects_live_has_failed(stage: Stage) -> None:
    link_life = timedelta(milliseconds=LINK_LIFE_MS)
    longest_turn = timedelta(minutes=1)
    assert building.LONGEST_MAKING + longest_turn + link_life < OBJECT_RETENTION
    storage = stage.open_storage(export_part_bytes=100_000)
    user = stage.town.user()
    add_photo(stage.graph, storage, user, noise(300_000))
    export_id, event = ask(stage.graph, user)
    with pytest.raises(UnfinishedError):
        building.build(stage.graph, storage, claimed(stage, event))
    stage.town.query(
        "MATCH (e:Export {id: $id}) SET e.created_at = e.created_at - $ms",
        id=export_id,
        ms=building.LONGEST_MAKING // timedelta(milliseconds=1),
    )
    assert take_turns(stage.graph, storage, event) == ["done"]
    export = stage.graph.exports.by_id(export_id, user_id=user)
    assert (export.state, export.failure_code) == ("failed", "took-too-long")


def test_an_export_that_fails_again_and_again_has_failed(stage: Stage) -> None:
    user = stage.town.user()
    export_id, event = ask(stage.graph, user)
    stage.town.query(
        "MATCH (e:Event {id: $id}) SET e.attempts = $tries, e.tried = true",
        id=event.id,
        tries=building.MAX_TRIES,
    )
    assert take_turns(stage.graph, stage.storage, event) == ["done"]
    export = stage.graph.exports.by_id(export_id, user_id=user)
    assert (export.state, export.failure_code) == ("failed", "export-failed")


def test_an_export_that_has_ended_is_not_made(stage: Stage) -> None:
    user = stage.town.user()
    export_id, event = ask(stage.graph, user)
    stage.town.query(
        "MATCH (e:Export {id: $id}) SET e.state = 'failed', e.failure_code = 'no-progress'",
        id=export_id,
    )
    assert take_turns(stage.graph, stage.storage, event) == ["done"]
    export = stage.graph.exports.by_id(export_id, user_id=user)
    assert (export.state, export.parts) == ("failed", ())


def test_each_part_puts_off_the_end_and_is_owed_anew(stage: Stage) -> None:
    storage = stage.open_storage(export_part_bytes=100_000)
    user = stage.town.user()
    add_photo(stage.graph, storage, user, noise(300_000))
    export_id, event = ask(stage.graph, user)
    stage.town.query(
        "MATCH (e:Export {id: $id}), (event:Event {id: $event})"
        " SET e.state_until = timestamp() + 60000, event.owed_at = timestamp() - 3600000",
        id=export_id,
        event=event.id,
    )
    with pytest.raises(UnfinishedError):
        building.build(stage.graph, storage, claimed(stage, event))
    export = stage.graph.exports.by_id(export_id, user_id=user)
    assert export.left_seconds > PROGRESS_LIFE_MS / 1000 - 60
    status = stage.graph.events.by_id(event.id)
    assert status
    assert status.owed_seconds is not None
    assert status.owed_seconds < 600


def test_memory_and_disk_stay_bounded_whatever_the_size(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit = 24 * MEGABYTE
    storage = stage.open_storage(export_part_bytes=limit)
    user = stage.town.user()
    data = noise(6 * MEGABYTE)
    for _ in range(10):
        add_photo(stage.graph, storage, user, data)
    export_id, event = ask(stage.graph, user)
    sizes: list[int] = []
    finish = part.Part.finish

    def measured(self: part.Part) -> tuple[object, int]:
        file, size = finish(self)
        sizes.append(size)
        return file, size

    monkeypatch.setattr(part.Part, "finish", measured)
    storage.exports.remove("nothing")  # opens the client, which takes 12 MB once
    tracemalloc.start()
    try:
        assert take_turns(stage.graph, storage, event)[-1] == "done"
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    export = stage.graph.exports.by_id(export_id, user_id=user)
    assert export.size_bytes > 60 * MEGABYTE
    assert max(sizes) <= limit
    assert peak < 2 * len(data) + 4 * MEGABYTE, f"{peak:,} bytes"
