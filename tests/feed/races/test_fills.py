"""A late write of a reader revives nothing that was deleted or revoked (cases 24 and 25)."""

import pytest

from api.services import sessions
from api.services.errors import NotSignedInError
from api.services.posts import delete as delete_post
from feed.bodies import bodies_of
from feed.pages import Cursor
from graph.errors import NotFoundError
from storage.errors import StorageUnavailableError
from storage.redis.partitions import COUNT
from storage.reservations import FILL
from storage.sessions import copy_key
from storage.timeline_layout import timeline_key
from tests.support.people import A_DAY
from tests.support.stage import LIMIT, Stage, after_the_reading


def reader_of(stage: Stage, posts: int) -> tuple[int, int, list[int]]:
    """A viewer with a list, the author they follow, and the author's posts, newest first."""
    viewer, author = stage.town.users(2)
    stage.town.add_followees(viewer, author)
    stage.build(viewer)
    for _ in range(posts):
        stage.do(stage.town.post(author)[1])
    return viewer, author, stage.town.expected_feed(viewer)


def body_key(post_id: int) -> str:
    return f"p:{post_id}"


# Case 25
@pytest.mark.parametrize("evicted", [False, True], ids=["", "tombstone evicted"])
def test_a_body_read_before_the_deletion_is_not_written_after_it(
    stage: Stage, evicted: bool
) -> None:
    viewer, author, [post, *_] = reader_of(stage, 3)
    stage.evict(body_key(post))
    proxied = stage.behind_proxies()
    hold = proxied.hold_query("posts/many", side="answer")
    reading = stage.begin(bodies_of, proxied.graph, proxied.storage, [post])
    hold.wait()  # the graph has sent the post; the reader has not received it
    delete_post(stage.graph, stage.storage, post, author_id=author)
    stage.check_feed(viewer)
    if evicted:
        stage.evict(body_key(post))
    hold.release()
    assert reading.result(10)[post], "that reader began before the deletion"
    assert not stage.storage.bodies.read_many([post])[post]
    stage.check_feed(viewer)


# Case 25; the held step is the write to the cache
def test_a_body_on_its_way_to_the_cache_is_refused_after_the_deletion(stage: Stage) -> None:
    viewer, author, [post, *_] = reader_of(stage, 3)
    stage.evict(body_key(post))
    proxied = stage.behind_proxies()
    hold = proxied.to.cache.hold(FILL.digest)
    reading = stage.begin(bodies_of, proxied.graph, proxied.storage, [post])
    hold.wait()
    delete_post(stage.graph, stage.storage, post, author_id=author)
    stage.evict(body_key(post))
    hold.release()
    reading.result(10)
    assert not stage.storage.bodies.read_many([post])[post]
    stage.check_feed(viewer)


# Case 25
def test_a_session_read_before_its_end_is_not_copied_after_it(stage: Stage) -> None:
    user = stage.town.user()
    signed_in = sessions.create(stage.graph, stage.storage, user, lifetime=A_DAY)
    token = signed_in.token
    proxied = stage.behind_proxies()
    hold = proxied.hold_query("sessions/by_id", side="answer")
    checking = stage.begin(sessions.authenticate, proxied.graph, proxied.storage, token)
    hold.wait()
    sessions.end(stage.graph, stage.storage, token.session_id, user_id=user)
    hold.release()
    assert checking.exception(10) or checking.result(), "that request began before the end"
    assert stage.storage.sessions.read(user, token.session_id) is None
    with pytest.raises(NotSignedInError):
        sessions.authenticate(stage.graph, stage.storage, token)


# Case 31
def test_a_deletion_refused_without_the_cache_is_finished_by_a_repeat(
    stage: Stage,
) -> None:
    viewer, author, [post, *_] = reader_of(stage, 3)
    stage.check_feed(viewer)
    cut_off = stage.behind_proxies()
    with cut_off.to.cache.outage(), pytest.raises(StorageUnavailableError):
        delete_post(cut_off.graph, cut_off.storage, post, author_id=author)
    delete_post(stage.graph, stage.storage, post, author_id=author)
    stage.check_feed(viewer)


# Case 41
def test_a_sign_out_refused_without_the_cache_is_finished_by_a_repeat(
    stage: Stage,
) -> None:
    user = stage.town.user()
    token = sessions.create(stage.graph, stage.storage, user, lifetime=A_DAY).token
    sessions.authenticate(stage.graph, stage.storage, token)
    cut_off = stage.behind_proxies()
    with cut_off.to.cache.outage(), pytest.raises(StorageUnavailableError):
        sessions.end(cut_off.graph, cut_off.storage, token.session_id, user_id=user)
    sessions.end(stage.graph, stage.storage, token.session_id, user_id=user)
    with pytest.raises(NotSignedInError):
        sessions.authenticate(stage.graph, stage.storage, token)


# Case 24
def test_a_walk_continues_when_its_list_is_evicted_or_being_rebuilt(stage: Stage) -> None:
    viewer, author, truth = reader_of(stage, 13)
    first, cursor = stage.page(viewer)
    assert first == truth[:LIMIT]
    stage.evict_list(viewer)
    second, cursor = stage.page(viewer, cursor)
    assert second == truth[LIMIT : 2 * LIMIT]
    assert stage.storage.timelines.begin(viewer)
    stage.do(stage.town.post(author)[1])
    third, cursor = stage.page(viewer, cursor)
    assert third == truth[2 * LIMIT :]
    assert cursor is None
    stage.check_feed(viewer)


# Case 24
def test_any_one_key_may_be_evicted_at_any_moment(stage: Stage) -> None:
    viewer, author, truth = reader_of(stage, 7)
    deleted = truth[2]
    delete_post(stage.graph, stage.storage, deleted, author_id=author)
    stage.check_feed(viewer)
    for key in (
        body_key(truth[0]),
        body_key(deleted),  # the tombstone; the list still has the id
        timeline_key(viewer),
        body_key(deleted),
    ):
        stage.evict(key)
        assert deleted not in stage.read(viewer, rebuilds=True)
        stage.check_feed(viewer)


# Case 24
@pytest.mark.parametrize("evicted", ["lock", "list"])
def test_a_key_evicted_during_a_build_costs_only_the_build(stage: Stage, evicted: str) -> None:
    viewer, author, _truth = reader_of(stage, 4)
    stage.evict_list(viewer)
    hold, building = stage.hold_rebuild(viewer, after_the_reading)
    if evicted == "lock":
        stage.evict_lock(viewer)
    else:
        stage.evict_list(viewer)
    stage.do(stage.town.post(author)[1])
    hold.release()
    assert not building.result(10)
    stage.check_feed(viewer)
    stage.check_feed(viewer, rebuilds=True)
    stage.check_feed(viewer)


# Case 24
def test_a_revoked_session_stays_revoked_when_its_keys_are_evicted(stage: Stage) -> None:
    user = stage.town.user()
    token = sessions.create(stage.graph, stage.storage, user, lifetime=A_DAY).token
    assert sessions.authenticate(stage.graph, stage.storage, token).user_id == user
    assert stage.storage.sessions.read(user, token.session_id), "the copy is there"
    sessions.end(stage.graph, stage.storage, token.session_id, user_id=user)
    for _ in range(2):
        with pytest.raises(NotSignedInError):
            sessions.authenticate(stage.graph, stage.storage, token)
        stage.evict(copy_key(user, token.session_id))


@pytest.mark.parametrize("distance", [1, COUNT], ids=["another partition", "the same partition"])
def test_a_token_that_lies_about_its_user_copies_and_drops_nothing(
    stage: Stage, distance: int
) -> None:
    user = stage.town.user()
    token = sessions.create(stage.graph, stage.storage, user, lifetime=A_DAY).token
    lie = token._replace(user_id=user + distance)
    with pytest.raises(NotSignedInError):
        sessions.authenticate(stage.graph, stage.storage, lie)
    assert stage.storage.sessions.read(lie.user_id, token.session_id) is None
    stage.evict(copy_key(lie.user_id, token.session_id))  # the reservation
    assert sessions.authenticate(stage.graph, stage.storage, token).user_id == user
    for false_token in (lie, token._replace(secret=b"x" * 32)):
        assert not sessions.proves_session(stage.graph, false_token)
        assert stage.storage.sessions.read(user, token.session_id)
    assert sessions.proves_session(stage.graph, token)
    sessions.drop_copies(stage.storage, user, token.session_id)
    assert stage.storage.sessions.read(user, token.session_id) is None


# Case 35
def test_a_post_deleted_in_the_middle_of_its_fan_out_is_never_shown(stage: Stage) -> None:
    viewer, author, truth = reader_of(stage, 2)
    post, event = stage.town.post(author)
    hold, job = stage.hold_job(event, "follows/followers_page", side="answer")
    delete_post(stage.graph, stage.storage, post, author_id=author)
    assert stage.read(viewer) == truth
    hold.release()
    assert job.result(10) == "done", "the event ends"
    assert stage.read(viewer) == truth
    stage.evict(body_key(post))
    assert stage.read(viewer) == truth
    with pytest.raises(NotFoundError):
        stage.graph.posts.by_id(post, viewer_id=author)
    stage.check_feed(author)


# Case 35
def test_a_post_deleted_before_its_fan_out_is_not_pushed(stage: Stage) -> None:
    viewer, author, truth = reader_of(stage, 2)
    post, event = stage.town.post(author)
    delete_post(stage.graph, stage.storage, post, author_id=author)
    assert stage.do(event) == "done"
    assert post not in stage.entries(viewer)
    assert stage.page(viewer, Cursor("before", 2**53))[0] == truth
