import random
from functools import partial

import pytest

from graph import Graph
from graph.errors import NotFoundError
from graph.events import Event
from graph.ids import new_id
from tests.support.maker import NEWEST, Maker, errors, together


def follows(make: Maker, follower_id: int, followee_id: int) -> tuple[int, int]:
    """How many FOLLOWS and LEFT there are from one to the other."""
    rows = make.cypher(
        "MATCH (a:User {id: $a}), (b:User {id: $b}) "
        "RETURN COUNT { (a)-[:FOLLOWS]->(b) } AS follows, COUNT { (a)-[:LEFT]->(b) } AS leaving",
        a=follower_id,
        b=followee_id,
    )
    return rows[0]["follows"], rows[0]["leaving"]


def test_a_follow_owes_one_event_and_the_same_again_nothing(make: Maker) -> None:
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


def test_sixteen_threads_that_follow_make_one_follow(make: Maker) -> None:
    for _ in range(5):
        ana, ben = make.users(2)
        outcomes = together(*[partial(make.follow, ana.id, ben.id)] * 16)
        assert not errors(outcomes)
        assert sum(isinstance(outcome, Event) for outcome in outcomes) == 1
        assert follows(make, ana.id, ben.id) == (1, 0)


def test_who_is_absent_or_blocked_either_way_cannot_be_followed(make: Maker) -> None:
    ana, ben = make.users(2)
    make.block(ana.id, ben.id)
    for follower_id, followee_id in ((ana.id, ben.id), (ben.id, ana.id), (ana.id, new_id())):
        with pytest.raises(NotFoundError):
            make.follow(follower_id, followee_id)


def test_an_event_takes_another_id_where_its_own_is_taken(
    graph: Graph, make: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana, ben, third = make.users(3)
    taken = make.follow(ana.id, ben.id)
    assert taken
    ids = iter([taken.id, new_id()])
    monkeypatch.setattr("graph.connection.new_id", lambda: next(ids))
    event = graph.follows.create(follower_id=third.id, followee_id=ben.id)
    assert event
    assert event.id != taken.id


def test_leaving_turns_a_follow_into_a_left_whose_event_is_due_later(
    graph: Graph, make: Maker
) -> None:
    ana, ben = make.users(2)
    make.follow(ana.id, ben.id)
    event = make.unfollow(ana.id, ben.id)
    assert event
    assert (event.kind, event.subject_id, event.author_id) == ("left", ana.id, ben.id)
    assert follows(make, ana.id, ben.id) == (0, 1)
    assert graph.posts.feed_page(ana.id, before=NEWEST, limit=5).held
    assert not graph.posts.feed_page(ben.id, before=NEWEST, limit=5).held
    assert graph.events.claim(event.id, 0) is None
    assert make.unfollow(ben.id, ana.id) is None


def test_a_left_is_put_off_by_a_repeat_and_ends_only_when_old_enough(
    graph: Graph, make: Maker
) -> None:
    ana, ben = make.users(2)
    make.follow(ana.id, ben.id)
    first = make.unfollow(ana.id, ben.id)
    age(make, ana.id)
    again = make.unfollow(ana.id, ben.id)
    assert first
    assert again
    assert again.id != first.id
    graph.follows.finish_leaving(pairs=[(ana.id, ben.id), (ben.id, ana.id)])
    assert follows(make, ana.id, ben.id) == (0, 1)
    age(make, ana.id)
    graph.follows.finish_leaving(pairs=[(ana.id, ben.id), (ben.id, ana.id)])
    assert follows(make, ana.id, ben.id) == (0, 0)
    assert make.unfollow(ana.id, ben.id) is None


def age(make: Maker, follower_id: int) -> None:
    """Let a follower's leavings be 31 seconds older."""
    make.cypher(
        "MATCH (:User {id: $id})-[leaving:LEFT]->() "
        "SET leaving.created_at = leaving.created_at - 31000",
        id=follower_id,
    )


def test_a_follow_during_a_leaving_stands_beside_it(graph: Graph, make: Maker) -> None:
    ana, ben = make.users(2)
    make.follow(ana.id, ben.id)
    make.unfollow(ana.id, ben.id)
    assert make.follow(ana.id, ben.id)
    assert follows(make, ana.id, ben.id) == (1, 1)
    age(make, ana.id)
    graph.follows.finish_leaving(pairs=[(ana.id, ben.id)])
    assert follows(make, ana.id, ben.id) == (1, 0)


def test_sixteen_threads_that_leave_make_one_left(make: Maker) -> None:
    ana, ben = make.users(2)
    make.follow(ana.id, ben.id)
    outcomes = together(*[lambda: make.unfollow(ana.id, ben.id)] * 16)
    assert not errors(outcomes)
    assert follows(make, ana.id, ben.id) == (0, 1)


def test_opposite_follows_on_many_threads_each_stand_once(make: Maker) -> None:
    ana, ben = make.users(2)
    calls = [lambda: make.follow(ana.id, ben.id), lambda: make.follow(ben.id, ana.id)] * 12
    outcomes = together(*calls)
    assert not errors(outcomes)
    assert follows(make, ana.id, ben.id) == follows(make, ben.id, ana.id) == (1, 0)
    assert sum(isinstance(outcome, Event) for outcome in outcomes) == 2


def test_a_ring_of_people_who_follow_one_another_at_once_gets_every_follow(make: Maker) -> None:
    people = make.users(6)
    pairs = [(a.id, b.id) for a in people for b in people if a.id != b.id]
    random.Random(1).shuffle(pairs)
    outcomes = together(*[partial(make.follow, *pair) for pair in pairs])
    assert not errors(outcomes)
    assert all(follows(make, *pair) == (1, 0) for pair in pairs)


def test_followers_are_paged_ascending_for_the_fan_out(graph: Graph, make: Maker) -> None:
    author, *people = make.users(6)
    for person in random.Random(2).sample(people, 5):
        make.follow(person.id, author.id)
    ids = [person.id for person in people]
    assert graph.follows.followers_page(author.id, after=-1, limit=3) == ids[:3]
    assert graph.follows.followers_page(author.id, after=ids[2], limit=3) == ids[3:]
    assert graph.follows.followers_page(author.id, after=ids[4], limit=3) == []


def test_lists_of_people_fall_by_id_and_leave_the_hidden_out(graph: Graph, make: Maker) -> None:
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


def test_a_list_of_just_a_page_has_no_next(graph: Graph, make: Maker) -> None:
    author, fan = make.users(2)
    make.follow(fan.id, author.id)
    users, following = graph.follows.followers(
        author.id, viewer_id=author.id, before=NEWEST, limit=1
    )
    assert ([user.id for user in users], following) == ([fan.id], None)
    assert graph.follows.following(new_id(), viewer_id=fan.id, before=NEWEST, limit=1) == ([], None)


def test_follows_of_one_account_while_its_profile_changes_all_stand(
    graph: Graph, make: Maker
) -> None:
    author, *people = make.users(97)

    def follow_all(part: int) -> None:
        for person in people[part::12]:
            make.follow(person.id, author.id)

    def rename() -> None:
        for number in range(20):
            graph.users.update(author.id, changes={"name": f"Ana {number}"})

    outcomes = together(*[partial(follow_all, part) for part in range(12)], rename)
    assert not errors(outcomes)
    profile = graph.users.profile(author.id, viewer_id=author.id)
    assert (profile.follower_count, profile.user.name) == (96, "Ana 19")
