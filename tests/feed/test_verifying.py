"""Verification finds every kind of difference and no false one; a repair removes it."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count

import pytest

from api.services.follows import follow, unfollow
from api.services.posts import delete as delete_post
from feed.repairing import Repairer
from feed.verifying import Report, Verifier
from graph.ids import new_id
from storage.timeline_layout import DISORDER, timeline_key
from tests.support.local_copies import CopyingProcess
from tests.support.private_server import PrivateServer
from tests.support.stage import CAP, SLACK, Stage


@dataclass(frozen=True, slots=True)
class Reader:
    """A user with a list and bodies, an author whom they follow, and their posts, newest first."""

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
    """The stage on a cache that only this test uses."""
    return open_stage(cache.url)


def reader_of(stage: Stage, posts: int) -> Reader:
    viewer, author = stage.town.users(2)
    stage.town.add_followees(viewer, author)
    stage.build(viewer)
    for _ in range(posts):
        stage.do(stage.town.post(author)[1])
    stage.check_feed(viewer)
    return Reader(stage, viewer, author, stage.town.expected_feed(viewer))


def verify(*readers: Reader, pause: Callable[[], None] = lambda: None) -> Report:
    stage = readers[0].stage
    user_ids = [reader.id for reader in readers]
    return Verifier(stage.graph, stage.storage, pause=pause).verify(user_ids)


def differences(*readers: Reader) -> list[tuple[int, str, int]]:
    return [(each.user_id, each.kind, each.post_id) for each in verify(*readers).differences]


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
    reader.stage.town.query("MATCH (u:User {id: $id}) SET u.name = 'Renamed'", id=reader.author)
    reader.stage.storage.bodies.discard(reader.posts[1:])
    return reader.posts[0]


def revived(reader: Reader) -> int:
    reader.stage.town.query("MATCH (p:Post {id: $id}) DETACH DELETE p", id=reader.posts[0])
    return reader.posts[0]


def hidden(reader: Reader) -> int:
    reader.stage.storage.bodies.tombstone([reader.posts[0]])
    return reader.posts[0]


BREAKS = [missing, extra, order, expiry, stale, revived, hidden]
"""A function for each kind of difference: it makes one, and returns its post id."""


# Cases 30 and 36
@pytest.mark.parametrize("break_timeline", BREAKS)
def test_every_kind_of_difference_is_found_and_repaired(
    stage: Stage, break_timeline: Callable[[Reader], int]
) -> None:
    reader, other = reader_of(stage, 4), reader_of(stage, 2)
    assert not differences(reader, other)
    post_id = break_timeline(reader)
    assert differences(reader, other) == [(reader.id, break_timeline.__name__, post_id)]

    assert Repairer(stage.graph, stage.storage).repair(reader.id) == "built"
    assert not differences(reader, other)
    stage.check_feed(reader.id)


@pytest.mark.parametrize("break_timeline", [stale, revived, hidden])
def test_a_repair_drops_wrong_bodies_of_other_processes(
    stage: Stage, break_timeline: Callable[[Reader], int]
) -> None:
    reader = reader_of(stage, 2)
    other = CopyingProcess(stage.storage.cache)
    post_id = break_timeline(reader)
    wrong = other.body(post_id, viewer_id=reader.id)
    assert other.has_body(post_id)
    Repairer(stage.graph, stage.storage).repair(reader.id)
    assert other.body(post_id, viewer_id=reader.id) != wrong


def test_unfinished_work_of_a_running_system_is_no_difference(stage: Stage) -> None:
    reader = reader_of(stage, 3)
    _, event = stage.town.post(reader.author)  # its event is not done
    delete_post(stage.graph, stage.storage, reader.posts[0], author_id=reader.author)
    stage.evict(f"p:{reader.posts[0]}", f"p:{reader.posts[1]}")  # a tombstone and a body
    reader.push(reader.posts[2])  # a duplicate
    building = reader_of(stage, 0)
    stage.evict_list(building.id)
    assert stage.storage.timelines.begin(building.id)
    building.post()

    report = verify(reader, building)
    assert not report.differences
    assert (report.users, report.timelines) == (2, 1)
    assert (report.late, report.leftovers) == (1, 1)
    stage.do(event)
    assert verify(reader).late == 0


@pytest.mark.parametrize("posts", [0, 1, CAP, CAP + SLACK + 3])
def test_lists_of_any_length_are_correct_above_their_watermark(stage: Stage, posts: int) -> None:
    viewer, author = stage.town.users(2)
    stage.town.add_followees(viewer, author)
    reader = Reader(stage, viewer, author, [])
    start = new_id() - 60 * DISORDER
    stage.town.old_posts(author, [start + n * DISORDER for n in range(posts // 2)])
    stage.build(viewer)
    for n in range(posts // 2, posts):  # enough to trim the sentinel
        [post] = stage.town.old_posts(author, [start + n * DISORDER])
        stage.storage.timelines.push([viewer], post, read_at=float("inf"))
    assert not differences(reader)


def test_a_difference_that_the_second_comparison_lacks_does_not_count(stage: Stage) -> None:
    reader = reader_of(stage, 3)
    for break_timeline in (missing, stale):
        break_timeline(reader)

        def repair() -> None:
            Repairer(stage.graph, stage.storage).repair(reader.id)

        assert not verify(reader, pause=repair).differences


@contextmanager
def life(reader: Reader) -> Iterator[threading.Lock]:
    """A thread that posts, deletes, follows and unfollows. It holds the lock during each step."""
    stage, step, over = reader.stage, threading.Lock(), threading.Event()
    friend = stage.town.user()
    stage.town.old_posts(friend, [new_id()])

    def act() -> None:
        for round_ in count():
            with step:
                if over.is_set():
                    return
                post = reader.post()
                if round_ % 3 == 0:
                    delete_post(stage.graph, stage.storage, post, author_id=reader.author)
                ends = {"follower_id": reader.id, "followee_id": friend}
                (follow if round_ % 2 == 0 else unfollow)(stage.graph, stage.storage, **ends)
                stage.do_all(reader.id)
                stage.rebuild(reader.id)

    with ThreadPoolExecutor(1) as thread:
        acting = thread.submit(act)
        try:
            yield step
        finally:
            over.set()
        acting.result(30)


def test_no_difference_is_found_while_people_post_delete_follow_and_unfollow(stage: Stage) -> None:
    reader = reader_of(stage, 3)
    timelines, doubts = 0, 0
    with life(reader) as step:

        def wait_for_step() -> None:
            nonlocal doubts
            doubts += 1
            with step:
                return

        for _ in range(30):
            report = verify(reader, pause=wait_for_step)
            timelines += report.timelines
            assert not report.differences
    assert timelines, "some of the comparisons found a list"
    stage.check_feed(reader.id)


# Case 36: an older dump of the graph under a newer cache
def test_posts_that_an_older_graph_lacks_are_not_shown_are_found_and_repaired(
    stage: Stage,
) -> None:
    reader = reader_of(stage, 6)
    lost = reader.posts[:3]
    stage.town.query("MATCH (p:Post) WHERE p.id IN $ids DETACH DELETE p", ids=lost)
    stage.evict(*(f"p:{post_id}" for post_id in lost[:2]))
    remaining = reader.posts[3:]
    shown = stage.read(reader.id)
    assert [post_id for post_id in shown if post_id != lost[2]] == remaining

    stage.storage.bodies.discard(reader.posts)  # as eviction or expiry does
    assert stage.read(reader.id) == remaining, "a page leaves unknown ids out"
    stage.check_feed(reader.id)
    assert verify(reader).leftovers == len(lost)

    reader.push(lost[2] + 1)
    stage.storage.cache.client.set(f"p:{lost[2] + 1}", b'{"id":"1"}', ex=60)
    assert differences(reader) == [(reader.id, "revived", lost[2] + 1)]
    assert Repairer(stage.graph, stage.storage).repair(reader.id) == "built"
    assert stage.entries(reader.id) == [0, *reversed(remaining)]
    assert not differences(reader)
    stage.check_feed(reader.id)


def test_a_repair_builds_no_missing_timeline_and_none_during_a_leaving(stage: Stage) -> None:
    reader, author = reader_of(stage, 2), reader_of(stage, 1)
    repairer = Repairer(stage.graph, stage.storage)
    stage.evict_list(author.id)
    assert repairer.repair(author.id) == "none", "the next page builds it"
    stage.town.add_followees(reader.id, author.id)
    unfollow(stage.graph, stage.storage, follower_id=reader.id, followee_id=author.id)
    assert repairer.repair(reader.id) == "none"
    stage.storage.cache.client.rpush(timeline_key(reader.id), 0)
    assert repairer.repair(reader.id) == "left", "no list is built during a leaving"
    assert not stage.entries(reader.id)
    stage.do_all(reader.id)
    stage.build(reader.id)
    assert Repairer(stage.graph, stage.storage, build=False).repair(reader.id) == "dropped"
    stage.check_feed(reader.id)
