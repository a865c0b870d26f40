"""A town computed twice is the same, and its parts agree with one another."""

import pytest

from bench.stage.town import (
    AUDIENCES,
    DEEP_FOLLOWEES,
    SMALL_AUDIENCE,
    Town,
    photo_id,
    validate_size,
)

SMALL = Town(2_000, 7)


def test_a_town_is_the_same_for_its_seed_and_another_for_another() -> None:
    again, other = Town(2_000, 7), Town(2_000, 8)
    readers = SMALL.readers[:50]
    assert [SMALL.feed(i) for i in readers] == [again.feed(i) for i in readers]
    assert [SMALL.feed(i) for i in readers] != [other.feed(i) for i in readers]


def test_an_author_is_followed_by_exactly_their_audience() -> None:
    followers: dict[int, list[int]] = {}
    for index in range(SMALL.users):
        for followee in SMALL.followees(index):
            followers.setdefault(followee, []).append(index)
    for author in (*range(len(AUDIENCES)), *SMALL.small_authors):
        assert followers[author] == SMALL.followers(author)
    assert {len(followers[author]) for author in SMALL.small_authors} == {SMALL_AUDIENCE}
    assert len(SMALL.followers(SMALL.author("10"))) == 10
    assert len(SMALL.followers(SMALL.author("everybody"))) == SMALL.span


def test_nobody_follows_themselves_or_the_quiet() -> None:
    for index in range(SMALL.users):
        followees = SMALL.followees(index)
        assert index not in followees
        assert len(followees) == len(set(followees))
        assert not set(followees) & set(SMALL.quiet)


def test_a_hundredth_follow_many_and_the_mean_is_twenty() -> None:
    town = Town(100_000, 1)
    sample = range(town.readers.start, town.users, 97)
    counts = [len(town.followees(index)) for index in sample]
    assert max(counts) == DEEP_FOLLOWEES
    assert 19 <= sum(counts) / len(counts) <= 21


def test_ids_are_different_and_rise_with_their_users_and_times() -> None:
    users = [SMALL.user_id(index) for index in range(SMALL.users)]
    assert users == sorted(set(users))
    assert [SMALL.index_of(user_id) for user_id in users] == list(range(SMALL.users))
    posts = [post_id for index in range(SMALL.users) for post_id in SMALL.post_ids(index)]
    assert len(set(posts)) == 2 * SMALL.users
    assert not set(posts) & set(map(photo_id, posts))
    assert max(posts) < 2**53


def test_a_feed_is_the_posts_of_oneself_and_ones_followees_newest_first() -> None:
    index = SMALL.readers[3]
    expected = [p for one in (index, *SMALL.followees(index)) for p in SMALL.post_ids(one)]
    assert SMALL.feed(index) == sorted(expected, reverse=True)


def test_a_town_too_small_for_its_authors_is_refused() -> None:
    validate_size(400)
    with pytest.raises(ValueError, match="300"):
        validate_size(300)
