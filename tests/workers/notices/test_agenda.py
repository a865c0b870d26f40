"""When a user's turn comes. Pure."""

from graph.ids import EPOCH_MS, RANDOM_BITS
from storage.notices.records import NoticeRecord, Sending
from workers.notices.agenda import SPARE, Agenda, Arrival, Waiting
from workers.notices.due import PATIENCE, NoticeTimes, due_at, free_at, window_end

TIMES = NoticeTimes(delay_ms=30_000, window_ms=600_000)


def id_at(ms: int) -> int:
    return (ms - EPOCH_MS) << RANDOM_BITS


NOW = EPOCH_MS + 10_000_000


def waiting(user_id: int = 1, *, notification_id: int = 0, floor: int = 5) -> Waiting:
    return Waiting(
        user_id=user_id,
        notification_id=notification_id,
        post_floor=floor,
        notification_floor=floor,
    )


def arrival(at: int, user_id: int = 1, **fields: int) -> Arrival:
    return Arrival(waiting=waiting(user_id, **fields), ids=(id_at(at),))


def test_a_notice_is_due_a_delay_after_the_newest_or_five_after_the_oldest() -> None:
    assert due_at(oldest_id=id_at(NOW), newest_id=id_at(NOW), times=TIMES) == NOW + 30_000
    late = due_at(oldest_id=id_at(NOW), newest_id=id_at(NOW + 149_000), times=TIMES)
    assert late == NOW + PATIENCE * 30_000


def test_a_window_begins_with_a_notice() -> None:
    assert window_end(0, TIMES) == 0
    assert window_end(NOW, TIMES) == NOW + 600_000


def test_a_claimed_notice_is_free_after_its_claim_and_one_put_off_with_the_window_too() -> None:
    def free(*, is_claimed: bool, retry_seconds: int) -> int:
        sending = Sending(
            post_id=9,
            notification_id=0,
            subscription_ids=(1,),
            tries=1,
            retry_at=NOW + 1_000 * retry_seconds,
            is_claimed=is_claimed,
        )
        record = NoticeRecord(post_id=1, notification_id=0, noticed_at=NOW, sending=sending)
        return free_at(record, TIMES) - NOW

    assert free(is_claimed=True, retry_seconds=900) == 900_000
    assert free(is_claimed=False, retry_seconds=900) == TIMES.window_ms
    assert free(is_claimed=False, retry_seconds=15) == 15_000


def test_a_user_stands_on_the_agenda_once_and_each_arrival_moves_the_turn() -> None:
    agenda = Agenda(TIMES)
    agenda.add(arrival(NOW))
    agenda.add(arrival(NOW + 20_000))
    assert len(agenda) == 1
    assert agenda.take_due(NOW + 49_999, 10) == []
    assert agenda.take_due(NOW + 50_000, 10) == [(waiting(), NOW + 50_000)]
    assert agenda.take_due(NOW + 1_000_000, 10) == []


def test_the_floors_of_the_first_arrival_and_the_newest_notification_stay() -> None:
    agenda = Agenda(TIMES)
    agenda.add(arrival(NOW, notification_id=9, floor=5))
    agenda.add(arrival(NOW + 1, floor=7))
    [(one, _)] = agenda.take_due(NOW + 60_000, 10)
    assert one == waiting(notification_id=9, floor=5)


def test_who_is_postponed_is_not_due_before() -> None:
    agenda = Agenda(TIMES)
    agenda.postpone(waiting(), NOW + 600_000)
    agenda.add(arrival(NOW))
    assert agenda.take_due(NOW + 599_999, 10) == []
    assert len(agenda.take_due(NOW + 600_000, 10)) == 1


def test_who_is_postponed_again_is_due_at_the_last_time_that_was_told() -> None:
    agenda = Agenda(TIMES)
    agenda.postpone(waiting(), NOW + 600_000)
    agenda.postpone(waiting(), NOW + 15_000)
    assert len(agenda.take_due(NOW + 15_000, 10)) == 1


def test_arrivals_of_a_user_who_waits_for_long_take_no_memory() -> None:
    agenda = Agenda(TIMES)
    for number in range(10_000):
        agenda.add(arrival(NOW + number))
        agenda.postpone(waiting(2), NOW + 3_600_000 - number)
        agenda.add(arrival(NOW + number, 2))
    assert len(agenda._heap) <= 2 * len(agenda) + SPARE


def test_no_more_are_taken_than_wanted_and_the_earliest_come_first() -> None:
    agenda = Agenda(TIMES)
    for user_id in range(5, 0, -1):
        agenda.add(arrival(NOW + user_id, user_id))
    assert [one.user_id for one, _ in agenda.take_due(NOW + 60_000, 2)] == [1, 2]
    assert [one.user_id for one, _ in agenda.take_due(NOW + 60_000, 9)] == [3, 4, 5]


def test_users_of_lost_partitions_leave_the_agenda() -> None:
    agenda = Agenda(TIMES)
    for user_id in (1, 2):
        agenda.add(arrival(NOW, user_id))
    agenda.keep_only({2})
    assert [one.user_id for one, _ in agenda.take_due(NOW + 60_000, 9)] == [2]
