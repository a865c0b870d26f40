"""What lists and windows prove, compared with all posts, newest first."""

from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from feed.proof import WindowPage, page_above, page_below, watermark, window_above, window_page
from storage.timeline_layout import ABOVE_NOTHING, DISORDER
from storage.windows import EXTRA_ENTRIES, Window

HOUR = DISORDER * 60
ABOVE_ALL = 1 << 53
"""Above every id: the first cursor of a walk."""


@dataclass(frozen=True)
class Case:
    """A feed, and a list that correct pushes, builds and trims can produce from it."""

    posts: list[int]
    deleted: set[int]
    entries: list[int]

    @property
    def truth(self) -> list[int]:
        return sorted(set(self.posts) - self.deleted, reverse=True)

    def window(self, limit: int) -> Window:
        newest = self.entries[::-1][: limit + EXTRA_ENTRIES]
        return Window.of([(i, None if i <= 0 else self.body(i)) for i in newest])

    def window_below(self, before: int, newer: int, limit: int) -> Window:
        """The window around the last `before`, with `newer` entries towards the tail."""
        newest = self.entries[::-1]
        first = max(0, newest.index(before) - newer)
        part = newest[first : first + newer + 1 + limit + EXTRA_ENTRIES]
        return Window.of([(i, None if i <= 0 else self.body(i)) for i in part], newest=first == 0)

    def body(self, post_id: int) -> bytes:
        return b"" if post_id in self.deleted else b"%d" % post_id


@st.composite
def cases(draw: st.DrawFn) -> Case:
    gaps = draw(
        st.lists(
            st.sampled_from([1, DISORDER // 8, DISORDER // 2, DISORDER - 1, DISORDER, 3 * DISORDER])
        )
    )
    posts, at = [], HOUR
    for gap in gaps:
        at += gap
        posts.append(at)
    deleted = draw(st.sets(st.sampled_from(posts), max_size=4)) if posts else set()
    # A post arrives once or twice, less than T after its id: entries can be out of order by T.
    arrivals = [(post, draw(st.integers(0, DISORDER - 1))) for post in posts]
    twice = draw(st.lists(st.sampled_from(posts), max_size=4)) if posts else []
    arrivals += [(post, draw(st.integers(0, DISORDER - 1))) for post in twice]
    entries = [post for post, delay in sorted(arrivals, key=lambda a: (a[0] + a[1], a[0]))]
    match draw(st.sampled_from(["whole", "built", "trimmed", "unfinished"])):
        case "whole":
            return Case(posts, deleted, [0, *entries])
        case "built" if posts:  # complete from a post on; older posts were not read
            lowest = draw(st.sampled_from(posts))
            return Case(posts, deleted, [-lowest, *[e for e in entries if e >= lowest]])
        case "trimmed" if entries:
            return Case(posts, deleted, entries[draw(st.integers(0, len(entries) - 1)) :])
        case _:
            return Case(posts, deleted, [-ABOVE_NOTHING, *entries])


@settings(max_examples=200, deadline=None)
@given(cases(), st.integers(1, 12))
def test_a_first_page_is_the_newest_of_all_posts_or_none(case: Case, limit: int) -> None:
    page = window_page(case.window(limit), limit)

    if page is None:
        return
    assert page.ids == case.truth[:limit]
    assert page.bodies == [case.body(i) for i in page.ids]
    if page.next_id is None:
        assert len(case.truth) <= limit
    else:
        assert page.next_id == page.ids[-1]
        assert len(page.ids) == limit


@settings(max_examples=400, deadline=None)
@given(cases(), st.integers(1, 8), st.integers(0, 6), st.data())
def test_a_page_from_the_middle_is_the_next_of_all_posts_or_none(
    case: Case, limit: int, newer: int, data: st.DataObject
) -> None:
    posts = [entry for entry in case.entries if entry > 0]
    if not posts:
        return
    before = data.draw(st.sampled_from(posts))

    page = window_page(case.window_below(before, newer, limit), limit, before)

    if page is None:
        return
    below = [post for post in case.truth if post < before]
    assert page.ids == below[:limit]
    assert page.next_id == (below[limit - 1] if len(below) > limit else page.next_id)
    if page.next_id is None:
        assert len(below) <= limit


@settings(max_examples=400, deadline=None)
@given(cases(), st.integers(1, 8), st.data())
def test_the_newest_entries_prove_the_oldest_newer_posts_or_nothing(
    case: Case, limit: int, data: st.DataObject
) -> None:
    after = data.draw(st.sampled_from([0, HOUR, *case.posts]))

    page = window_above(case.window(limit), after, limit)

    assert page is None or page == sorted(i for i in case.posts if i > after)[:limit]


@settings(max_examples=200, deadline=None)
@given(cases(), st.integers(1, 12))
def test_a_walk_through_the_list_and_the_graph_has_every_post_once(case: Case, limit: int) -> None:
    walked: list[int] = []
    before: int | None = ABOVE_ALL
    while before is not None:
        page = page_below(case.entries, before, limit)
        ids, next_id = page.ids, page.next_id
        if not page.complete:  # the graph answers
            below = sorted((i for i in case.posts if i < before), reverse=True)
            ids, next_id = below[:limit], below[limit - 1] if len(below) > limit else None
        walked += ids
        before = next_id

    assert walked == sorted(case.posts, reverse=True)


@settings(max_examples=200, deadline=None)
@given(cases(), st.integers(1, 12), st.data())
def test_a_page_above_has_the_oldest_newer_posts(
    case: Case, limit: int, data: st.DataObject
) -> None:
    after = data.draw(st.sampled_from([0, HOUR, *case.posts]))

    page = page_above(case.entries, after, limit)

    assert page is None or page == sorted(i for i in case.posts if i > after)[:limit]


def hourly(count: int) -> list[int]:
    return [HOUR * (n + 1) for n in range(count)]


def page_of(entries: list[int], limit: int = 20) -> WindowPage | None:
    newest = entries[::-1][: limit + EXTRA_ENTRIES]
    return window_page(Window.of([(i, b"%d" % i) for i in newest]), limit)


def test_lists_about_as_long_as_a_page_prove_their_first_page() -> None:
    for count in (0, 1, 19, 20):
        page = page_of([0, *hourly(count)])
        assert page
        assert page.ids == hourly(count)[::-1]
        assert page.next_id is None
    for count in (21, 23, 24, 25, 400, 500):
        page = page_of([0, *hourly(count)])
        assert page
        assert page.ids == hourly(count)[::-1][:20]
        assert page.next_id == page.ids[-1]


def test_the_newest_entries_of_a_trimmed_list_prove_its_first_page() -> None:
    page = page_of(hourly(400))

    assert page
    assert page.ids == hourly(400)[::-1][:20]
    assert page.next_id == page.ids[-1]


def test_a_window_within_the_disorder_proves_nothing() -> None:
    """An older entry can lie just outside the window, too close to the head."""
    crowded = [HOUR + n for n in range(400)]

    assert page_of([0, *crowded]) is None
    assert page_below([0, *crowded], ABOVE_ALL, 20).ids == crowded[::-1][:20]


def test_duplicates_that_fill_the_window_leave_the_page_to_the_whole_list() -> None:
    entries = [0, *hourly(30), *[HOUR * 30] * 24]

    assert page_of(entries) is None
    assert page_below(entries, ABOVE_ALL, 20).ids == hourly(30)[::-1][:20]


def test_a_missing_list_and_one_under_construction_prove_nothing() -> None:
    for entries in ([], [-ABOVE_NOTHING], [-ABOVE_NOTHING, *hourly(30)]):
        assert watermark(entries) is None
        assert not page_below(entries, ABOVE_ALL, 20).complete
        assert page_above(entries, 0, 20) is None
    assert page_of([]) is None
    assert page_of([-ABOVE_NOTHING, *hourly(3)]) is None


def test_a_trimmed_list_is_complete_above_its_oldest_entry_and_the_disorder() -> None:
    entries = [HOUR, HOUR + DISORDER - 1, HOUR + DISORDER, HOUR + 2 * DISORDER]

    assert watermark(entries) == HOUR + DISORDER
    assert page_below(entries, ABOVE_ALL, 2) == (entries[:1:-1], HOUR + DISORDER, True)
    assert not page_below(entries, ABOVE_ALL, 3).complete
    assert page_above(entries, HOUR + DISORDER, 9) == entries[3:]
    assert page_above(entries, HOUR + DISORDER - 1, 9) is None


def test_a_list_that_reaches_the_first_post_ends_without_an_empty_page() -> None:
    assert page_below([0, *hourly(20)], ABOVE_ALL, 20).next_id is None
    assert page_below([0], ABOVE_ALL, 20) == ([], None, True)
    assert page_below([-HOUR, *hourly(20)], ABOVE_ALL, 20).next_id == HOUR


def test_posts_marked_as_deleted_are_left_out_of_a_first_page() -> None:
    ids = hourly(23)
    entries = [(i, b"" if i in ids[-3:] else b"body") for i in ids[::-1]]

    page = window_page(Window.of([*entries, (0, None)]), 20)

    assert page
    assert page.ids == ids[:20][::-1]
    assert page.next_id is None
