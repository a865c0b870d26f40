import random
from dataclasses import replace
from functools import partial

import pytest

from graph import Graph
from graph.errors import FollowLimitReachedError, NotFoundError
from graph.events import Event
from graph.follows import EndedFollow
from graph.ids import new_id
from tests.support.concurrency import errors, run_together
from tests.support.ids import NEWEST
from tests.support.outbox import claim
from tests.support.town import Town


@pytest.fixture
def limit_of_three(graph: Graph, monkeypatch: pytest.MonkeyPatch) -> int:
    """A user may follow three users during this test."""
    settings = replace(graph.connection.settings, follow_limit=3)
    monkeypatch.setattr(graph.connection, "settings", settings)
    return 3


def count_relationships(town: Town, follower_id: int, followee_id: int) -> tuple[int, int]:
    """The number of FOLLOWS and of LEFT from the follower to the followee."""
    rows = town.query(
        "MATCH (a:User {id: $a}), (b:User {id: $b}) "
        "RETURN COUNT { (a)-[:FOLLOWS]->(b) } AS follows, COUNT { (a)-[:LEFT]->(b) } AS ended",
        a=follower_id,
        b=followee_id,
    )
    return rows[0]["follows"], rows[0]["ended"]


def test_a_follow_creates_one_event_and_a_repeat_creates_none(town: Town) -> None:
    ana, ben = town.users(2)
    event = town.follow(ana, ben)
    assert event
    assert (event.kind, event.subject_id, event.author_id) == ("followed", ana, ben)
    assert town.follow(ana, ben) is None


def test_a_follow_repeated_after_its_answer_was_lost_returns_its_event(
    graph: Graph, town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana, ben = town.users(2)
    event_id = new_id()
    monkeypatch.setattr("graph.connection.new_id", lambda: event_id)
    first, second = (graph.follows.create(follower_id=ana, followee_id=ben) for _ in range(2))
    assert replace(second, age_ms=0) == replace(first, age_ms=0)
    assert first.event


def test_sixteen_concurrent_follows_create_one_follow(town: Town) -> None:
    for _ in range(5):
        ana, ben = town.users(2)
        outcomes = run_together(*[partial(town.follow, ana, ben)] * 16)
        assert not errors(outcomes)
        assert sum(isinstance(outcome, Event) for outcome in outcomes) == 1
        assert count_relationships(town, ana, ben) == (1, 0)


def test_a_user_who_does_not_exist_or_with_a_block_cannot_be_followed(town: Town) -> None:
    ana, ben = town.users(2)
    town.block(ana, ben)
    for follower_id, followee_id in ((ana, ben), (ben, ana), (ana, new_id())):
        with pytest.raises(NotFoundError):
            town.follow(follower_id, followee_id)


def test_a_user_at_the_limit_of_follows_can_follow_again_after_an_unfollow(
    town: Town, limit_of_three: int
) -> None:
    ana, *people = town.users(limit_of_three + 2)
    for person in people[:limit_of_three]:
        town.follow(ana, person)
    with pytest.raises(FollowLimitReachedError, match="3"):
        town.follow(ana, people[-1])
    assert count_relationships(town, ana, people[-1]) == (0, 0)
    assert town.events_of(people[-1]) == []
    assert town.notifications_of(people[-1]) == []
    assert town.follow(ana, people[0]) is None
    assert town.follow(people[-1], ana)
    town.unfollow(ana, people[0])
    assert town.follow(ana, people[-1])


def test_a_follow_of_an_absent_user_at_the_limit_is_not_found(
    town: Town, limit_of_three: int
) -> None:
    ana, *people = town.users(limit_of_three + 1)
    town.add_followees(ana, *people)
    with pytest.raises(NotFoundError):
        town.follow(ana, new_id())


def test_concurrent_follows_of_one_user_never_exceed_the_limit(
    town: Town, limit_of_three: int
) -> None:
    for _ in range(5):
        ana, *people = town.users(17)
        outcomes = run_together(*[partial(town.follow, ana, person) for person in people])
        refused = [one for one in errors(outcomes) if isinstance(one, FollowLimitReachedError)]
        assert (len(refused), len(errors(outcomes))) == (16 - limit_of_three,) * 2
        assert sum(count_relationships(town, ana, one)[0] for one in people) == limit_of_three
        assert len(town.events_of(ana)) == limit_of_three


def test_a_follow_that_reached_the_limit_is_no_error_when_repeated_after_a_lost_answer(
    town: Town, limit_of_three: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana, *people = town.users(limit_of_three + 1)
    town.add_followees(ana, *people[1:])
    event_id = new_id()
    monkeypatch.setattr("graph.connection.new_id", lambda: event_id)
    first, second = (town.follow(ana, people[0]) for _ in range(2))
    assert first == second
    assert first


def test_an_event_gets_another_id_if_its_first_one_exists(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana, ben, third = town.users(3)
    other = town.follow(ana, ben)
    assert other
    ids = iter([other.id, new_id()])
    monkeypatch.setattr("graph.connection.new_id", lambda: next(ids))
    event = town.follow(third, ben)
    assert event
    assert event.id != other.id


def test_an_unfollow_replaces_the_follow_with_a_left_whose_event_is_due_later(
    graph: Graph, town: Town
) -> None:
    ana, ben = town.users(2)
    town.follow(ana, ben)
    event = town.unfollow(ana, ben)
    assert event
    assert (event.kind, event.subject_id, event.author_id) == ("left", ana, ben)
    assert count_relationships(town, ana, ben) == (0, 1)
    assert graph.posts.feed_page(ana, before=NEWEST, limit=5).unfollow_pending
    assert not graph.posts.feed_page(ben, before=NEWEST, limit=5).unfollow_pending
    assert claim(graph, event.id, 0) is None
    assert town.unfollow(ben, ana) is None


# Case 53
def test_a_repeated_unfollow_neither_renews_the_left_nor_creates_an_event(
    graph: Graph, town: Town
) -> None:
    ana, ben = town.users(2)
    town.follow(ana, ben)
    event = town.unfollow(ana, ben)
    graph.follows.delete_left(pairs=[(ana, ben), (ben, ana)])
    assert count_relationships(town, ana, ben) == (0, 1), "the LEFT is too young to be deleted"
    age_left(town, ana)
    again = graph.follows.delete(follower_id=ana, followee_id=ben)
    assert again == EndedFollow(event=None)
    assert town.events_of(ana, ben)[-1] == event
    graph.follows.delete_left(pairs=[(ana, ben), (ben, ana)])
    assert count_relationships(town, ana, ben) == (0, 0)
    assert graph.follows.delete(follower_id=ana, followee_id=ben) is None


# Case 53
def test_an_unfollow_after_a_new_follow_renews_the_left(graph: Graph, town: Town) -> None:
    ana, ben = town.users(2)
    town.follow(ana, ben)
    first = town.unfollow(ana, ben)
    age_left(town, ana)
    town.follow(ana, ben)
    second = town.unfollow(ana, ben)
    assert first
    assert second
    assert second.id != first.id
    graph.follows.delete_left(pairs=[(ana, ben)])
    assert count_relationships(town, ana, ben) == (0, 1)


def test_an_unfollow_repeated_after_its_answer_was_lost_returns_its_event(
    graph: Graph, town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana, ben = town.users(2)
    town.follow(ana, ben)
    event_id = new_id()
    monkeypatch.setattr("graph.connection.new_id", lambda: event_id)
    first, second = (graph.follows.delete(follower_id=ana, followee_id=ben) for _ in range(2))
    assert first == second
    assert first
    assert first.event


def age_left(town: Town, follower_id: int) -> None:
    """Make the LEFT relationships of a follower 31 s older."""
    town.query(
        "MATCH (:User {id: $id})-[ended:LEFT]->() SET ended.created_at = ended.created_at - 31000",
        id=follower_id,
    )


def test_a_new_follow_exists_beside_a_left(graph: Graph, town: Town) -> None:
    ana, ben = town.users(2)
    town.follow(ana, ben)
    town.unfollow(ana, ben)
    assert town.follow(ana, ben)
    assert count_relationships(town, ana, ben) == (1, 1)
    age_left(town, ana)
    graph.follows.delete_left(pairs=[(ana, ben)])
    assert count_relationships(town, ana, ben) == (1, 0)


def test_sixteen_concurrent_unfollows_create_one_left(town: Town) -> None:
    ana, ben = town.users(2)
    town.follow(ana, ben)
    outcomes = run_together(*[lambda: town.unfollow(ana, ben)] * 16)
    assert not errors(outcomes)
    assert count_relationships(town, ana, ben) == (0, 1)


def test_opposite_follows_on_many_threads_each_exist_once(town: Town) -> None:
    ana, ben = town.users(2)
    calls = [lambda: town.follow(ana, ben), lambda: town.follow(ben, ana)] * 12
    outcomes = run_together(*calls)
    assert not errors(outcomes)
    assert count_relationships(town, ana, ben) == count_relationships(town, ben, ana) == (1, 0)
    assert sum(isinstance(outcome, Event) for outcome in outcomes) == 2


def test_all_concurrent_follows_among_six_users_are_created(town: Town) -> None:
    people = town.users(6)
    pairs = [(a, b) for a in people for b in people if a != b]
    random.Random(1).shuffle(pairs)
    outcomes = run_together(*[partial(town.follow, *pair) for pair in pairs])
    assert not errors(outcomes)
    assert all(count_relationships(town, *pair) == (1, 0) for pair in pairs)


def test_followers_are_paged_ascending_for_the_fan_out(graph: Graph, town: Town) -> None:
    author, *people = town.users(6)
    for person in random.Random(2).sample(people, 5):
        town.follow(person, author)
    assert graph.follows.followers_page(author, after=-1, limit=3) == people[:3]
    assert graph.follows.followers_page(author, after=people[2], limit=3) == people[3:]
    assert graph.follows.followers_page(author, after=people[4], limit=3) == []


def test_lists_of_users_descend_by_id_and_omit_hidden_users(graph: Graph, town: Town) -> None:
    author, *people = town.users(6)
    viewer = people[0]
    for person in people:
        town.follow(person, author)
        town.follow(author, person)
    town.block(people[3], viewer)
    ids = people[::-1]
    for page in (graph.follows.followers, graph.follows.following):
        users, following = page(author, viewer_id=viewer, before=NEWEST, limit=3)
        assert [user.id for user in users] == [ids[0], ids[2]]
        assert following == ids[2]
        users, following = page(author, viewer_id=viewer, before=following, limit=3)
        assert [user.id for user in users] == ids[3:]
        assert following is None


def test_a_list_of_exactly_one_page_has_no_next_page(graph: Graph, town: Town) -> None:
    author, fan = town.users(2)
    town.follow(fan, author)
    users, following = graph.follows.followers(author, viewer_id=author, before=NEWEST, limit=1)
    assert ([user.id for user in users], following) == ([fan], None)
    assert graph.follows.following(new_id(), viewer_id=fan, before=NEWEST, limit=1) == ([], None)


def test_follows_of_one_user_all_exist_while_the_profile_changes(graph: Graph, town: Town) -> None:
    author, *people = town.users(97)

    def follow_all(part: int) -> None:
        for person in people[part::12]:
            town.follow(person, author)

    def rename() -> None:
        for number in range(20):
            graph.users.update(author, changes={"name": f"Ana {number}"})

    outcomes = run_together(*[partial(follow_all, part) for part in range(12)], rename)
    assert not errors(outcomes)
    profile = graph.users.profile(author, viewer_id=author)
    assert (profile.follower_count, profile.user.name) == (96, "Ana 19")
