"""Records of notices: replaced only if they are the ones that were read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph.ids import MAX_ID, new_id
from storage import Storage
from storage.notices.records import NoticeRecord, Sending
from storage.redis.partitions import key_of

ids = st.integers(0, MAX_ID - 1)
sendings = st.builds(
    Sending,
    post_id=ids,
    notification_id=ids,
    subscription_ids=st.lists(ids, min_size=1, max_size=20).map(tuple),
    tries=st.integers(1, 5),
    retry_at=st.integers(0, 2**42),
    is_claimed=st.booleans(),
)
records = st.builds(
    NoticeRecord,
    post_id=ids,
    notification_id=ids,
    noticed_at=st.integers(0, 2**42),
    sending=st.none() | sendings,
)


@given(records)
def test_a_record_is_read_as_it_was_written(record: NoticeRecord) -> None:
    assert NoticeRecord.from_bytes(record.to_bytes()) == record


@pytest.mark.parametrize(
    "value", [b"", b"1", b"1 2 3 4 5 6 7 8", b"a 2 3 4 5 6 7 8 ", b"-1 2 3 4 5 6 7 8 "]
)
def test_another_value_is_no_record(value: bytes) -> None:
    assert NoticeRecord.from_bytes(value) is None


def test_of_two_writers_who_have_read_the_same_record_one_replaces_it(storage: Storage) -> None:
    user = new_id()
    first = NoticeRecord(post_id=1, notification_id=1)
    one, other = (NoticeRecord(post_id=number, notification_id=1) for number in (2, 3))
    stored = storage.notice_records
    assert stored.read_many([user]) == {user: None}
    assert stored.replace_many({user: (None, first)}) == {user}
    assert stored.replace_many({user: (None, other)}) == set()
    assert stored.replace_many({user: (first, one)}) == {user}
    assert stored.replace_many({user: (first, other)}) == set()
    assert stored.read_many([user]) == {user: one}


def test_a_value_that_is_no_record_is_removed(storage: Storage) -> None:
    user, record = new_id(), NoticeRecord(post_id=1, notification_id=1)
    storage.queue.client.set(key_of(b"nr", user), "damaged")
    assert storage.notice_records.read_many([user]) == {user: None}
    assert storage.notice_records.replace_many({user: (None, record)}) == {user}


def test_nobody_needs_no_round_trip(storage: Storage) -> None:
    assert storage.notice_records.read_many([]) == {}
    assert storage.notice_records.replace_many({}) == set()
