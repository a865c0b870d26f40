from datetime import UTC, datetime
from itertools import chain

from graph.ids import BACKWARD_MS, IdGenerator, first_id_at, from_ms, ms_of, new_id, time_of, to_ms
from tests.support.concurrency import errors, run_together

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
NOON_MS = to_ms(NOON)


def test_an_id_is_exact_in_javascript_for_the_next_sixty_years() -> None:
    assert new_id(to_ms(datetime(2090, 1, 1, tzinfo=UTC))) < 2**53


def test_an_id_contains_its_time() -> None:
    noon_id = new_id(NOON_MS)
    assert ms_of(noon_id) == NOON_MS
    assert time_of(noon_id) == NOON
    assert from_ms(NOON_MS) == NOON


def test_older_ids_are_below_the_first_id_of_a_time() -> None:
    assert new_id(NOON_MS - 1) < first_id_at(NOON) <= new_id(NOON_MS)


def test_ids_rise_within_a_millisecond() -> None:
    generator = IdGenerator()
    ids = [generator.next(NOON_MS) for _ in range(10_000)]
    assert ids == sorted(set(ids))


def test_ids_rise_when_the_clock_steps_back() -> None:
    generator = IdGenerator()
    before = generator.next(NOON_MS)
    assert generator.next(NOON_MS - BACKWARD_MS + 100) > before


def test_ids_follow_a_clock_that_was_far_ahead_and_was_corrected() -> None:
    generator = IdGenerator()
    generator.next(NOON_MS + 300_000)
    assert abs(ms_of(generator.next(NOON_MS)) - NOON_MS) <= 1


def test_ids_of_many_threads_are_unique_and_rise_in_each_thread() -> None:
    def generate() -> list[int]:
        return [new_id() for _ in range(2000)]

    id_lists = run_together(*[generate] * 8)
    assert not errors(id_lists)
    ids_by_thread = [ids for ids in id_lists if isinstance(ids, list)]
    all_ids = list(chain.from_iterable(ids_by_thread))
    assert len(all_ids) == len(set(all_ids)) == 16_000
    assert all(ids == sorted(ids) for ids in ids_by_thread)
