"""The making of an export: what is in it, in parts, after kills, outages and fences."""

import json
import time
import tracemalloc
from datetime import UTC, datetime, timedelta

import pytest

from graph.events import Event
from graph.exports import LINK_LIFE_MS, PROGRESS_LIFE_MS
from graph.ids import time_of
from tests.support.exports import (
    add_photo,
    ask,
    download,
    links_of,
    listed,
    noise,
    object_count,
    parts_of,
    take_turns,
)
from tests.support.outbox import claim
from tests.support.stage import Stage
from workers.errors import FencedError, UnfinishedError
from workers.exports import building, part, photos, sections, turn
from workers.exports.clearing import OBJECT_RETENTION

MEGABYTE = 1_000_000


def ids(people: list[dict[str, str]]) -> list[int]:
    return [int(person["id"]) for person in people]


def post(stage: Stage, author: int, photo_ids: list[int], caption: str = "") -> int:
    return stage.town.create_post(author, photo_ids=photo_ids, caption=caption).subject_id


def claimed(stage: Stage, event: Event) -> Event:
    """The event, claimed by a worker that may be killed."""
    found = stage.town.find_event(event.id)
    assert found
    stage.town.end_lease(event.id)
    claim_of_it = claim(stage.graph, event.id, found.epoch)
    assert claim_of_it
    return claim_of_it


def test_an_export_has_all_that_is_ones_own(stage: Stage) -> None:
    town, graph, storage = stage.town, stage.graph, stage.storage
    user = town.create_user("Ana Lopes")
    friend, fan, foe = (town.create_user(f"person {n}") for n in range(3))
    town.follow(user.id, friend.id)
    town.follow(fan.id, user.id)
    town.block(user.id, foe.id)
    pictures = {
        add_photo(graph, storage, user.id, data, content_type): data
        for data, content_type in ((noise(5_000), "image/jpeg"), (noise(7_000), "image/heic"))
    }
    posted, unposted = pictures
    post_id = post(stage, user.id, [posted], caption="Dusk — 黄昏")
    town.waiting_photo(user.id)  # has no original

    [files] = parts_of(graph, storage, user.id)

    assert set(files) == {
        "README.txt", "profile.json", "following.json", "followers.json", "blocks.json",
        "posts.json", "photos.json",
        f"photos/{time_of(post_id):%Y-%m-%d}-{posted}.jpg",
        f"photos/{time_of(unposted):%Y-%m-%d}-{unposted}.heic",
    }  # fmt: skip
    for entry in json.loads(files["photos.json"]):
        assert files[entry["file"]] == pictures[int(entry["id"])]
    profile = json.loads(files["profile.json"])
    assert (profile["id"], profile["name"]) == (str(user.id), "Ana Lopes")
    assert json.loads(files["following.json"]) == [
        {"id": str(friend.id), "username": friend.username, "name": friend.name}
    ]
    assert ids(json.loads(files["followers.json"])) == [fan.id]
    assert ids(json.loads(files["blocks.json"])) == [foe.id]
    [post_record] = json.loads(files["posts.json"])
    assert post_record["caption"] == "Dusk — 黄昏"
    assert post_record["photo_ids"] == [str(posted)]
    for name in files:
        assert name.split("/")[0] in files["README.txt"].decode() or name == "README.txt"


def test_an_export_of_nothing_is_one_part(stage: Stage) -> None:
    [files] = parts_of(stage.graph, stage.storage, stage.town.user())
    for name in ("following", "followers", "blocks", "posts", "photos"):
        assert json.loads(files[f"{name}.json"]) == []


# Security 7
def test_who_is_hidden_from_the_user_is_in_no_list(stage: Stage) -> None:
    town = stage.town
    user, blocker, leaver, left_alone = (town.create_user().id for _ in range(4))
    for other in (blocker, leaver, left_alone):
        town.follow(other, user)
        town.follow(user, other)
    # Blocks of older versions, and races, leave follows that nobody may see.
    town.query(
        "MATCH (a:User {id: $a}), (b:User {id: $b})"
        " CREATE (a)-[:BLOCKS {blocker_id: $a, blocked_id: $b}]->(b)",
        a=blocker,
        b=user,
    )
    town.query("MATCH (user:User {id: $id}) SET user.state = 'leaving'", id=leaver)
    town.block(user, leaver_of_blocks := town.user())
    town.query("MATCH (user:User {id: $id}) SET user.state = 'deleted'", id=leaver_of_blocks)
    [files] = parts_of(stage.graph, stage.storage, user)
    assert ids(json.loads(files["followers.json"])) == [left_alone]
    assert ids(json.loads(files["following.json"])) == [left_alone]
    assert json.loads(files["blocks.json"]) == []
    assert not any(str(blocker).encode() in data for data in files.values())


# Security 13
def test_no_secret_is_in_an_export(stage: Stage) -> None:
    user = stage.town.user()
    secret = "5e" * 32
    stage.graph.sessions.create(
        session_id=77_000_000_001 + user % 1000,
        user_id=user,
        secret_sha256=secret,
        expires_at=datetime(2100, 1, 1, tzinfo=UTC),
        network="203.0.113.7",
        user_agent="a browser",
    )
    stored = "$argon2id$v=19$m=19456,t=2,p=1$a-stored-hash"
    stage.town.query("MATCH (u:User {id: $id}) SET u.password_hash = $hash", id=user, hash=stored)
    photo = add_photo(stage.graph, stage.storage, user, b"a photo")
    path = stage.graph.photos.by_id(photo, owner_id=user).path
    [files] = parts_of(stage.graph, stage.storage, user)
    [session] = json.loads(files["profile.json"])["sessions"]
    assert (session["network"], session["user_agent"]) == ("203.0.113.7", "a browser")
    assert "id" not in session
    for secret_text in (secret, stored, "password", "secret", path):
        assert not any(secret_text.encode() in data for data in files.values()), secret_text


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
    assert set(ids(listed(parts, "followers"))) == set(fans)
    assert set(ids(listed(parts, "posts"))) == posts
    entries = listed(parts, "photos")
    assert sorted(ids(entries)) == sorted(pictures)
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
    assert ids(listed(parts, "followers")) == sorted(fans, reverse=True)
    assert ids(listed(parts, "following")) == sorted(fans[:3], reverse=True)
    assert ids(listed(parts, "posts")) == sorted(posts, reverse=True)
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
    assert sorted(ids(listed(parts, "photos"))) == sorted(pictures)
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
    assert ids(listed(parts, "photos")) == [photo]


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


def test_a_missing_original_is_listed_and_the_export_goes_on(stage: Stage) -> None:
    user = stage.town.user()
    first, lost, last = (add_photo(stage.graph, stage.storage, user, noise(1000)) for _ in range(3))
    stage.storage.photos.remove(stage.graph.photos.by_id(lost, owner_id=user).path)
    export_id, event = ask(stage.graph, user)
    assert take_turns(stage.graph, stage.storage, event) == ["done"]
    export = stage.graph.exports.by_id(export_id, user_id=user)
    assert export.missing_count == 1
    [files] = download(links_of(stage.storage, export))
    assert ids(json.loads(files["missing.json"])) == [lost]
    assert ids(json.loads(files["photos.json"])) == [last, first]


def test_a_photo_that_is_deleted_meanwhile_is_not_missing(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = stage.town.user()
    gone, kept = (add_photo(stage.graph, stage.storage, user, noise(1000)) for _ in range(2))
    export_id, event = ask(stage.graph, user)
    read = stage.storage.photos.read_original

    def delete_and_read(path: str, **named: object) -> bytes | None:
        if stage.graph.photos.by_id(kept, owner_id=user).path == path:
            stage.graph.photos.delete(gone, owner_id=user)
            photo = stage.graph.photos.get(gone)
            assert photo
            stage.storage.photos.remove(photo.path)
        return read(path, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(stage.storage.photos, "read_original", delete_and_read)
    assert take_turns(stage.graph, stage.storage, event) == ["done"]
    export = stage.graph.exports.by_id(export_id, user_id=user)
    assert export.missing_count == 0
    [files] = download(links_of(stage.storage, export))
    assert ids(json.loads(files["photos.json"])) == [kept]


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


@pytest.fixture(autouse=True)
def any_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """No part is smaller because S3 was slow in another test."""
    monkeypatch.setattr(building, "_planned_bytes", float("inf"))
