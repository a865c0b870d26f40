"""`flask feed verify` finds what is wrong in a timeline, and nothing where all is right."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count

import pytest

from api.services.follows import follow, unfollow
from api.services.posts import delete as delete_post
from feed.verifying import Mender, Report, Verifier
from graph.ids import new_id
from storage.timeline_layout import DISORDER, timeline_key
from tests.support.private_server import PrivateServer
from tests.support.stage import CAP, SLACK, Stage


@dataclass(frozen=True, slots=True)
class Reader:
    """Somebody with a list and its bodies, whom they follow, and the posts, newest first."""

    stage: Stage
    id: int
    author: int
    posts: list[int]

    def post(self) -> int:
        post, event = self.stage.town.post(self.author)
        self.stage.do(event)
        return post

    def push(self, post_id: int) -> None:
        self.stage.storage.cache.client.rpush(timeline_key(self.id), post_id)


@pytest.fixture
def stage(open_stage: Callable[[str], Stage], cache: PrivateServer) -> Stage:
    """The stage on the test's own cache."""
    return open_stage(cache.url)


def reader_of(stage: Stage, posts: int) -> Reader:
    viewer, author = stage.town.users(2)
    stage.town.follow(viewer, author)
    stage.build(viewer)
    for _ in range(posts):
        stage.do(stage.town.post(author)[1])
    stage.right(viewer)
    return Reader(stage, viewer, author, stage.town.truth(viewer))


def verified(*readers: Reader, pause: Callable[[], None] = lambda: None) -> Report:
    stage = readers[0].stage
    return Verifier(stage.graph, stage.storage, pause=pause).verify([one.id for one in readers])


def found(*readers: Reader) -> list[tuple[int, str, int]]:
    return [(one.user_id, one.what, one.post_id) for one in verified(*readers).differences]


def missing(reader: Reader) -> int:
    reader.stage.storage.cache.client.lrem(timeline_key(reader.id), 0, str(reader.posts[1]))
    return reader.posts[1]


def extra(reader: Reader) -> int:
    [post] = reader.stage.town.old_posts(reader.stage.town.user(), [new_id()])
    reader.push(post)
    return post


def order(reader: Reader) -> int:
    [post] = reader.stage.town.old_posts(reader.author, [reader.posts[0] - 2 * DISORDER])
    reader.push(post)
    return post


def expiry(reader: Reader) -> int:
    reader.stage.storage.cache.client.persist(timeline_key(reader.id))
    return 0


def stale(reader: Reader) -> int:
    reader.stage.town.ask("MATCH (u:User {id: $id}) SET u.name = 'Renamed'", id=reader.author)
    reader.stage.storage.bodies.discard(reader.posts[1:])
    return reader.posts[0]


def revived(reader: Reader) -> int:
    reader.stage.town.ask("MATCH (p:Post {id: $id}) DETACH DELETE p", id=reader.posts[0])
    return reader.posts[0]


def hidden(reader: Reader) -> int:
    reader.stage.storage.bodies.tombstone([reader.posts[0]])
    return reader.posts[0]


BROKEN = [missing, extra, order, expiry, stale, revived, hidden]


# Cases 30 and 36
@pytest.mark.parametrize("broken", BROKEN)
def test_what_is_wrong_is_found_and_mended(stage: Stage, broken: Callable[[Reader], int]) -> None:
    reader, other = reader_of(stage, 4), reader_of(stage, 2)
    assert not found(reader, other)
    post_id = broken(reader)
    assert found(reader, other) == [(reader.id, broken.__name__, post_id)]

    assert Mender(stage.graph, stage.storage).mend(reader.id) == "built"
    assert not found(reader, other)
    stage.right(reader.id)


def test_a_running_system_raises_no_alarm_by_what_is_not_finished(stage: Stage) -> None:
    reader = reader_of(stage, 3)
    _, event = stage.town.post(reader.author)  # on its way: nobody has been told
    delete_post(stage.graph, stage.storage, reader.posts[0], author_id=reader.author)
    stage.evict(f"p:{reader.posts[0]}", f"p:{reader.posts[1]}")  # a tombstone, and a body
    reader.push(reader.posts[2])  # a double
    building = reader_of(stage, 0)
    stage.evict_list(building.id)
    assert stage.storage.timelines.begin(building.id)
    building.post()

    report = verified(reader, building)
    assert not report.differences
    assert (report.users, report.timelines) == (2, 1)
    assert (report.late, report.leftovers) == (1, 1)
    stage.do(event)
    assert verified(reader).late == 0


@pytest.mark.parametrize("posts", [0, 1, CAP, CAP + SLACK + 3])
def test_lists_of_any_length_are_right_above_what_they_are_complete_above(
    stage: Stage, posts: int
) -> None:
    viewer, author = stage.town.users(2)
    stage.town.follow(viewer, author)
    reader = Reader(stage, viewer, author, [])
    start = new_id() - 60 * DISORDER
    stage.town.old_posts(author, [start + n * DISORDER for n in range(posts // 2)])
    stage.build(viewer)
    for n in range(posts // 2, posts):  # pushed, until the sentinel is trimmed away
        [post] = stage.town.old_posts(author, [start + n * DISORDER])
        stage.storage.timelines.push([viewer], post, read_at=float("inf"))
    assert not found(reader)


def test_what_is_gone_at_the_second_look_is_no_difference(stage: Stage) -> None:
    reader = reader_of(stage, 3)
    for broken in (missing, stale):
        broken(reader)

        def mended() -> None:
            Mender(stage.graph, stage.storage).mend(reader.id)

        assert not verified(reader, pause=mended).differences


@contextmanager
def life(reader: Reader) -> Iterator[threading.Lock]:
    """Somebody posts, deletes, follows and unfollows meanwhile; the lock is theirs in each step."""
    stage, step, over = reader.stage, threading.Lock(), threading.Event()
    friend = stage.town.user()
    stage.town.old_posts(friend, [new_id()])

    def live() -> None:
        for turn in count():
            with step:
                if over.is_set():
                    return
                post = reader.post()
                if turn % 3 == 0:
                    delete_post(stage.graph, stage.storage, post, author_id=reader.author)
                ends = {"follower_id": reader.id, "followee_id": friend}
                (follow if turn % 2 == 0 else unfollow)(stage.graph, stage.storage, **ends)
                stage.do_all(reader.id)
                stage.rebuild(reader.id)

    with ThreadPoolExecutor(1) as thread:
        living = thread.submit(live)
        try:
            yield step
        finally:
            over.set()
        living.result(30)


def test_no_alarm_is_raised_while_people_post_delete_follow_and_unfollow(stage: Stage) -> None:
    reader = reader_of(stage, 3)
    looks, doubted = 0, 0
    with life(reader) as step:

        def a_step_later() -> None:
            nonlocal doubted
            doubted += 1
            with step:
                return

        for _ in range(30):
            report = verified(reader, pause=a_step_later)
            looks += report.timelines
            assert not report.differences
    assert looks, "a list stood at some of the looks"
    stage.right(reader.id)


# Case 36: an older dump of the graph under a newer cache
def test_posts_that_an_older_graph_does_not_know_show_nothing_are_found_and_mended(
    stage: Stage,
) -> None:
    reader = reader_of(stage, 6)
    lost = reader.posts[:3]
    stage.town.ask("MATCH (p:Post) WHERE p.id IN $ids DETACH DELETE p", ids=lost)
    stage.evict(*(f"p:{post_id}" for post_id in lost[:2]))
    kept = reader.posts[3:]
    shown = stage.read(reader.id)
    assert [post_id for post_id in shown if post_id != lost[2]] == kept

    stage.storage.bodies.discard(reader.posts)  # as bodies go: evicted, or past their time
    assert stage.read(reader.id) == kept, "unknown ids show nothing"
    stage.right(reader.id)
    assert verified(reader).leftovers == len(lost), "found"

    reader.push(lost[2] + 1)
    stage.storage.cache.client.set(f"p:{lost[2] + 1}", b'{"id":"1"}', ex=60)
    assert found(reader) == [(reader.id, "revived", lost[2] + 1)]
    assert Mender(stage.graph, stage.storage).mend(reader.id) == "built"
    assert stage.entries(reader.id) == [0, *reversed(kept)]
    assert not found(reader)
    stage.right(reader.id)


def test_mending_leaves_alone_whom_it_must(stage: Stage) -> None:
    reader, author = reader_of(stage, 2), reader_of(stage, 1)
    mender = Mender(stage.graph, stage.storage)
    stage.evict_list(author.id)
    assert mender.mend(author.id) == "none", "the next page builds it"
    stage.town.follow(reader.id, author.id)
    unfollow(stage.graph, stage.storage, follower_id=reader.id, followee_id=author.id)
    assert mender.mend(reader.id) == "none"
    stage.storage.cache.client.rpush(timeline_key(reader.id), 0)
    assert mender.mend(reader.id) == "left", "no list is built while somebody is being left"
    assert not stage.entries(reader.id)
    stage.do_all(reader.id)
    stage.build(reader.id)
    assert Mender(stage.graph, stage.storage, build=False).mend(reader.id) == "dropped"
    stage.right(reader.id)
