"""Hidden posts and suspended users in the graph: which reads leave them out, and which do not."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from graph import Graph
from graph.ids import MAX_ID, new_id
from tests.support.concurrency import run_together
from tests.support.eventually import eventually
from tests.support.town import Town


def hide(graph: Graph, post: int, author: int) -> bool:
    event = graph.moderation.hide_post(post, author_id=author, operator="ola", reason="spam")
    return event is not None


def show(graph: Graph, post: int, author: int) -> bool:
    event = graph.moderation.show_post(post, author_id=author, operator="ola", reason=None)
    return event is not None


def post_count(graph: Graph, author: int) -> int:
    return graph.users.profile(author, viewer_id=author).post_count


def entries_of(graph: Graph, subject_id: int) -> list[str]:
    """What was done to a subject, the newest first."""
    log = graph.moderation.log(before=MAX_ID, limit=1_000)
    return [entry.action for entry in log if entry.subject_id == subject_id]


def test_every_read_that_shows_posts_leaves_a_hidden_one_out(graph: Graph, town: Town) -> None:
    author, follower = town.users(2)
    town.follow(follower, author)
    shown, hidden = (town.create_post(author).subject_id for _ in range(2))

    def seen() -> tuple[set[int], set[int], list[int], int, int]:
        news = graph.read_positions.news({follower: [shown, hidden]}).get(follower, [])
        return (
            set(graph.posts.many([shown, hidden])),
            graph.posts.visible_ids([shown, hidden], viewer_id=follower),
            [post.id for post in news],
            graph.read_positions.count_unread(follower, after=0, limit=101),
            post_count(graph, author),
        )

    both = seen()
    assert both == ({shown, hidden}, {shown, hidden}, [hidden, shown], 2, 2)
    whole = graph.posts.many([hidden])
    assert hide(graph, hidden, author)
    assert seen() == ({shown}, {shown}, [shown], 1, 1)
    assert graph.posts.existing_ids([shown, hidden]) == {shown, hidden}
    assert graph.posts.feed_page(follower, before=MAX_ID, limit=9).post_ids == [hidden, shown]
    assert show(graph, hidden, author)
    assert seen() == both
    assert graph.posts.many([hidden]) == whole


def test_a_post_has_one_relationship_with_its_author_whatever_was_done(
    graph: Graph, town: Town
) -> None:
    author = town.user()
    post = town.create_post(author).subject_id
    for change, name in ((hide, "POSTED_HIDDEN"), (show, "POSTED")) * 2:
        assert change(graph, post, author)
        rows = town.query(
            "MATCH (user:User)-[one]->(:Post {id: $id}) RETURN user.id AS id, type(one) AS name",
            id=post,
        )
        assert rows == [{"id": author, "name": name}]


def test_one_change_of_several_at_once_is_made_and_logged(graph: Graph, town: Town) -> None:
    author = town.user()
    post = town.create_post(author).subject_id
    for change in (hide, show):
        made = run_together(*[partial(change, graph, post, author)] * 4)
        assert sorted(made, key=str) == [False, False, False, True]
        assert post_count(graph, author) == (change is show)
    for suspend in (graph.moderation.suspend, graph.moderation.unsuspend):
        events = run_together(*[partial(suspend, author, operator="ola", reason="x")] * 4)
        assert len([one for one in events if one is not None]) == 1
    delete = partial(
        graph.moderation.delete_account, author, undo_ms=1_000, operator="ola", reason="x"
    )
    events = run_together(*[delete] * 4)
    assert len([one for one in events if one is not None]) == 1
    assert entries_of(graph, post) == ["show-post", "hide-post"]
    assert entries_of(graph, author) == ["delete-account", "unsuspend", "suspend"]


@pytest.mark.parametrize("name", ["suspend", "unsuspend"])
def test_a_suspension_waits_for_the_same_change_and_is_not_made_again(
    graph: Graph, town: Town, name: str
) -> None:
    user = town.user()
    if name == "unsuspend":
        graph.moderation.suspend(user, operator="ola", reason="x")
    change = partial(getattr(graph.moderation, name), user, operator="ola", reason="x")
    with town.locked(user) as other, ThreadPoolExecutor(1) as pool:
        second = pool.submit(change)
        eventually(town.blocked_by_locks)
        state, at = ("suspended", 1) if name == "suspend" else ("active", None)
        changed = "MATCH (u:User {id: $id}) SET u.state = $state, u.suspended_at = $at"
        other.run(changed, id=user, state=state, at=at).consume()
        other.commit()
        assert second.result(20) is None


def test_a_deletion_waits_for_a_change_of_the_account(graph: Graph, town: Town) -> None:
    user = town.user()
    delete = partial(graph.moderation.delete_account, user, undo_ms=1_000, operator="ola")
    with town.locked(user) as other, ThreadPoolExecutor(1) as pool:
        second = pool.submit(delete, reason="x")
        eventually(town.blocked_by_locks)
        other.run("MATCH (u:User {id: $id}) SET u.state = 'leaving'", id=user).consume()
        other.commit()
        assert second.result(20) is None
    assert entries_of(graph, user) == []


@pytest.mark.parametrize("change", [hide, show])
def test_a_change_waits_for_the_same_one_and_is_not_made_again(
    graph: Graph, town: Town, change: Callable[[Graph, int, int], bool]
) -> None:
    author = town.user()
    post = town.create_post(author).subject_id
    if change is show:
        hide(graph, post, author)
    with town.locked_post(post) as other, ThreadPoolExecutor(1) as pool:
        second = pool.submit(change, graph, post, author)
        eventually(town.blocked_by_locks)
        hidden_at = 1 if change is hide else None
        other.run("MATCH (p:Post {id: $id}) SET p.hidden_at = $at", id=post, at=hidden_at).consume()
        other.commit()
        assert not second.result(20)


def test_a_post_is_hidden_by_its_own_author_id_alone(graph: Graph, town: Town) -> None:
    author, other = town.users(2)
    post = town.create_post(author).subject_id
    assert not hide(graph, post, other)
    assert not hide(graph, new_id(), author)
    assert post in graph.posts.many([post])
    assert entries_of(graph, post) == []


def test_a_hidden_post_that_is_deleted_cannot_be_shown(graph: Graph, town: Town) -> None:
    author = town.user()
    post = town.create_post(author).subject_id
    assert hide(graph, post, author)
    assert graph.posts.delete(post, author_id=author)
    assert graph.moderation.post(post) is None
    assert not show(graph, post, author)


def test_an_account_that_leaves_is_suspended_once(graph: Graph, town: Town) -> None:
    user = town.user()
    town.query("MATCH (user:User {id: $id}) SET user.state = 'leaving'", id=user)
    for change in (graph.moderation.suspend, graph.moderation.unsuspend):
        events = [change(user, operator="ola", reason="x") for _ in range(2)]
        assert [event is None for event in events] == [False, True]
    assert entries_of(graph, user) == ["unsuspend", "suspend"]


def test_a_user_who_is_being_deleted_cannot_be_suspended(graph: Graph, town: Town) -> None:
    user = town.user()
    for state in ("deleting", "deleted"):
        town.query("MATCH (user:User {id: $id}) SET user.state = $state", id=user, state=state)
        assert graph.moderation.suspend(user, operator="ola", reason="x") is None
        assert graph.moderation.unsuspend(user, operator="ola", reason="x") is None
    assert entries_of(graph, user) == []
