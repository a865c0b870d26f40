"""A town computed twice is the same, and its parts agree with one another."""

import pytest

from bench.stage.town import (
    AUDIENCES,
    DEEP_FOLLOWEES,
    MONTH_MS,
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
    assert len(set(posts)) == len(posts)
    assert not set(posts) & set(map(photo_id, posts))
    assert max(posts) < 2**53


@pytest.mark.parametrize("users", [2_000, 10_000, 100_000])
def test_posts_follow_a_power_law_with_a_mean_of_forty(users: int) -> None:
    town = Town(users, 3)
    counts = sorted(town.post_count(index) for index in range(users))
    assert 38 < sum(counts) / users < 42
    assert counts[0] == 1
    assert counts[users // 2] == 4
    assert 1_000 < counts[-1] <= town.rounds == 1_600
    assert sum(counts[-users // 100 :]) > 0.2 * sum(counts)  # the first hundredth has a fifth


def test_a_users_posts_are_spread_over_the_month_newest_first() -> None:
    for index in range(0, SMALL.users, 7):
        posts = SMALL.post_ids(index)
        assert len(posts) == SMALL.post_count(index)
        assert posts == sorted(posts, reverse=True)
    single = [p for p in map(SMALL.post_ids, range(SMALL.users)) if len(p) == 1]
    assert max(single)[0] - min(single)[0] >> 12 > 0.9 * MONTH_MS
    busiest = max(range(SMALL.users), key=SMALL.post_count)
    posts = SMALL.post_ids(busiest)
    assert (posts[0] - posts[-1]) >> 12 > 0.99 * MONTH_MS


def test_everybody_in_a_large_town_posts_twice() -> None:
    town = Town(1_000_000, 1)
    assert {len(town.post_ids(index)) for index in range(0, town.users, 9_999)} == {2}


def test_a_feed_is_the_posts_of_oneself_and_ones_followees_newest_first() -> None:
    index = SMALL.readers[3]
    expected = [p for one in (index, *SMALL.followees(index)) for p in SMALL.post_ids(one)]
    assert SMALL.feed(index) == sorted(expected, reverse=True)


def test_a_town_too_small_for_its_authors_is_refused() -> None:
    validate_size(400)
    with pytest.raises(ValueError, match="300"):
        validate_size(300)
