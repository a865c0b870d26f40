"""The newest notification of a user, on the real cache."""

import pytest

from graph.ids import new_id
from storage import Storage
from storage.notices.newest_notifications import RAISE, pack_newest, pack_raise


def newest(storage: Storage, user_id: int) -> int | None:
    [reply] = storage.cache.execute([pack_newest(user_id)])
    return None if reply is None else int(reply)


def test_the_number_only_rises(storage: Storage) -> None:
    user = new_id()
    assert newest(storage, user) is None
    storage.newest_notifications.raise_to({user: 5})
    storage.newest_notifications.raise_to({user: 4})
    assert newest(storage, user) == 5
    storage.newest_notifications.raise_to({user: 2**53 - 1})
    assert newest(storage, user) == 2**53 - 1


@pytest.mark.parametrize("first", [0, 7])
def test_a_script_says_whether_it_raised_the_number(storage: Storage, first: int) -> None:
    user = new_id()
    assert storage.cache.execute([pack_raise(user, first)] * 2, RAISE) == [1, 0]
    assert newest(storage, user) == first


def test_no_users_need_no_round_trip(storage: Storage) -> None:
    storage.newest_notifications.raise_to({})
