"""The unread count that a timeline's tail proves, compared with a model."""

import random

import pytest

from feed.unread import (
    DELETED,
    NEWEST_IDS,
    NOT_READ,
    TAIL_ENTRIES,
    UNKNOWN,
    Authors,
    author_in,
    count_in_tail,
    ids_to_read,
    read_authors,
)
from graph.ids import new_id
from storage import Storage
from storage.body_format import encode
from storage.timeline_layout import DISORDER, timeline_key


def test_a_count_that_the_tail_proves_equals_the_models_count(storage: Storage) -> None:
    seed = random.randrange(1 << 32)
    print("seed", seed)
    dice, client, proved = random.Random(seed), storage.cache.client, 0
    for viewer in range(1, 151):
        base, step = new_id() - (1 << 40), dice.choice([DISORDER // 50, DISORDER // 3, DISORDER])
        ids = [base + n * step + dice.randrange(step) for n in range(dice.randrange(160))]
        authors = {i: dice.choice([viewer, 7_000, 7_001, 0]) for i in ids}
        ordered = sorted(ids, key=lambda i: i + dice.randrange(DISORDER))
        entries = [0, *ordered, *dice.sample(ordered[-3:], min(len(ordered), 1))]
        if dice.random() < 0.4:
            entries = entries[dice.randrange(len(entries)) :]
        client.rpush(timeline_key(viewer), *entries)
        for i, author in authors.items():
            body = b'{"id":"%d","author":{"id":"%d"}}' % (i, author) if author else b""
            client.set(f"p:{i}", dice.choice([encode(body), body]), ex=60)
        position = dice.choice([0, base, *ids])
        tail = storage.read_positions.tail(viewer, most=dice.choice([9, 32, TAIL_ENTRIES, None]))
        storage.timelines.drop(viewer)
        found = read_authors(storage, tail, position, {})
        unread_count = count_in_tail(found, position, viewer, 100)
        if unread_count:
            proved += 1
            others = [i for i in ids if i > position and authors[i] not in {0, viewer}]
            newest = max((i for i in ids if authors[i]), default=None)
            count = min(len(others), 100)
            assert (unread_count.count, unread_count.newest_id) == (count, newest)
            assert unread_count.capped == (len(others) > 100)
    assert proved > 50


def test_the_bodies_above_the_position_are_read_and_a_few_of_the_newest() -> None:
    authors = dict.fromkeys([-3, *range(10, 20), *range(30, 40)], NOT_READ)
    assert ids_to_read(authors, 33) == [39, 38, 37, 36, 35, 34]
    assert ids_to_read(authors, 39) == [39, 38, 37, 36][:NEWEST_IDS]
    assert ids_to_read({0: NOT_READ}, 5) == []


@pytest.mark.parametrize("newest", [b"7", UNKNOWN])
def test_no_body_is_read_below_the_newest_that_may_be_live(newest: bytes) -> None:
    assert ids_to_read({1: NOT_READ, 2: newest, 3: DELETED}, 2) == []


def test_if_all_the_newest_are_deleted_the_remaining_bodies_are_read() -> None:
    authors: Authors = dict.fromkeys([1, 2, 3], NOT_READ) | dict.fromkeys([4, 5], DELETED)
    assert ids_to_read(authors, 4) == [3, 2, 1]


@pytest.mark.parametrize(
    ("body", "author"),
    [
        (None, UNKNOWN),
        (b"", DELETED),
        (b'{"id":"8","author":{"id":"12","username":"a"}}', b"12"),
        (b'{"id":"9","author":{"id":"12","username":"a"}}', UNKNOWN),
        (b'{"id":"8","author":{"id":"12', UNKNOWN),
        (b'{"id":"8","author":{"id":"","username":"a"}}', UNKNOWN),
        (b'{"id":"8","author":{"id":"x1","username":"a"}}', UNKNOWN),
        (b'{"id":"8","author":{"id":"12345678901234567","username":"a"}}', UNKNOWN),
        (b'{"id":"8","caption":"{\\"author\\":{\\"id\\":\\"12\\"}"}', UNKNOWN),
    ],
)
def test_an_author_is_taken_only_from_the_head_of_the_posts_own_body(
    body: bytes | None, author: bytes
) -> None:
    assert author_in(8, body) == author
