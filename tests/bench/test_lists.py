import random
from collections.abc import Iterator

import pytest

from bench.rows.pushes import push_posts
from bench.stage import lists
from bench.stage.caches import CAP, SLACK, Cache, running_cache
from bench.stage.lists import Lists
from graph.ids import EPOCH_MS, RANDOM_BITS, ms_of, new_id
from storage.timeline_layout import timeline_key

USERS = 2 * SLACK + 1


@pytest.fixture(scope="module")
def cache() -> Iterator[Cache]:
    with running_cache() as cache:
        yield cache


@pytest.fixture
def full(cache: Cache) -> Iterator[Lists]:
    full = lists.create_lists(cache, USERS, random.Random(5))
    yield full
    cache.storage.timelines.drop(*full.user_ids)


def test_lists_are_full_of_staggered_length_and_expire(cache: Cache, full: Lists) -> None:
    lengths = list(cache.replies(("LLEN", timeline_key(user)) for user in full.user_ids))
    assert lengths == [1 + CAP + number % SLACK for number in range(USERS)]
    assert min(cache.replies(("TTL", timeline_key(user)) for user in full.user_ids)) > 0
    assert not cache.client.exists("template:0")


def test_pushes_keep_every_list_right_through_all_its_trims(cache: Cache, full: Lists) -> None:
    for _ in range(3):
        turn = push_posts(cache, full, [new_id() for _ in range(SLACK // 2)])
        assert lists.count_wrong(cache, full) == 0
        assert turn.keys_created == 0
        assert turn.inserts == USERS * SLACK // 2


def test_a_backlog_goes_to_the_tail_too(cache: Cache, full: Lists) -> None:
    began = ms_of(new_id()) - EPOCH_MS - 3_600_000
    push_posts(cache, full, [began + 1_000 * number << RANDOM_BITS for number in range(3)])
    assert lists.count_wrong(cache, full) == 0


def test_a_push_to_users_without_lists_creates_none(cache: Cache, full: Lists) -> None:
    absent = lists.draw_user_ids(50, random.Random(6))
    turn = push_posts(cache, full, [new_id()], followers=[*absent, *full.user_ids])
    assert turn.keys_created == 0
    assert lists.count_wrong(cache, full) == 0


@pytest.mark.parametrize("damage", ["twice", "lost", "stranger", "short", "long", "sentinel"])
def test_every_kind_of_wrong_list_is_found(cache: Cache, full: Lists, damage: str) -> None:
    push_posts(cache, full, [new_id(), new_id()])
    key = timeline_key(full.user_ids[17])
    newest = full.pushed_ids[-1]
    match damage:
        case "twice":
            cache.client.rpush(key, newest)
        case "lost":
            cache.client.lrem(key, 0, str(newest))
        case "stranger":
            cache.client.lset(key, 200, str(new_id()))
        case "short":
            cache.client.ltrim(key, -CAP + 1, -1)
        case "long":
            cache.client.lpush(key, *range(1, SLACK))
        case "sentinel":
            cache.client.lset(key, 0, "0")
    assert lists.count_wrong(cache, full) == 1
