"""A follow and a post at one moment: the post is in the feed, whichever came first (case 35)."""

from api.services.follows import follow
from tests.support.stage import Stage
from workers.outbox import run


def strangers(stage: Stage) -> tuple[int, int]:
    """A viewer with a list, and an author of a post whom they do not follow yet."""
    viewer, author = stage.town.users(2)
    stage.do(stage.town.post(author)[1])
    stage.do(stage.town.post(viewer)[1])
    stage.build(viewer)
    return viewer, author


def settle(stage: Stage, viewer: int, author: int) -> None:
    """The feed is right now, after everything owed is done, and with a list built anew."""
    stage.right(viewer)
    stage.do_all(viewer, author)
    stage.right(viewer)
    stage.right(viewer, rebuilds=True)
    stage.right(viewer)


# Case 35
def test_a_follow_committed_after_the_followers_were_read_finds_the_post_in_the_graph(
    stage: Stage,
) -> None:
    viewer, author = strangers(stage)
    held = stage.behind_proxies()
    post, event = stage.town.post(author)
    hold = held.at_query("follows/followers_page", side="answer")
    job = stage.begin(run, held.graph, held.storage, event.id, event.epoch)
    hold.wait()
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
    held = stage.behind_proxies()
    hold = held.at_query("posts/create")
    town = type(stage.town)(held.graph)
    posting = stage.begin(town.post, author)
    hold.wait()
    follow(stage.graph, stage.storage, follower_id=viewer, followee_id=author)
    stage.right(viewer, rebuilds=True)
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
    held = stage.behind_proxies()
    hold = held.at_query("follows/create")
    following = stage.begin(
        follow, held.graph, stage.storage, follower_id=viewer, followee_id=author
    )
    hold.wait()
    stage.do(stage.town.post(author)[1])
    stage.right(viewer)
    hold.release()
    following.result(10)
    settle(stage, viewer, author)


# Case 35, the answer to the commit held: the follow stands, its list is not dropped yet
def test_a_follow_killed_between_its_commit_and_its_drop_is_mended_by_its_event(
    stage: Stage,
) -> None:
    viewer, author = strangers(stage)
    stage.graph.follows.create(follower_id=viewer, followee_id=author)
    stage.do(stage.town.post(author)[1])
    stage.do_all(viewer)
    stage.right(viewer)
    stage.right(viewer, rebuilds=True)
    stage.right(viewer)
