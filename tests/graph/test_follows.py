import random
from functools import partial

import pytest

from graph import Graph
from graph.errors import NotFoundError
from graph.events import Event
from graph.ids import new_id
from tests.support.maker import NEWEST, Maker, errors, run_together


def count_relationships(make: Maker, follower_id: int, followee_id: int) -> tuple[int, int]:
    """The number of FOLLOWS and of LEFT from the follower to the followee."""
    rows = make.cypher(
        "MATCH (a:User {id: $a}), (b:User {id: $b}) "
        "RETURN COUNT { (a)-[:FOLLOWS]->(b) } AS follows, COUNT { (a)-[:LEFT]->(b) } AS ended",
        a=follower_id,
        b=followee_id,
    )
    return rows[0]["follows"], rows[0]["ended"]


def test_a_follow_creates_one_event_and_a_repeat_creates_none(make: Maker) -> None:
    ana, ben = make.users(2)
    event = make.follow(ana.id, ben.id)
    assert event
    assert (event.kind, event.subject_id, event.author_id) == ("followed", ana.id, ben.id)
    assert make.follow(ana.id, ben.id) is None


def test_a_follow_repeated_after_its_answer_was_lost_returns_its_event(
    graph: Graph, make: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana, ben = make.users(2)
    event_id = new_id()
    monkeypatch.setattr("graph.connection.new_id", lambda: event_id)
    first, second = (graph.follows.create(follower_id=ana.id, followee_id=ben.id) for _ in range(2))
    assert first == second
    assert first


def test_sixteen_concurrent_follows_create_one_follow(make: Maker) -> None:
    for _ in range(5):
        ana, ben = make.users(2)
        outcomes = run_together(*[partial(make.follow, ana.id, ben.id)] * 16)
        assert not errors(outcomes)
        assert sum(isinstance(outcome, Event) for outcome in outcomes) == 1
        assert count_relationships(make, ana.id, ben.id) == (1, 0)


def test_a_user_who_does_not_exist_or_with_a_block_cannot_be_followed(make: Maker) -> None:
    ana, ben = make.users(2)
    make.block(ana.id, ben.id)
    for follower_id, followee_id in ((ana.id, ben.id), (ben.id, ana.id), (ana.id, new_id())):
        with pytest.raises(NotFoundError):
            make.follow(follower_id, followee_id)


def test_an_event_gets_another_id_if_its_first_one_exists(
    graph: Graph, make: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana, ben, third = make.users(3)
    other = make.follow(ana.id, ben.id)
    assert other
    ids = iter([other.id, new_id()])
    monkeypatch.setattr("graph.connection.new_id", lambda: next(ids))
    event = graph.follows.create(follower_id=third.id, followee_id=ben.id)
    assert event
    assert event.id != other.id


def test_an_unfollow_replaces_the_follow_with_a_left_whose_event_is_due_later(
    graph: Graph, make: Maker
) -> None:
    ana, ben = make.users(2)
    make.follow(ana.id, ben.id)
    event = make.unfollow(ana.id, ben.id)
    assert event
    assert (event.kind, event.subject_id, event.author_id) == ("left", ana.id, ben.id)
    assert count_relationships(make, ana.id, ben.id) == (0, 1)
    assert graph.posts.feed_page(ana.id, before=NEWEST, limit=5).unfollow_pending
    assert not graph.posts.feed_page(ben.id, before=NEWEST, limit=5).unfollow_pending
    assert graph.events.claim(event.id, 0) is None
    assert make.unfollow(ben.id, ana.id) is None


def test_a_repeated_unfollow_renews_the_left_which_is_deleted_only_when_old_enough(
    graph: Graph, make: Maker
) -> None:
    ana, ben = make.users(2)
    make.follow(ana.id, ben.id)
    first = make.unfollow(ana.id, ben.id)
    age_left(make, ana.id)
    again = make.unfollow(ana.id, ben.id)
    assert first
    assert again
    assert again.id != first.id
    graph.follows.delete_left(pairs=[(ana.id, ben.id), (ben.id, ana.id)])
    assert count_relationships(make, ana.id, ben.id) == (0, 1)
    age_left(make, ana.id)
    graph.follows.delete_left(pairs=[(ana.id, ben.id), (ben.id, ana.id)])
    assert count_relationships(make, ana.id, ben.id) == (0, 0)
    assert make.unfollow(ana.id, ben.id) is None


def age_left(make: Maker, follower_id: int) -> None:
    """Make the LEFT relationships of a follower 31 s older."""
    make.cypher(
        "MATCH (:User {id: $id})-[ended:LEFT]->() SET ended.created_at = ended.created_at - 31000",
        id=follower_id,
    )


def test_a_new_follow_exists_beside_a_left(graph: Graph, make: Maker) -> None:
    ana, ben = make.users(2)
    make.follow(ana.id, ben.id)
    make.unfollow(ana.id, ben.id)
    assert make.follow(ana.id, ben.id)
    assert count_relationships(make, ana.id, ben.id) == (1, 1)
    age_left(make, ana.id)
    graph.follows.delete_left(pairs=[(ana.id, ben.id)])
    assert count_relationships(make, ana.id, ben.id) == (1, 0)


def test_sixteen_concurrent_unfollows_create_one_left(make: Maker) -> None:
    ana, ben = make.users(2)
    make.follow(ana.id, ben.id)
    outcomes = run_together(*[lambda: make.unfollow(ana.id, ben.id)] * 16)
    assert not errors(outcomes)
    assert count_relationships(make, ana.id, ben.id) == (0, 1)


def test_opposite_follows_on_many_threads_each_exist_once(make: Maker) -> None:
    ana, ben = make.users(2)
    calls = [lambda: make.follow(ana.id, ben.id), lambda: make.follow(ben.id, ana.id)] * 12
    outcomes = run_together(*calls)
    assert not errors(outcomes)
    assert (
        count_relationships(make, ana.id, ben.id)
        == count_relationships(make, ben.id, ana.id)
        == (1, 0)
    )
    assert sum(isinstance(outcome, Event) for outcome in outcomes) == 2


def test_all_concurrent_follows_among_six_users_are_created(make: Maker) -> None:
    people = make.users(6)
    pairs = [(a.id, b.id) for a in people for b in people if a.id != b.id]
    random.Random(1).shuffle(pairs)
    outcomes = run_together(*[partial(make.follow, *pair) for pair in pairs])
    assert not errors(outcomes)
    assert all(count_relationships(make, *pair) == (1, 0) for pair in pairs)


def test_followers_are_paged_ascending_for_the_fan_out(graph: Graph, make: Maker) -> None:
    author, *people = make.users(6)
    for person in random.Random(2).sample(people, 5):
        make.follow(person.id, author.id)
    ids = [person.id for person in people]
    assert graph.follows.followers_page(author.id, after=-1, limit=3) == ids[:3]
    assert graph.follows.followers_page(author.id, after=ids[2], limit=3) == ids[3:]
    assert graph.follows.followers_page(author.id, after=ids[4], limit=3) == []


def test_lists_of_users_descend_by_id_and_omit_hidden_users(graph: Graph, make: Maker) -> None:
    author, *people = make.users(6)
    viewer = people[0]
    for person in people:
        make.follow(person.id, author.id)
        make.follow(author.id, person.id)
    make.block(people[3].id, viewer.id)
    ids = [person.id for person in reversed(people)]
    for page in (graph.follows.followers, graph.follows.following):
        users, following = page(author.id, viewer_id=viewer.id, before=NEWEST, limit=3)
        assert [user.id for user in users] == [ids[0], ids[2]]
        assert following == ids[2]
        users, following = page(author.id, viewer_id=viewer.id, before=following, limit=3)
        assert [user.id for user in users] == ids[3:]
        assert following is None


def test_a_list_of_exactly_one_page_has_no_next_page(graph: Graph, make: Maker) -> None:
    author, fan = make.users(2)
    make.follow(fan.id, author.id)
    users, following = graph.follows.followers(
        author.id, viewer_id=author.id, before=NEWEST, limit=1
    )
    assert ([user.id for user in users], following) == ([fan.id], None)
    assert graph.follows.following(new_id(), viewer_id=fan.id, before=NEWEST, limit=1) == ([], None)


def test_follows_of_one_user_all_exist_while_the_profile_changes(graph: Graph, make: Maker) -> None:
    author, *people = make.users(97)

    def follow_all(part: int) -> None:
        for person in people[part::12]:
            make.follow(person.id, author.id)

    def rename() -> None:
        for number in range(20):
            graph.users.update(author.id, changes={"name": f"Ana {number}"})

    outcomes = run_together(*[partial(follow_all, part) for part in range(12)], rename)
    assert not errors(outcomes)
    profile = graph.users.profile(author.id, viewer_id=author.id)
    assert (profile.follower_count, profile.user.name) == (96, "Ana 19")
