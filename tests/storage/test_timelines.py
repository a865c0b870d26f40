"""Timelines: built, pushed to, trimmed, dropped, read."""

import time
from collections.abc import Callable

import pytest

from feed.proof import page_below, watermark, window_page
from storage import Storage
from storage.timeline_layout import (
    ABOVE_NOTHING,
    DISORDER,
    TIMELINE_TTL_SECONDS,
    lock_key,
    timeline_key,
)
from storage.timelines import Timelines
from storage.windows import Entries, Window
from tests.support.ids import SECOND, id_ago

NewUsers = Callable[[int], list[int]]


def build(timelines: Timelines, user: int, ids: list[int], *, complete_above: int = 0) -> None:
    token = timelines.begin(user)
    assert token
    assert timelines.finish(user, token, ids, watermark=complete_above)


def push(timelines: Timelines, user: int, post_id: int) -> None:
    assert timelines.push([user], post_id, read_at=time.monotonic()) == 1


def ttl(storage: Storage, user: int) -> int:
    return int(storage.cache.client.ttl(timeline_key(user)))


def read_window(storage: Storage, user: int) -> Window:
    entries = storage.timelines.window(user, 20)
    return Window.of_entries(entries, storage.bodies.read_many(entries.post_ids))


def hourly(count: int) -> list[int]:
    return [id_ago(3_600 * (count - n)) for n in range(count)]


def test_a_push_creates_no_list(storage: Storage, user: int) -> None:
    push(storage.timelines, user, id_ago(0))
    push(storage.timelines, user, id_ago(3_600))

    assert storage.timelines.entries(user) == []


def test_a_finished_list_has_the_pulled_ids_and_those_pushed_during_the_build(
    storage: Storage, user: int
) -> None:
    old, new = hourly(3), id_ago(0)
    token = storage.timelines.begin(user)
    assert token
    assert storage.timelines.entries(user) == [-ABOVE_NOTHING]

    push(storage.timelines, user, new)
    assert not window_page(read_window(storage, user), 20)  # an unfinished list proves none
    assert storage.timelines.finish(user, token, old[::-1], watermark=old[0])

    assert storage.timelines.entries(user) == [-old[0], *old, new]
    assert ttl(storage, user) > TIMELINE_TTL_SECONDS - 60


def test_builds_exclude_each_other_and_never_replace_a_finished_list(
    storage: Storage, user: int
) -> None:
    token = storage.timelines.begin(user)
    assert token
    assert storage.timelines.begin(user) is None
    assert storage.timelines.finish(user, token, [], watermark=0)

    assert storage.timelines.begin(user) is None
    assert storage.timelines.entries(user) == [0]


def test_after_a_killed_build_another_one_begins_once_the_lock_is_gone(
    storage: Storage, user: int
) -> None:
    killed = storage.timelines.begin(user)
    assert killed
    push(storage.timelines, user, id_ago(2))
    assert 0 < ttl(storage, user) <= 60  # the unfinished list expires
    storage.cache.client.delete(lock_key(user))

    token = storage.timelines.begin(user)

    assert token
    assert storage.timelines.entries(user) == [-ABOVE_NOTHING]
    assert not storage.timelines.finish(user, killed, [id_ago(9)], watermark=0)
    storage.timelines.abort(user, killed)  # the list is another build's now
    assert storage.timelines.finish(user, token, [], watermark=0)


def test_a_finish_is_refused_after_a_drop(storage: Storage, user: int) -> None:
    """A drop follows an unfollow: the pulled ids may include posts of the one unfollowed."""
    token = storage.timelines.begin(user)
    assert token
    storage.timelines.drop(user)
    assert not storage.timelines.finish(user, token, hourly(3), watermark=0)
    assert storage.timelines.entries(user) == []


def test_after_a_drop_another_build_begins_and_the_old_one_writes_nothing(
    storage: Storage, user: int
) -> None:
    token = storage.timelines.begin(user)
    assert token
    storage.timelines.drop(user)
    another = storage.timelines.begin(user)
    assert another

    assert not storage.timelines.finish(user, token, hourly(3), watermark=0)
    storage.timelines.abort(user, token)
    assert storage.timelines.finish(user, another, [], watermark=0)
    assert storage.timelines.entries(user) == [0]


def test_a_finish_is_refused_where_its_list_was_evicted(storage: Storage, user: int) -> None:
    """A push may have met no list meanwhile."""
    token = storage.timelines.begin(user)
    assert token
    storage.cache.client.delete(timeline_key(user))

    assert not storage.timelines.finish(user, token, hourly(3), watermark=0)
    assert storage.timelines.entries(user) == []
    assert storage.timelines.begin(user)  # the lock is free


def test_a_finish_is_refused_where_its_lock_was_evicted(storage: Storage, user: int) -> None:
    token = storage.timelines.begin(user)
    assert token
    storage.cache.client.delete(lock_key(user))

    assert not storage.timelines.finish(user, token, hourly(3), watermark=0)
    assert watermark(storage.timelines.entries(user)) is None


def test_an_aborted_build_leaves_no_list_and_no_lock(storage: Storage, user: int) -> None:
    token = storage.timelines.begin(user)
    assert token
    storage.timelines.abort(user, token)

    assert storage.timelines.entries(user) == []
    assert storage.timelines.begin(user)


def test_a_drop_deletes_list_and_lock_of_each_user(storage: Storage, new_users: NewUsers) -> None:
    first, second, other = new_users(3)
    for user in (first, second, other):
        build(storage.timelines, user, hourly(2))
    storage.timelines.drop(first, second)

    assert storage.timelines.entries(first) == storage.timelines.entries(second) == []
    assert storage.timelines.entries(other)
    storage.timelines.drop()


def test_a_list_is_trimmed_to_its_cap_once_it_exceeds_the_slack(
    small: Timelines, user: int
) -> None:
    build(small, user, [])
    ids = [id_ago(20, bits) for bits in range(30)]
    lengths = []
    for post_id in ids:
        push(small, user, post_id)
        lengths.append(len(small.entries(user)))

    assert max(lengths) == 11
    assert lengths[9:12] == [11, 8, 9]
    assert small.entries(user) == ids[-len(small.entries(user)) :]


def test_two_trims_at_once_take_no_more_than_one(small: Timelines, user: int) -> None:
    """Two pushes found the list too long, and both trim it."""
    build(small, user, [])
    for bits in range(10):
        push(small, user, id_ago(20, bits))
    key = timeline_key(user)
    for bits in (50, 51):
        small._cache.client.rpushx(key, str(id_ago(20, bits)))
    for _ in range(2):
        small._cache.client.ltrim(key, -8, -1)

    assert len(small.entries(user)) == 8


def test_lists_of_every_length_around_the_cap_keep_their_newest(
    small: Timelines, new_users: NewUsers
) -> None:
    ids = hourly(14)
    for user, length in zip(new_users(14), range(14), strict=True):
        build(small, user, ids[:length])
        new = id_ago(1)
        push(small, user, new)

        expected = [*ids[:length], new]
        entries = small.entries(user)
        assert [i for i in entries if i > 0] == (expected if length < 10 else expected[-8:])
        page = page_below(entries, 1 << 53, 3)
        assert page.ids == expected[::-1][:3]
        assert (page.next_id is None) == (len(expected) <= 3)


def test_a_user_without_followees_has_a_list_and_no_rebuild_at_each_read(
    storage: Storage, user: int
) -> None:
    build(storage.timelines, user, [])

    page = window_page(read_window(storage, user), 20)

    assert page
    assert page.ids == []
    assert page.next_id is None


def test_a_window_has_the_newest_entries_with_bodies_and_renews_the_ttl(
    storage: Storage, user: int
) -> None:
    ids = hourly(40)
    build(storage.timelines, user, ids)
    storage.cache.client.expire(timeline_key(user), 100)
    written, deleted, reserved = ids[-1], ids[-2], ids[-3]
    token = storage.bodies.reserve_many([written]).get(written)
    assert token
    assert storage.bodies.fill_many({written: b'{"id":"1"}'}, {written: token})
    storage.bodies.tombstone([deleted])
    assert storage.bodies.reserve_many([reserved]).get(reserved)

    window = read_window(storage, user)

    assert [entry for entry, _ in window.entries] == ids[::-1][:24]
    assert [body for _, body in window.entries[:4]] == [b'{"id":"1"}', b"", None, None]
    assert ttl(storage, user) > TIMELINE_TTL_SECONDS - 60
    storage.bodies.discard([written, deleted, reserved])


def test_a_window_of_no_list_is_empty(storage: Storage, user: int) -> None:
    assert storage.timelines.window(user, 20).ids == []


def test_late_pushes_and_trimming_keep_the_lists_expiry(
    storage: Storage, small: Timelines, user: int
) -> None:
    build(small, user, [id_ago(10_000 + n) for n in range(8)])
    storage.cache.client.expire(timeline_key(user), 5_000)
    for seconds in (50, 9_000, 40, 31, 60, 35, 1, 0):
        push(small, user, id_ago(seconds))

    assert 4_900 < ttl(storage, user) <= 5_000


def test_a_late_push_takes_its_place_among_newer_posts(storage: Storage, user: int) -> None:
    ids = hourly(100)
    build(storage.timelines, user, ids)
    for at in (99, 90, 50, 1):
        late = ids[at] - SECOND
        push(storage.timelines, user, late)
        push(storage.timelines, user, late)  # a job may run twice
        ids.append(late)

    assert storage.timelines.entries(user) == [0, *sorted(ids)]


def test_late_pushes_to_the_tail_enter_once_and_are_trimmed_too(
    small: Timelines, user: int
) -> None:
    build(small, user, [])
    ids = [id_ago(200 - seconds) for seconds in range(30)]
    for post_id in ids:
        push(small, user, post_id)
        push(small, user, post_id)
        assert len(small.entries(user)) <= 11

    entries = small.entries(user)
    assert entries == ids[-len(entries) :]


def test_a_late_push_older_than_a_trimmed_list_is_left_out(small: Timelines, user: int) -> None:
    """It would lower the watermark, and the posts above it that were trimmed would be a gap."""
    build(small, user, [])
    for bits in range(12):
        push(small, user, id_ago(20, bits))
    entries = small.entries(user)
    assert entries[0] > 0

    push(small, user, id_ago(7_200))

    assert small.entries(user) == entries


def test_a_late_push_at_or_below_the_sentinel_is_left_out(storage: Storage, user: int) -> None:
    ids = hourly(5)
    build(storage.timelines, user, ids, complete_above=ids[0])
    push(storage.timelines, user, ids[0] - 5 * SECOND)
    push(storage.timelines, user, ids[0])

    assert storage.timelines.entries(user) == [-ids[0], *ids]


def test_a_late_push_into_an_empty_list_takes_its_place(storage: Storage, user: int) -> None:
    build(storage.timelines, user, [])
    late = id_ago(7_200)
    push(storage.timelines, user, late)

    assert storage.timelines.entries(user) == [0, late]


def test_a_late_push_older_than_a_push_into_a_list_being_built_cancels_the_build(
    storage: Storage, user: int
) -> None:
    token = storage.timelines.begin(user)
    assert token
    push(storage.timelines, user, id_ago(0))
    push(storage.timelines, user, id_ago(7_200))

    assert storage.timelines.entries(user) == []
    assert not storage.timelines.finish(user, token, hourly(3), watermark=0)


def test_pushes_out_of_order_within_the_bound_give_an_exact_first_page(
    storage: Storage, user: int
) -> None:
    """A push that is not late goes to the tail, up to T/2 from its place."""
    spread = [id_ago(29 - n) for n in range(0, 29, 2)]
    shuffled = [spread[n * 4 % 15] for n in range(15)] * 2
    old = hourly(40)
    build(storage.timelines, user, old)
    for post_id in shuffled:
        push(storage.timelines, user, post_id)
    everything = sorted({*old, *spread}, reverse=True)

    window = window_page(read_window(storage, user), 20)
    whole = page_below(storage.timelines.entries(user), 1 << 53, 20)

    assert window is None or window.ids == everything[:20]
    assert whole.ids == everything[:20]


@pytest.mark.parametrize("count", [1, 100, 101, 500, 501, 1_203])
def test_a_push_reaches_every_user_whatever_the_number_of_buffers(
    storage: Storage, new_users: NewUsers, count: int
) -> None:
    users = new_users(count)
    listed = {users[0], users[count // 2], users[-1]}
    for user in listed:
        build(storage.timelines, user, [])
    soon, late = id_ago(0), id_ago(DISORDER // SECOND)
    for post_id in (soon, late):
        assert storage.timelines.push(users, post_id, read_at=time.monotonic()) == count

    for user in listed:
        assert storage.timelines.entries(user) == [0, late, soon]


def test_the_entries_around_a_cursor_begin_above_it_and_say_whether_they_begin_at_the_tail(
    storage: Storage, user: int
) -> None:
    ids = hourly(40)
    build(storage.timelines, user, ids)
    newest_first = [*ids[::-1], 0]
    storage.cache.client.expire(timeline_key(user), 100)
    for at in (0, 3, 4, 5, 20, 30, 39):
        below = storage.timelines.window_below(user, newest_first[at], 20)
        first = max(0, at - 4)
        assert below.ids == newest_first[first : first + 29]
        assert below.newest == (first == 0)
    assert ttl(storage, user) > TIMELINE_TTL_SECONDS - 60


def test_without_the_cursors_entry_the_first_entry_alone_is_read(
    storage: Storage, user: int
) -> None:
    assert storage.timelines.window_below(user, 5, 20) == Entries([], head=[])
    ids = hourly(5)
    build(storage.timelines, user, ids, complete_above=ids[0])
    assert storage.timelines.window_below(user, ids[0] + 1, 20) == Entries([], head=[-ids[0]])
