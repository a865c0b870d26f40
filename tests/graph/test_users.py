from typing import Any

import pytest

from graph import Graph, users
from graph.errors import IdTakenError, NotFoundError, UsernameTakenError
from graph.ids import new_id, time_of
from tests.support.concurrency import errors, run_together
from tests.support.town import Town


def test_a_new_user_has_the_given_fields(graph: Graph, town: Town) -> None:
    user = town.create_user("Ana")
    assert graph.users.by_id(user.id) == user
    assert (user.name, user.bio, user.state) == ("Ana", None, "active")
    assert abs((user.created_at - time_of(user.id)).total_seconds()) < 5


def test_a_user_name_is_unique_in_every_spelling(town: Town) -> None:
    existing = town.create_user()
    for username in (existing.username.upper(), "\uff55" + existing.username[1:]):
        with pytest.raises(UsernameTakenError):
            town.create_user(username=username)


def test_of_many_concurrent_users_with_one_name_one_is_created(town: Town) -> None:
    username = f"wanted{new_id()}"
    outcomes = run_together(*[lambda: town.create_user(username=username)] * 16)
    assert len(errors(outcomes)) == 15
    assert {type(error) for error in errors(outcomes)} == {UsernameTakenError}


def test_a_creation_repeated_after_its_answer_was_lost_succeeds(graph: Graph) -> None:
    fields: dict[str, Any] = {
        "username": f"lost{new_id()}",
        "name": "Ana",
        "password_hash": "salted",
    }
    user_id = new_id()
    first = graph.users.create(user_id=user_id, **fields)
    assert graph.users.create(user_id=user_id, **fields) == first
    with pytest.raises(IdTakenError):
        graph.users.create(user_id=user_id, **fields | {"username": f"other{new_id()}"})


def test_credentials_are_found_by_any_spelling_of_the_name(graph: Graph, town: Town) -> None:
    user = town.create_user()
    credentials = graph.users.credentials(user.username.upper())
    assert credentials
    assert (credentials.user_id, credentials.password_hash) == (user.id, "x")
    assert graph.users.password_hash(user.id) == "x"
    assert graph.users.credentials("nobody at all") is None


def test_a_hash_is_replaced_by_another_only_if_it_is_still_the_checked_one(
    graph: Graph, town: Town
) -> None:
    user = town.create_user()
    for _ in range(2):  # repeated after a lost answer
        graph.users.replace_hash(user.id, "y", checked_hash="x")
        assert graph.users.password_hash(user.id) == "y"
    graph.users.replace_hash(user.id, "z", checked_hash="x")
    assert graph.users.password_hash(user.id) == "y"
    graph.users.replace_hash(new_id(), "z", checked_hash="x")


def test_a_block_hides_two_users_from_each_other_only(graph: Graph, town: Town) -> None:
    ana, ben, third = town.users(3)
    town.block(ana, ben)
    for viewer, user in ((ana, ben), (ben, ana)):
        with pytest.raises(NotFoundError):
            graph.users.require_visible(user, viewer_id=viewer)
        with pytest.raises(NotFoundError):
            graph.users.profile(user, viewer_id=viewer)
        with pytest.raises(NotFoundError):
            graph.users.profile_by_username(graph.users.by_id(user).username, viewer_id=viewer)
    seen = graph.users.visible([ben, ana], viewer_id=third)
    assert [user.id for user in seen] == [ben, ana]
    graph.blocks.delete(blocker_id=ana, blocked_id=ben)
    graph.users.require_visible(ben, viewer_id=ana)


def test_a_user_who_does_not_exist_or_is_not_active_is_hidden(graph: Graph, town: Town) -> None:
    viewer, gone = town.user(), town.create_user()
    town.query("MATCH (user:User {id: $id}) SET user.state = 'gone'", id=gone.id)
    for user_id in (gone.id, new_id()):
        with pytest.raises(NotFoundError):
            graph.users.require_visible(user_id, viewer_id=viewer)
    assert graph.users.credentials(gone.username) is None


def test_a_profile_has_counts_and_the_relationships_with_the_viewer(
    graph: Graph, town: Town
) -> None:
    ana, (ben, third) = town.create_user(), town.users(2)
    town.follow(ben, ana.id)
    town.follow(third, ana.id)
    town.follow(ana.id, third)
    town.post(ana.id)
    profile = graph.users.profile_by_username(ana.username, viewer_id=third)
    assert profile.user == ana
    assert (profile.follower_count, profile.following_count, profile.post_count) == (2, 1, 1)
    assert (profile.following, profile.followed_by, profile.blocking) == (True, True, False)


def test_a_new_name_creates_the_event_that_refreshes_posts(graph: Graph, town: Town) -> None:
    user = town.user()
    changed, event = graph.users.update(user, changes={"name": "Anna", "bio": "by the sea"})
    assert (changed.name, changed.bio) == ("Anna", "by the sea")
    assert event
    assert (event.kind, event.subject_id, event.author_id) == ("profile-changed", user, user)


def test_other_changes_create_no_event_and_null_removes_a_field(graph: Graph, town: Town) -> None:
    user = town.create_user("Ana")
    graph.users.update(user.id, changes={"bio": "by the sea"})
    changed, event = graph.users.update(user.id, changes={"name": "Ana", "bio": None})
    assert event is None
    assert changed == user


def test_only_fields_of_the_profile_can_be_updated(graph: Graph, town: Town) -> None:
    user = town.user()
    with pytest.raises(ValueError, match="state"):
        graph.users.update(user, changes={"state": "admin"})
    with pytest.raises(NotFoundError):
        graph.users.update(new_id(), changes={"name": "x"})


def test_users_are_counted_in_pages_and_no_further_than_asked(
    graph: Graph, town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, *others = [town.user() for _ in range(6)]
    monkeypatch.setattr(users, "COUNT_PAGE", 2)
    assert graph.users.count_after(first - 1) == 6
    assert graph.users.count_after(others[0]) == 4
    assert graph.users.count_after(others[-1]) == 0
    assert graph.users.count_after(first - 1, most=3) == 3
    assert graph.users.count_after(first - 1, most=9) == 6
