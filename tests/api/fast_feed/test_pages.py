"""Kept pages: when one is current, and how many are kept."""

import pytest

from api.fast_feed.pages import OVERHEAD_BYTES, FinishedPage, KeptPage, KeptPages, Key
from feed.copies import TOMBSTONE, Body, Copies, body_of
from feed.pages import Cursor
from storage.changes import EVERYTHING, Change, Subject, author, post, session

ENTRIES = [b"0", b"7", b"8", b"9"]


class Scene:
    """Copies of three bodies, one of them a tombstone, and a page that was made of them."""

    def __init__(self) -> None:
        self.copies = Copies(1_000_000)
        self.numbers = iter(range(1, 100))
        for post_id, body in ((7, body_with(7)), (8, TOMBSTONE), (9, body_with(9))):
            self.keep(post_id, body)

    def keep(self, post_id: int, body: Body) -> None:
        began = self.copies.begin()
        self.copies.keep_bodies({post_id: body}, began)
        self.copies.end(began)

    def change(self, subject: Subject) -> None:
        number = next(self.numbers)
        self.copies.apply([Change(number, b"%d" % number, subject)])

    def page(self, *, degraded: bool = False) -> KeptPage:
        ids = [9, 8, 7]
        bodies = dict(zip(ids, self.copies.bodies_of(ids), strict=True))
        return KeptPage(
            finished(),
            entries=list(ENTRIES),
            bodies_by_id=bodies,
            tick=self.copies.tick,
            degraded=degraded,
        )

    def is_current(self, page: KeptPage, *, degraded: bool = False) -> bool:
        return page.is_current(list(ENTRIES), self.copies, degraded=degraded)


@pytest.fixture
def scene() -> Scene:
    return Scene()


def body_with(post_id: int, *, author_id: int = 3, caption: str = "") -> Body:
    text = f'{{"id":"{post_id}","author":{{"id":"{author_id}"}},"caption":"{caption}"}}'
    return body_of(text.encode())


def finished(size: int = 10) -> FinishedPage:
    return FinishedPage(b"x" * size, b'"tag"', [], [])


def kept(size: int = 10) -> KeptPage:
    return KeptPage(finished(size), entries=[], bodies_by_id={}, tick=0, degraded=False)


def key_of(viewer: int, limit: int = 20, cursor: Cursor | None = None) -> Key:
    return viewer, limit, cursor


def test_a_page_is_current_while_its_entries_and_bodies_are_the_same(scene: Scene) -> None:
    page = scene.page()
    assert scene.is_current(page)
    scene.change(post(5))  # a change of another post
    assert scene.is_current(page)
    scene.change(session(7))
    assert scene.is_current(page)


@pytest.mark.parametrize(
    "entries",
    [
        [*ENTRIES, b"10"],
        ENTRIES[1:],
        [b"0", b"7", b"9", b"8"],
        [b"-1", *ENTRIES[1:]],
        [],
        [1, ENTRIES],
    ],
)
def test_a_page_of_other_entries_is_not_current(scene: Scene, entries: list[object]) -> None:
    page = scene.page()
    assert not page.is_current(entries, scene.copies, degraded=False)
    assert scene.is_current(page)


def test_a_page_is_not_current_if_the_graph_has_failed_or_come_back(scene: Scene) -> None:
    assert not scene.is_current(scene.page(), degraded=True)
    assert not scene.is_current(scene.page(degraded=True))
    assert scene.is_current(scene.page(degraded=True), degraded=True)


@pytest.mark.parametrize("subject", [post(7), post(8), post(9), author(3), EVERYTHING])
def test_a_page_is_not_current_after_a_change_of_one_of_its_bodies(
    scene: Scene, subject: Subject
) -> None:
    page = scene.page()
    assert scene.is_current(page)
    scene.change(subject)
    assert not scene.is_current(page)


def test_a_page_is_not_current_after_its_body_was_read_anew(scene: Scene) -> None:
    page = scene.page()
    scene.change(post(9))
    scene.keep(9, body_with(9, caption="other"))
    assert not scene.is_current(page)
    scene.keep(9, body_with(9))  # the same bytes in another object
    assert not scene.is_current(page)


def test_a_change_between_the_tick_and_the_reading_of_bodies_makes_no_current_page(
    scene: Scene,
) -> None:
    tick, bodies = scene.copies.tick, scene.copies.bodies_of([7])
    scene.change(post(7))
    page = KeptPage(
        finished(),
        entries=list(ENTRIES),
        bodies_by_id=dict(zip([7], bodies, strict=True)),
        tick=tick,
        degraded=False,
    )
    assert not scene.is_current(page)


def test_a_page_without_a_body_is_current_only_until_the_next_change(scene: Scene) -> None:
    page = KeptPage(
        finished(),
        entries=list(ENTRIES),
        bodies_by_id={9: scene.copies.bodies_of([9])[0], 6: None},
        tick=scene.copies.tick,
        degraded=False,
    )
    assert scene.is_current(page)
    scene.change(post(6))  # its body is in no copy, so nothing else would tell
    assert not scene.is_current(page)


def test_a_page_that_was_compared_needs_no_comparison_until_the_next_change(
    scene: Scene,
) -> None:
    page = scene.page()
    scene.change(post(5))
    assert scene.is_current(page)
    reads = scene.copies._counts.reads
    assert scene.is_current(page)
    assert scene.copies._counts.reads == reads


def test_a_page_that_is_not_current_stays_so(scene: Scene) -> None:
    page = scene.page()
    scene.change(post(9))
    assert not scene.is_current(page)
    assert not scene.is_current(page)


def test_a_page_of_evicted_bodies_is_not_current_after_a_change(scene: Scene) -> None:
    scene.copies = Copies(0)  # keeps nothing, as if all had been evicted
    page = KeptPage(
        finished(),
        entries=list(ENTRIES),
        bodies_by_id={7: body_with(7)},
        tick=scene.copies.tick,
        degraded=False,
    )
    assert scene.is_current(page)
    scene.change(post(5))
    assert not scene.is_current(page)


def test_pages_are_kept_by_viewer_limit_and_cursor() -> None:
    pages = KeptPages(1_000_000)
    below, above = Cursor("before", 9), Cursor("after", 9)
    keys = [key_of(1), key_of(2), key_of(1, 7), key_of(1, 20, below), key_of(1, 20, above)]
    by_key = {key: kept() for key in keys}
    for key, page in by_key.items():
        pages.keep(key, page)
    assert {key: pages.get(key) for key in keys} == by_key
    assert pages.get(key_of(1, 20, Cursor("before", 8))) is None


def test_a_newer_page_replaces_the_older_one_and_its_bytes() -> None:
    pages = KeptPages(1_000_000)
    pages.keep(key_of(1), kept(500))
    newer = kept(10)
    pages.keep(key_of(1), newer)
    assert pages.get(key_of(1)) is newer
    assert pages.bytes == OVERHEAD_BYTES + 10


def test_pages_have_a_bound_and_the_least_recently_used_goes_first() -> None:
    pages = KeptPages(3 * (OVERHEAD_BYTES + 100))
    for viewer in (1, 2, 3):
        pages.keep(key_of(viewer), kept(100))
    assert pages.get(key_of(1))
    pages.keep(key_of(4), kept(100))
    assert [viewer for viewer in (1, 2, 3, 4) if pages.get(key_of(viewer))] == [1, 3, 4]
    assert pages.bytes == 3 * (OVERHEAD_BYTES + 100)
    pages.keep(key_of(5), kept(2 * OVERHEAD_BYTES))
    assert pages.bytes <= 3 * (OVERHEAD_BYTES + 100)
    assert [viewer for viewer in (1, 3, 4, 5) if pages.get(key_of(viewer))] == [5]


def test_a_page_above_the_bound_is_not_kept_and_evicts_nothing_else() -> None:
    pages = KeptPages(OVERHEAD_BYTES + 100)
    pages.keep(key_of(1), kept(100))
    pages.keep(key_of(2), kept(101))
    assert pages.get(key_of(1))
    assert pages.get(key_of(2)) is None
    pages.keep(key_of(1), kept(101))
    assert pages.get(key_of(1)) is None, "the older page would not be right"
    assert pages.bytes == 0


def test_no_bytes_keep_no_page() -> None:
    pages = KeptPages(0)
    pages.keep(key_of(1), kept(0))
    assert pages.get(key_of(1)) is None
    assert pages.bytes == 0


def test_a_discarded_page_is_gone() -> None:
    pages = KeptPages(1_000_000)
    pages.keep(key_of(1), kept())
    pages.discard(key_of(1))
    pages.discard(key_of(1))
    assert pages.get(key_of(1)) is None
    assert pages.bytes == 0
