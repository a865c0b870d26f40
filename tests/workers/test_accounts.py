"""The event of a deleted account: it hides, waits, and deletes in steps, whatever dies."""

import time

import pytest

from graph.accounts import UNDO_MS, Leaving
from graph.errors import NotFoundError, UsernameTakenError
from graph.events import Event
from graph.ids import MAX_ID
from tests.support.stage import Stage
from workers import accounts

PERSONAL = ("username", "name", "bio", "location", "password_hash")


def leave(stage: Stage, user_id: int) -> Event:
    """A deletion whose request died after its commit: its event."""
    event = leave_again(stage, user_id).event
    assert event
    assert (event.kind, event.queue) == ("account-left", "removal")
    return event


def leave_again(stage: Stage, user_id: int) -> Leaving:
    stored = stage.graph.accounts.password_hash(user_id)
    assert stored
    return stage.graph.accounts.leave(user_id, checked_hash=stored)


def properties(stage: Stage, user_id: int) -> dict[str, object]:
    [row] = stage.town.query(
        "MATCH (user:User {id: $id}) RETURN properties(user) AS all", id=user_id
    )
    found: dict[str, object] = row["all"]
    return found


def left_of(stage: Stage, user_id: int) -> int:
    """Everything in the graph that belongs to a user, beside the node and events."""
    [row] = stage.town.query(
        "MATCH (user:User {id: $id}) RETURN COUNT { (user)--() }"
        " + COUNT { (one:Post {author_id: $id}) } + COUNT { (one:Session {user_id: $id}) }"
        " + COUNT { (one:PushSubscription {user_id: $id}) }"
        " + COUNT { (one:Notification {user_id: $id}) }"
        " + COUNT { (one:IdempotencyKey {user_id: $id}) }"
        " + COUNT { (one:Photo {owner_id: $id}) WHERE one.state <> 'deleted' } AS left",
        id=user_id,
    )
    return int(row["left"])


def furnish(stage: Stage) -> tuple[int, int, list[int]]:
    """A user with everything that a user can have; a follower; the posts."""
    town = stage.town
    user, follower, other = town.users(3)
    town.follow(follower, user)
    town.follow(user, other)
    town.unfollow(other, follower)
    town.block(user, town.user())
    posts = [town.create_post(user).subject_id for _ in range(3)]
    town.waiting_photo(user)
    town.set_ready(town.waiting_photo(user).id)
    return user, follower, posts


def test_the_event_hides_what_its_request_did_not(stage: Stage) -> None:
    user, follower, posts = furnish(stage)
    stage.do_all(user, follower)
    assert set(stage.read(follower)) == set(posts)
    event = leave(stage, user)
    assert stage.do(event) == "put-off"
    assert stage.read(follower) == []
    waiting = stage.town.find_event(event.id)
    assert waiting
    assert waiting.attempts == 0


@pytest.mark.parametrize("count", [1, 3])
def test_a_post_that_is_fanned_out_while_its_author_is_hidden_is_there_after_an_undo(
    stage: Stage, count: int
) -> None:
    user, follower = stage.town.create_user().id, stage.town.user()
    stage.town.follow(follower, user)
    stage.build(follower)
    published = [stage.town.create_post(user) for _ in range(count)]
    stage.town.query(
        "UNWIND $ids AS id MATCH (event:Event {id: id}) SET event.shard = 5",
        ids=[event.id for event in published],
    )
    stage.do(leave(stage, user))
    moved = stage.town.find_event(published[0].id)
    assert moved
    outcomes = stage.drain(moved)
    assert [outcomes[event.id] for event in published] == ["done"] * count
    assert stage.read(follower) == []
    stored = stage.graph.accounts.password_hash(user)
    assert stored
    assert stage.do(stage.graph.accounts.restore(user, checked_hash=stored)) == "done"
    assert set(stage.read(follower)) == {event.subject_id for event in published}


def test_nothing_is_deleted_before_its_week_is_over(stage: Stage) -> None:
    user, _follower, _posts = furnish(stage)
    event = leave(stage, user)
    stage.do(event)
    before = left_of(stage, user)
    [row] = stage.town.query(
        "MATCH (event:Event {id: $id}) RETURN event.due_at - timestamp() AS due,"
        " event.owed_at - timestamp() AS owed",
        id=event.id,
    )
    week = UNDO_MS
    assert week - 60_000 < row["due"] <= week
    assert week - 60_000 < row["owed"] <= week
    stage.town.end_lease(event.id)
    stage.do(stage.town.find_event(event.id))
    assert left_of(stage, user) == before > 0


def test_when_the_week_is_over_only_a_receipt_is_left(stage: Stage) -> None:
    user, follower, _posts = furnish(stage)
    name = properties(stage, user)["username_ci"]
    event = leave(stage, user)
    stage.do(event)
    stage.end_week(user)
    stage.do_all(user)
    assert left_of(stage, user) == 0
    receipt = properties(stage, user)
    assert receipt["state"] == "deleted"
    assert receipt["username_ci"] == name
    assert not set(PERSONAL) & set(receipt)
    assert stage.entries(user) == []
    assert stage.read(follower) == []
    assert stage.graph.accounts.left_ms(event) is None


def test_a_deletion_goes_on_where_a_killed_worker_stopped(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    user, _follower, posts = furnish(stage)
    event = leave(stage, user)
    stage.do(event)
    stage.end_week(user)
    monkeypatch.setattr(accounts, "TURN_SECONDS", -1.0)  # each turn ends after one page
    monkeypatch.setattr(accounts, "POSTS_PAGE", 1)
    monkeypatch.setattr(accounts, "PAGE", 1)
    left = []
    for _ in range(40):
        found = stage.town.find_event(event.id)
        if found is None:
            break
        stage.town.end_lease(event.id)
        stage.do(found)
        left.append(left_of(stage, user))
    assert stage.town.find_event(event.id) is None
    assert len(left) > len(posts)
    assert left == sorted(left, reverse=True)
    assert properties(stage, user)["state"] == "deleted"
    stage.do_all(user)  # the events of the posts, which remove their photos
    assert left_of(stage, user) == 0


def test_the_event_of_a_restored_account_does_nothing(stage: Stage) -> None:
    user, follower, posts = furnish(stage)
    stage.do_all(user, follower)
    event = leave(stage, user)
    stage.do(event)
    stored = stage.graph.accounts.password_hash(user)
    assert stored
    restored = stage.graph.accounts.restore(user, checked_hash=stored)
    assert restored
    assert stage.do(restored) == "done"
    assert set(stage.read(follower)) == set(posts)
    stage.town.end_hold(user)
    stage.town.end_lease(event.id)
    found = stage.town.find_event(event.id)
    assert found
    assert stage.do(found) == "done"
    assert set(stage.read(follower)) == set(posts)


def test_an_account_that_leaves_again_has_a_week_again(stage: Stage) -> None:
    user, _follower, _posts = furnish(stage)
    first = leave(stage, user)
    stored = stage.graph.accounts.password_hash(user)
    assert stored
    stage.graph.accounts.restore(user, checked_hash=stored)
    second = leave(stage, user)
    assert stage.graph.accounts.left_ms(first) is None
    left_ms = stage.graph.accounts.left_ms(second)
    assert left_ms
    assert left_ms > UNDO_MS - 60_000
    assert leave_again(stage, user).event is None


def test_a_deletion_that_has_begun_cannot_be_undone(stage: Stage) -> None:
    user = stage.town.user()
    stored = stage.graph.accounts.password_hash(user)
    assert stored
    event = leave(stage, user)
    stage.end_week(user)
    assert stage.graph.accounts.begin_deletion(event)
    with pytest.raises(NotFoundError):
        stage.graph.accounts.restore(user, checked_hash=stored)


def test_a_name_is_free_a_month_after_the_deletion(stage: Stage) -> None:
    user = stage.town.create_user()
    event = leave(stage, user.id)
    stage.end_week(user.id)
    stage.do_all(user.id)
    with pytest.raises(UsernameTakenError):
        stage.town.create_user(username=user.username)
    stage.graph.accounts.free_names(1_000)
    with pytest.raises(UsernameTakenError):
        stage.town.create_user(username=user.username)
    stage.town.query(
        "MATCH (user:User {id: $id}) SET user.name_free_at = timestamp() - 1", id=user.id
    )
    assert stage.graph.accounts.free_names(1_000) >= 1
    assert stage.town.create_user(username=user.username).id != user.id
    assert properties(stage, user.id)["state"] == "deleted"
    assert event.id


def test_objects_of_all_photos_are_removed(stage: Stage) -> None:
    user, _follower, _posts = furnish(stage)
    photos, _ = stage.graph.photos.by_owner(user, state=None, before=MAX_ID, limit=100)
    for photo in photos:
        stage.storage.photos.put_rendition(photo.path, 320, b"jpeg")
    leave(stage, user)
    stage.end_week(user)
    stage.do_all(user)
    began = time.monotonic()
    for photo in photos:
        assert stage.storage.photos.read_original(photo.path, limit_bytes=10) is None
    assert time.monotonic() - began < 60
