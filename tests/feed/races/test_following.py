"""A follow and a post at the same time: the feed has the post in either order (case 35)."""

from api.services.follows import follow, unfollow
from storage.timeline_layout import follow_key
from tests.support.stage import Stage


def strangers(stage: Stage) -> tuple[int, int]:
    """A viewer with a list, and an author of a post whom they do not follow yet."""
    viewer, author = stage.town.users(2)
    stage.do(stage.town.post(author)[1])
    stage.do(stage.town.post(viewer)[1])
    stage.build(viewer)
    return viewer, author


def settle(stage: Stage, viewer: int, author: int) -> None:
    """Check the feed now, after all events are done, and with a rebuilt list."""
    stage.check_feed(viewer)
    stage.do_all(viewer, author)
    stage.check_feed(viewer)
    stage.check_feed(viewer, rebuilds=True)
    stage.check_feed(viewer)


# Case 35
def test_a_follow_committed_after_the_followers_were_read_finds_the_post_in_the_graph(
    stage: Stage,
) -> None:
    viewer, author = strangers(stage)
    post, event = stage.town.post(author)
    hold, job = stage.hold_job(event, "follows/followers_page", side="answer")
    follow(stage.graph, stage.storage, follower_id=viewer, followee_id=author)
    assert post in stage.read(viewer)
    hold.release()
    assert job.result(10) == "done"
    settle(stage, viewer, author)


# Case 35
def test_a_post_committed_after_the_follower_has_built_their_list_is_pushed_into_it(
    stage: Stage,
) -> None:
    viewer, author = strangers(stage)
    proxied = stage.behind_proxies()
    hold = proxied.hold_query("posts/create")
    town = type(stage.town)(proxied.graph)
    posting = stage.begin(town.post, author)
    hold.wait()
    follow(stage.graph, stage.storage, follower_id=viewer, followee_id=author)
    stage.check_feed(viewer, rebuilds=True)
    assert stage.entries(viewer)
    hold.release()
    _post, event = posting.result(10)
    stage.do(event)
    settle(stage, viewer, author)


# Case 35
def test_a_follow_whose_commit_is_held_until_the_fan_out_is_done_shows_the_post(
    stage: Stage,
) -> None:
    viewer, author = strangers(stage)
    proxied = stage.behind_proxies()
    hold = proxied.hold_query("follows/create")
    following = stage.begin(
        follow, proxied.graph, stage.storage, follower_id=viewer, followee_id=author
    )
    hold.wait()
    stage.do(stage.town.post(author)[1])
    stage.check_feed(viewer)
    hold.release()
    following.result(10)
    settle(stage, viewer, author)


def follow_by_request(stage: Stage, viewer: int, author: int) -> None:
    follow(stage.graph, stage.storage, follower_id=viewer, followee_id=author)


def test_a_follow_costs_one_rebuild_also_when_its_event_comes_late(stage: Stage) -> None:
    viewer, author = strangers(stage)
    follow_by_request(stage, viewer, author)
    assert stage.entries(viewer) == []
    stage.build(viewer)
    before = stage.entries(viewer)
    stage.do_all(viewer, author)
    assert stage.entries(viewer) == before
    stage.check_feed(viewer)


def test_a_repeated_follow_drops_nothing(stage: Stage) -> None:
    viewer, author = strangers(stage)
    follow_by_request(stage, viewer, author)
    stage.build(viewer)
    before = stage.entries(viewer)
    follow_by_request(stage, viewer, author)
    assert stage.entries(viewer) == before
    stage.do_all(viewer, author)
    stage.evict(follow_key(viewer, author))
    stage.town.query(
        "MATCH (:User {id: $id})-[f:FOLLOWS]->() SET f.created_at = f.created_at - 100000",
        id=viewer,
    )
    follow_by_request(stage, viewer, author)
    assert stage.entries(viewer) == before
    stage.check_feed(viewer)


def test_a_repeated_follow_drops_the_list_that_its_first_try_has_left(stage: Stage) -> None:
    viewer, author = strangers(stage)
    stage.graph.follows.create(follower_id=viewer, followee_id=author)  # and the request dies
    follow_by_request(stage, viewer, author)
    stage.check_feed(viewer)


def test_a_second_follow_drops_the_list_although_the_first_one_has_left_its_mark(
    stage: Stage,
) -> None:
    viewer, author = strangers(stage)
    follow_by_request(stage, viewer, author)
    unfollow(stage.graph, stage.storage, follower_id=viewer, followee_id=author)
    stage.do_all(viewer, author)
    stage.build(viewer)
    event = stage.town.follow(viewer, author)  # and the request dies
    assert stage.do(event) == "done"
    stage.check_feed(viewer)
    stage.build(viewer)
    stage.check_feed(viewer)


# Case 35; the request dies after its commit and before it drops the list
def test_a_follow_killed_between_its_commit_and_its_drop_is_finished_by_its_event(
    stage: Stage,
) -> None:
    viewer, author = strangers(stage)
    stage.graph.follows.create(follower_id=viewer, followee_id=author)
    stage.do(stage.town.post(author)[1])
    stage.do_all(viewer)
    stage.check_feed(viewer)
    stage.check_feed(viewer, rebuilds=True)
    stage.check_feed(viewer)
