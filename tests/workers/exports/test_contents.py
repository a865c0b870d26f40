"""What is in an export: all that is one's own, and nothing else."""

import json
from datetime import UTC, datetime

import pytest

from graph.ids import time_of
from tests.support.exports import (
    add_photo,
    ask,
    download,
    ids_of,
    links_of,
    noise,
    parts_of,
    post,
    take_turns,
)
from tests.support.stage import Stage


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
    assert ids_of(json.loads(files["followers.json"])) == [fan.id]
    assert ids_of(json.loads(files["blocks.json"])) == [foe.id]
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
    assert ids_of(json.loads(files["followers.json"])) == [left_alone]
    assert ids_of(json.loads(files["following.json"])) == [left_alone]
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


def test_a_missing_original_is_listed_and_the_export_goes_on(stage: Stage) -> None:
    user = stage.town.user()
    first, lost, last = (add_photo(stage.graph, stage.storage, user, noise(1000)) for _ in range(3))
    stage.storage.photos.remove(stage.graph.photos.by_id(lost, owner_id=user).path)
    export_id, event = ask(stage.graph, user)
    assert take_turns(stage.graph, stage.storage, event) == ["done"]
    export = stage.graph.exports.by_id(export_id, user_id=user)
    assert export.missing_count == 1
    [files] = download(links_of(stage.storage, export))
    assert ids_of(json.loads(files["missing.json"])) == [lost]
    assert ids_of(json.loads(files["photos.json"])) == [last, first]


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
    assert ids_of(json.loads(files["photos.json"])) == [kept]


def test_a_photo_whose_post_is_deleted_meanwhile_is_not_missing(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also before the post's event has deleted the photo, but not its file."""
    user = stage.town.user()
    gone, kept = (add_photo(stage.graph, stage.storage, user, noise(1000)) for _ in range(2))
    post_id = post(stage, user, [gone])
    path = stage.graph.photos.by_id(gone, owner_id=user).path
    export_id, event = ask(stage.graph, user)
    read = stage.storage.photos.read_original

    def delete_and_read(wanted: str, **named: object) -> bytes | None:
        if wanted == path:
            stage.graph.posts.delete(post_id, author_id=user)
            stage.storage.photos.remove(path)
        return read(wanted, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(stage.storage.photos, "read_original", delete_and_read)
    assert take_turns(stage.graph, stage.storage, event) == ["done"]
    export = stage.graph.exports.by_id(export_id, user_id=user)
    assert export.missing_count == 0
    [files] = download(links_of(stage.storage, export))
    assert "missing.json" not in files
    assert ids_of(json.loads(files["photos.json"])) == [kept]
