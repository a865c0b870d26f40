"""A list being built misses nothing that is published meanwhile (case 22)."""

from collections.abc import Callable

import pytest

from drill.support.proxy import Hold
from feed.rebuilding import rebuild
from graph.ids import new_id
from storage.timelines import FINISH
from tests.support.stage import CAP, Held, Stage

ABOVE_NOTHING = 2**53


def before_the_mark(held: Held) -> Hold:
    return held.to_cache.hold(b"tb:")


def before_the_reading(held: Held) -> Hold:
    return held.at_query("posts/feed_page")


def after_the_reading(held: Held) -> Hold:
    return held.at_query("posts/feed_page", side="answer")


def before_the_writing(held: Held) -> Hold:
    return held.to_cache.hold(FINISH.digest)


STEPS = [before_the_mark, before_the_reading, after_the_reading, before_the_writing]


def followed_author(stage: Stage) -> tuple[int, int]:
    """A viewer without a list, and an author of some posts whom they follow."""
    viewer, author = stage.town.users(2)
    stage.town.follow(viewer, author)
    for _ in range(3):
        stage.do(stage.town.post(author)[1])
    return viewer, author


# Case 22
@pytest.mark.parametrize("step", STEPS)
def test_a_post_fanned_out_during_a_rebuild_is_in_the_feed_at_once_and_for_good(
    stage: Stage, step: Callable[[Held], Hold]
) -> None:
    viewer, author = followed_author(stage)
    held = stage.behind_proxies()
    hold = step(held)
    building = stage.begin(rebuild, held.graph, held.storage, viewer)
    hold.wait()
    stage.do(stage.town.post(author)[1])
    stage.right(viewer)
    hold.release()
    building.exception(10)  # a write that was held has given up: as good as killed
    stage.right(viewer)
    stage.evict_lock(viewer)
    stage.right(viewer, rebuilds=True)
    stage.do(stage.town.post(author)[1])
    stage.right(viewer)


# Case 22
def test_a_post_whose_id_was_drawn_before_a_rebuild_and_committed_after_its_reading_is_not_missed(
    stage: Stage,
) -> None:
    viewer, author = followed_author(stage)
    held = stage.behind_proxies()
    drawn = new_id()
    stage.do(stage.town.post(author)[1])  # a newer one, which the rebuild reads
    hold = after_the_reading(held)
    building = stage.begin(rebuild, held.graph, held.storage, viewer)
    hold.wait()
    _post, event = stage.town.post(author, post_id=drawn)
    stage.do(event)
    stage.right(viewer)
    hold.release()
    assert building.result(10)
    stage.right(viewer)
    assert drawn in stage.entries(viewer)


# Case 22
def test_a_post_committed_before_the_reading_and_fanned_out_after_the_writing_comes_once(
    stage: Stage,
) -> None:
    viewer, author = followed_author(stage)
    _post, event = stage.town.post(author)
    stage.build(viewer)
    stage.right(viewer)
    stage.do(event)
    stage.right(viewer)


# Case 22
@pytest.mark.parametrize("step", [before_the_reading, after_the_reading, before_the_writing])
def test_a_rebuild_past_its_locks_time_leaves_the_other_ones_list_alone(
    stage: Stage, step: Callable[[Held], Hold]
) -> None:
    viewer, author = followed_author(stage)
    held = stage.behind_proxies()
    hold = step(held)
    late = stage.begin(rebuild, held.graph, held.storage, viewer)
    hold.wait()
    stage.evict_lock(viewer)  # its 10 s are over
    stage.build(viewer)
    stage.do(stage.town.post(author)[1])
    before = stage.entries(viewer)
    hold.release()
    assert late.exception(10) or not late.result()
    assert stage.entries(viewer) == before
    stage.right(viewer)


# Case 22
def test_a_rebuild_overtaken_while_the_other_still_builds_does_not_finish_for_it(
    stage: Stage,
) -> None:
    viewer, author = followed_author(stage)
    one, other = stage.behind_proxies(), stage.behind_proxies()
    first = after_the_reading(one)
    late = stage.begin(rebuild, one.graph, one.storage, viewer)
    first.wait()
    stage.do(stage.town.post(author)[1])  # pushed into the list of the first
    stage.evict_lock(viewer)
    second = before_the_reading(other)
    building = stage.begin(rebuild, other.graph, other.storage, viewer)
    second.wait()  # the second has put a list of its own: the push is gone from it
    first.release()
    assert not late.result(10)
    stage.right(viewer)
    second.release()
    assert building.result(10)
    assert stage.entries(viewer)[0] == 0, "nothing of the first one's list is left in it"
    stage.right(viewer)


# Case 22
def test_the_list_of_a_killed_rebuild_is_never_shown_and_built_anew_by_the_next_reader(
    stage: Stage,
) -> None:
    viewer, author = followed_author(stage)
    assert stage.storage.timelines.begin(viewer), "and here it dies"
    for _ in range(CAP // 2):
        stage.do(stage.town.post(author)[1])
    assert stage.entries(viewer)[0] == -ABOVE_NOTHING
    stage.right(viewer, rebuilds=True)
    assert stage.entries(viewer)[0] == -ABOVE_NOTHING, "its lock still stands"
    stage.evict_lock(viewer)
    stage.right(viewer, rebuilds=True)
    assert stage.entries(viewer)[0] == 0
    stage.right(viewer)


# Case 22: a killed rebuild's list whose sentinel was trimmed away looks like one that stands
def test_the_list_of_a_killed_rebuild_that_was_trimmed_shows_only_what_it_proves(
    stage: Stage,
) -> None:
    viewer, author = followed_author(stage)
    assert stage.storage.timelines.begin(viewer)
    newest = [new_id() for _ in range(CAP * 2)]
    stage.town.old_posts(author, newest)
    for post_id in newest:
        stage.storage.timelines.push([viewer], post_id, read_at=float("inf"))
    assert stage.entries(viewer)[0] > 0
    stage.right(viewer)
