"""The copies of one process: what they keep, what a drop removes, and their bounds."""

import random
from typing import Any

import pytest
from prometheus_client import REGISTRY

from feed import copies as copies_module
from feed.copies import (
    BODY_OVERHEAD_BYTES,
    SESSION_BYTES,
    SESSION_SECONDS,
    TOMBSTONE,
    TOUCH_EVERY,
    Body,
    Copies,
    body_of,
)
from storage import changes
from storage.changes import EVERYTHING, Change, Subject
from storage.sessions import SessionCopy

NOW = 1_800_000_000.0
AUTHOR, OTHER_AUTHOR = 8, 9
EXPIRES_AT = int(NOW) + 86_400


def body(post_id: int, author_id: int = AUTHOR, size: int = 600) -> Body:
    json = b'{"id":"%d","author":{"id":"%d","username":"u"},"caption":"' % (post_id, author_id)
    return body_of(json + b"x" * (size - len(json) - 2) + b'"}')


def keep(copies: Copies, post_id: int, author_id: int = AUTHOR) -> None:
    copies.keep_bodies({post_id: body(post_id, author_id)}, copies.begin())


def keep_session(
    copies: Copies, session_id: int, user_id: int = 1, expires_at: int = EXPIRES_AT
) -> None:
    copy = SessionCopy(user_id=user_id, secret_sha256="00", expires_at=expires_at)
    copies.keep_session(session_id, copy, copies.begin(), NOW)


def kept(copies: Copies, *post_ids: int) -> list[int]:
    bodies = copies.bodies_of(post_ids)
    return [p for p, found in zip(post_ids, bodies, strict=True) if found is not None]


def drop(copies: Copies, *subjects: Subject) -> None:
    copies.apply([Change(1, random.randbytes(8), subject) for subject in subjects])


@pytest.fixture
def copies() -> Copies:
    return Copies(1_000_000)


def test_a_body_is_kept_with_its_digest_and_author(copies: Copies) -> None:
    copies.keep_bodies({7: body(7)}, copies.begin())
    assert copies.bodies_of([6, 7]) == [None, body(7)]
    assert body(7).author_id == AUTHOR
    assert len(body(7).digest) == 16
    assert body(7).digest != body(6).digest


def test_a_tombstone_is_kept(copies: Copies) -> None:
    copies.keep_bodies({7: body_of(b"")}, copies.begin())
    assert copies.bodies_of([7]) == [TOMBSTONE]
    drop(copies, changes.post(7))
    assert copies.bodies_of([7]) == [None]


def test_a_body_that_names_no_author_is_not_kept(copies: Copies) -> None:
    copies.keep_bodies({7: body_of(b'{"id":"7"}')}, copies.begin())
    assert kept(copies, 7) == []


@pytest.mark.parametrize(
    ("subject", "left"),
    [
        (changes.post(1), [2, 3]),
        (changes.author(AUTHOR), [3]),
        (EVERYTHING, []),
        (changes.session(1), [1, 2, 3]),
        (changes.user(AUTHOR), [1, 2, 3]),
    ],
)
def test_a_change_drops_the_bodies_of_its_subject(
    copies: Copies, subject: Subject, left: list[int]
) -> None:
    keep(copies, 1)
    keep(copies, 2)
    keep(copies, 3, OTHER_AUTHOR)
    drop(copies, subject)
    assert kept(copies, 1, 2, 3) == left


@pytest.mark.parametrize(
    ("subject", "left"),
    [
        (changes.session(1), [2, 3]),
        (changes.user(1), [3]),
        (EVERYTHING, []),
        (changes.post(1), [1, 2, 3]),
    ],
)
def test_a_change_drops_the_sessions_of_its_subject(
    copies: Copies, subject: Subject, left: list[int]
) -> None:
    for session_id, user_id in ((1, 1), (2, 1), (3, 2)):
        keep_session(copies, session_id, user_id)
    drop(copies, subject)
    assert [s for s in (1, 2, 3) if copies.session(s, NOW)] == left


@pytest.mark.parametrize("subject", [changes.post(7), changes.author(AUTHOR), EVERYTHING])
def test_a_body_read_before_a_drop_of_its_subject_is_not_kept(
    copies: Copies, subject: Subject
) -> None:
    began = copies.begin()
    drop(copies, subject)
    copies.keep_bodies({7: body(7)}, began)
    assert kept(copies, 7) == []
    copies.keep_bodies({7: body(7)}, copies.begin())
    assert kept(copies, 7) == [7]


def test_an_authors_change_drops_every_tombstone(copies: Copies) -> None:
    copies.keep_bodies({7: TOMBSTONE, 8: TOMBSTONE}, copies.begin())
    keep(copies, 9, OTHER_AUTHOR)
    drop(copies, changes.author(AUTHOR))
    assert kept(copies, 7, 8, 9) == [9]


def test_a_tombstone_read_before_an_authors_change_is_not_kept(copies: Copies) -> None:
    began = copies.begin()
    drop(copies, changes.author(AUTHOR))
    copies.keep_bodies({7: TOMBSTONE, 9: body(9, OTHER_AUTHOR)}, began)
    assert kept(copies, 7, 9) == [9]


def test_a_body_read_before_a_drop_of_others_is_kept(copies: Copies) -> None:
    began = copies.begin()
    drop(copies, changes.post(6), changes.author(OTHER_AUTHOR), changes.session(7), changes.user(7))
    copies.keep_bodies({7: body(7)}, began)
    assert kept(copies, 7) == [7]


@pytest.mark.parametrize("subject", [changes.session(7), changes.user(1), EVERYTHING])
def test_a_session_read_before_its_drop_is_not_kept(copies: Copies, subject: Subject) -> None:
    began = copies.begin()
    drop(copies, subject)
    copy = SessionCopy(user_id=1, secret_sha256="00", expires_at=EXPIRES_AT)
    copies.keep_session(7, copy, began, NOW)
    assert copies.session(7, NOW) is None


def test_a_change_that_was_applied_is_skipped(copies: Copies) -> None:
    change = Change(1, b"id", changes.post(7))
    copies.apply([change])
    keep(copies, 7)
    copies.apply([change._replace(number=9)])
    assert kept(copies, 7) == [7]


def test_the_tick_rises_with_drops_of_bodies_alone(copies: Copies) -> None:
    ticks = [copies.tick]
    for subject in (changes.post(1), changes.author(1), EVERYTHING):
        drop(copies, subject)
        ticks.append(copies.tick)
    assert ticks == sorted(set(ticks))
    drop(copies, changes.session(1), changes.user(1))
    assert copies.tick == ticks[-1]


def test_a_session_copy_is_read_anew_after_a_minute(copies: Copies) -> None:
    keep_session(copies, 1)
    assert copies.session(1, NOW + SESSION_SECONDS - 1)
    assert copies.session(1, NOW + SESSION_SECONDS) is None
    assert copies.session(1, NOW) is None, "it is removed"


def test_a_session_copy_does_not_outlive_its_session(copies: Copies) -> None:
    keep_session(copies, 1, expires_at=int(NOW) + 5)
    assert copies.session(1, NOW + 4)
    assert copies.session(1, NOW + 5) is None


def test_the_copies_stay_within_their_bytes() -> None:
    seed = random.randrange(1 << 32)
    print("seed", seed)
    rnd, copies = random.Random(seed), Copies(100_000)
    for number in range(2_000):
        size = rnd.choice((100, 600, 3_000))
        copies.keep_bodies({number: body(number, rnd.randrange(9), size)}, copies.begin())
        keep_session(copies, number, rnd.randrange(9))
        if rnd.random() < 0.05:
            drop(copies, changes.author(rnd.randrange(9)), changes.user(rnd.randrange(9)))
        assert copies.size_bytes <= 100_000
    assert copies.size_bytes > 50_000
    for number in range(9):
        drop(copies, changes.author(number), changes.user(number))
    assert copies.size_bytes == 0
    assert not copies._bodies._ids_by_owner
    assert not copies._sessions._ids_by_owner


def test_the_least_recently_used_body_leaves_first() -> None:
    copies = Copies(4 * (600 + BODY_OVERHEAD_BYTES))  # room for three bodies beside the sessions
    for post_id in (1, 2, 3):
        keep(copies, post_id)
    for _ in range(TOUCH_EVERY):
        copies.bodies_of([1])
    keep(copies, 4)
    assert kept(copies, 1, 2, 3, 4) == [1, 3, 4]


def test_no_bytes_keep_nothing() -> None:
    copies = Copies(0)
    keep(copies, 1)
    keep_session(copies, 1)
    assert kept(copies, 1) == []
    assert copies.session(1, NOW) is None
    assert copies.size_bytes == 0


def test_a_body_larger_than_the_bound_is_not_kept_and_harms_nothing() -> None:
    copies = Copies(8 * SESSION_BYTES)
    copies.keep_bodies({1: body(1, size=9_000)}, copies.begin())
    assert kept(copies, 1) == []
    keep(copies, 2)
    assert kept(copies, 2) == [2]


def test_drop_times_are_forgotten_when_no_read_in_flight_needs_them(copies: Copies) -> None:
    times = copies._drop_times._times
    drop(copies, changes.post(1))
    assert not times, "no read is in flight"
    first = copies.begin()
    drop(copies, changes.post(2))
    second = copies.begin()
    drop(copies, changes.post(3))
    copies.end(first)
    assert list(times) == [changes.post(3)]
    copies.keep_bodies({3: body(3)}, second)
    copies.keep_bodies({2: body(2)}, second)
    assert kept(copies, 2, 3) == [2]
    copies.end(second)
    assert not times
    assert not copies._drop_times._in_flight


def test_drop_times_are_bounded(copies: Copies, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copies_module, "MAX_DROP_TIMES", 3)
    began = copies.begin()
    drop(copies, *map(changes.post, range(1, 5)))
    assert len(copies._drop_times._times) <= 3
    copies.keep_bodies({1: body(1)}, began)
    copies.keep_bodies({99: body(99)}, began)
    assert kept(copies, 1, 99) == [], "too many drops count as a drop of everything"


def test_the_ids_of_applied_changes_are_bounded(
    copies: Copies, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copies_module, "MAX_APPLIED_CHANGES", 3)
    drop(copies, *map(changes.post, range(9)))
    assert len(copies._applied) == 3


def metric(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


def test_a_report_adds_up_what_has_happened(copies: Copies) -> None:
    def figures() -> list[Any]:
        return [
            metric("photofeed_copy_reads_total", result="hit"),
            metric("photofeed_copy_reads_total", result="miss"),
            metric("photofeed_copy_drops_total", subject="post"),
            metric("photofeed_copy_drops_total", subject="everything"),
            metric("photofeed_copy_flushes_total"),
        ]

    before = figures()
    keep(copies, 1)
    copies.bodies_of([1, 2, 3])
    copies.take_counts().report()
    assert metric("photofeed_copy_bytes") == copies.size_bytes > 0
    drop(copies, changes.post(1), EVERYTHING)
    copies.take_counts().report()
    copies.take_counts().report()
    assert [new - old for new, old in zip(figures(), before, strict=True)] == [1, 2, 1, 1, 1]
    assert metric("photofeed_copy_bytes") == 0
