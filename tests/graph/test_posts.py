from functools import partial

import pytest

from graph import Graph
from graph.errors import NotFoundError
from graph.events import Event
from graph.ids import new_id
from graph.posts import FeedIds
from tests.support.concurrency import errors, run_together
from tests.support.ids import NEWEST
from tests.support.town import Town


def test_a_post_is_visible_to_every_viewer_without_a_block(graph: Graph, town: Town) -> None:
    author, blocked, blocker, stranger = town.users(4)
    post_id = town.post(author)[0]
    town.block(author, blocked)
    town.block(blocker, author)
    assert graph.posts.by_id(post_id, viewer_id=stranger).id == post_id
    for viewer in (blocked, blocker):
        with pytest.raises(NotFoundError):
            graph.posts.by_id(post_id, viewer_id=viewer)
    with pytest.raises(NotFoundError):
        graph.posts.by_id(new_id(), viewer_id=stranger)


def test_a_feed_has_the_posts_of_the_viewer_and_of_the_followees(graph: Graph, town: Town) -> None:
    viewer, followee, left, stranger = town.users(4)
    posts = {user: town.post(user)[0] for user in (viewer, followee, left, stranger)}
    town.follow(viewer, followee)
    town.follow(viewer, left)
    town.follow(stranger, viewer)
    town.unfollow(viewer, left)
    post_ids = [*posts.values(), new_id()]
    seen = graph.posts.visible_ids(post_ids, viewer_id=viewer)
    assert seen == {posts[viewer], posts[followee]}
    town.block(followee, viewer)
    assert graph.posts.visible_ids(post_ids, viewer_id=viewer) == {posts[viewer]}
    assert graph.posts.visible_ids([], viewer_id=viewer) == set()


def test_posts_are_read_by_id_and_absent_ones_are_omitted(graph: Graph, town: Town) -> None:
    author = town.user()
    post_ids = [town.post(author)[0] for _ in range(3)]
    assert graph.posts.many([*post_ids, new_id()]).keys() == set(post_ids)
    assert graph.posts.many([]) == {}


def test_the_pages_of_an_authors_posts_descend_by_id(graph: Graph, town: Town) -> None:
    author = town.user()
    post_ids = [town.post(author)[0] for _ in range(5)][::-1]
    assert graph.posts.ids_by_author(author, before=NEWEST, limit=3) == post_ids[:3]
    assert graph.posts.ids_by_author(author, before=post_ids[2], limit=3) == post_ids[3:]
    assert graph.posts.ids_by_author(new_id(), before=NEWEST, limit=2) == []


def test_a_feed_page_has_the_newest_posts_of_the_viewer_and_of_the_followees(
    graph: Graph, town: Town
) -> None:
    viewer, *authors = town.users(4)
    for author in authors[:2]:
        town.follow(viewer, author)
    people = [viewer, *authors]
    posts = [(person, town.post(person)[0]) for _ in range(3) for person in people]
    expected = sorted((post for author, post in posts if author != authors[2]), reverse=True)
    feed = graph.posts.feed_page(viewer, before=NEWEST, limit=100)
    assert feed == FeedIds(post_ids=expected, unfollow_pending=False)
    assert graph.posts.feed_page(viewer, before=NEWEST, limit=4).post_ids == expected[:4]
    page = graph.posts.feed_page(viewer, before=expected[3], limit=4)
    assert page.post_ids == expected[4:8]
    rising = expected[::-1]
    assert graph.posts.feed_page_up(viewer, after=0, limit=4) == rising[:4]
    assert graph.posts.feed_page_up(viewer, after=rising[3], limit=100) == rising[4:]


def test_the_feed_of_a_viewer_without_follows_or_who_does_not_exist_is_empty(
    graph: Graph, town: Town
) -> None:
    for viewer_id in (town.user(), new_id()):
        feed = graph.posts.feed_page(viewer_id, before=NEWEST, limit=5)
        assert feed == FeedIds(post_ids=[], unfollow_pending=False)
        assert graph.posts.feed_page_up(viewer_id, after=0, limit=5) == []


def test_posts_of_an_author_who_is_not_active_keep_their_places_and_have_no_body(
    graph: Graph, town: Town
) -> None:
    viewer, author = town.users(2)
    town.follow(viewer, author)
    post_id = town.post(author)[0]
    town.query("MATCH (user:User {id: $id}) SET user.state = 'gone'", id=author)
    assert graph.posts.feed_page(viewer, before=NEWEST, limit=5).post_ids == [post_id]
    assert graph.posts.feed_page_up(viewer, after=0, limit=5) == [post_id]
    assert graph.posts.many([post_id]) == {}
    assert graph.posts.existing_ids([post_id]) == {post_id}
    assert graph.posts.visible_ids([post_id], viewer_id=viewer) == set()
    with pytest.raises(NotFoundError):
        graph.posts.by_id(post_id, viewer_id=viewer)


def test_deleting_a_post_creates_the_event_that_removes_its_photos(
    graph: Graph, town: Town
) -> None:
    author = town.user()
    photo_ids = [town.photo(author) for _ in range(2)]
    post_id = town.post(author, photo_ids=photo_ids)[0]
    event = graph.posts.delete(post_id, author_id=author)
    assert event
    assert (event.kind, event.subject_id, event.author_id) == ("post-deleted", post_id, author)
    assert graph.posts.many([post_id]) == {}
    paths = {photo_id: graph.photos.by_id(photo_id, owner_id=author).path for photo_id in photo_ids}
    assert dict(graph.posts.deleted_photos(post_id)) == paths
    graph.posts.delete_photos(photo_ids)
    assert graph.posts.deleted_photos(post_id) == []
    assert graph.photos.get(photo_ids[0]) is None
    assert graph.posts.delete(post_id, author_id=author) is None


def test_photos_of_an_existing_post_are_never_deleted(graph: Graph, town: Town) -> None:
    author = town.user()
    photo_id = town.photo(author)
    town.post(author, photo_ids=[photo_id])
    graph.posts.delete_photos([photo_id])
    assert graph.photos.get(photo_id)


def test_only_its_author_can_delete_a_post(graph: Graph, town: Town) -> None:
    author, other = town.users(2)
    post_id = town.post(author)[0]
    for _ in range(2):
        with pytest.raises(NotFoundError):
            graph.posts.delete(post_id, author_id=other)
        graph.posts.delete(post_id, author_id=author)
    with pytest.raises(NotFoundError):
        graph.posts.delete(new_id(), author_id=author)


def test_a_deletion_repeated_after_its_answer_was_lost_returns_its_event(
    graph: Graph, town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    author = town.user()
    post_id, event_id = town.post(author)[0], new_id()
    monkeypatch.setattr("graph.posts.new_id", lambda: event_id)
    first, second = (graph.posts.delete(post_id, author_id=author) for _ in range(2))
    assert first == second
    assert first


def test_sixteen_concurrent_deletions_create_one_event(graph: Graph, town: Town) -> None:
    author = town.user()
    for _ in range(3):
        post_id = town.post(author)[0]
        outcomes = run_together(
            *[partial(graph.posts.delete, post_id, author_id=author) for _ in range(16)]
        )
        assert not errors(outcomes)
        assert sum(isinstance(outcome, Event) for outcome in outcomes) == 1


def test_a_deleted_post_is_cleared_after_a_day_once_its_photos_are_deleted(
    graph: Graph, town: Town
) -> None:
    author = town.user()
    photo_ids = [town.photo(author) for _ in range(2)]
    post_ids = [town.post(author, photo_ids=[photo_id])[0] for photo_id in photo_ids]
    for post_id in post_ids:
        graph.posts.delete(post_id, author_id=author)
    graph.posts.delete_photos(photo_ids[:1])
    town.query("MATCH (deleted:DeletedPost {author_id: $id}) SET deleted.deleted_at = 0", id=author)
    while graph.posts.clear_deleted(1000):
        pass
    with pytest.raises(NotFoundError):
        graph.posts.delete(post_ids[0], author_id=author)
    assert graph.posts.delete(post_ids[1], author_id=author) is None


def test_concurrent_posts_by_one_author_all_exist(graph: Graph, town: Town) -> None:
    author = town.user()
    photo_ids = [town.photo(author) for _ in range(12)]
    outcomes = run_together(
        *[partial(town.create_post, author, photo_ids=[photo_id]) for photo_id in photo_ids]
    )
    assert not errors(outcomes)
    assert len(graph.posts.ids_by_author(author, before=NEWEST, limit=100)) == 12
