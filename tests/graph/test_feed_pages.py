"""Feed pages of the graph, compared on random graphs with a query that reads every post."""

import random
from dataclasses import dataclass

import pytest

from graph import Graph
from graph.ids import MAX_ID, new_id
from graph.posts import FeedIds, few_of
from tests.support.town import Town

GRAPHS = 25
PAGES = 12
"""Pages of each graph, in each direction."""
LIMITS = (1, 2, 3, 7, 21, 100, 401)

EVERY_POST = """
MATCH (viewer:User {id: $id})
OPTIONAL MATCH (viewer)-[:FOLLOWS]->(followee:User)
WITH viewer, collect(followee) AS followees
UNWIND followees + viewer AS author
MATCH (author)-[:POSTED]->(post:Post)
RETURN post.id AS id ORDER BY id DESC
"""
CREATE_POSTS = """
UNWIND $pairs AS pair
MATCH (author:User {id: pair[0]})
CREATE (author)-[:POSTED]->(:Post {id: pair[1], author_id: pair[0], caption: '', created_at: 0})
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class RandomFeed:
    """A viewer in a random graph, and the feed by the simple query, newest first."""

    viewer_id: int
    post_ids: list[int]
    leaving: bool


def draw_feed(town: Town, rng: random.Random) -> RandomFeed:
    """Few or many followees, some of them hidden or left, whose posts are spread or in one author.

    All ids are next to one another, so that posts of one millisecond and of all authors mix.
    """
    viewer, *followees = town.users(1 + rng.choice([0, 1, 2, 5, 30, 60]))
    stranger = town.user()
    town.add_followees(viewer, *followees)
    authors = [viewer, stranger, *followees]
    skew = rng.choice([0, 1, 4])  # 4: nearly all posts are by one or two of them
    weights = [rng.random() ** skew / (place + 1) ** skew for place in range(len(authors))]
    rng.shuffle(weights)
    count = rng.choice([0, 1, 20, 300, 900])
    base = new_id()
    posts = [
        [author, base + place]
        for place, author in enumerate(rng.choices(authors, weights, k=count))
        if rng.random() > 0.1
    ]
    town.query(CREATE_POSTS, pairs=posts)
    for followee in rng.sample(followees, len(followees) // 6):
        town.query("MATCH (user:User {id: $id}) SET user.state = 'gone'", id=followee)
    leaving = rng.random() < 0.3 and bool(followees)
    if leaving:
        town.unfollow(viewer, followees[0])
    post_ids = [row["id"] for row in town.query(EVERY_POST, id=viewer)]
    return RandomFeed(viewer_id=viewer, post_ids=post_ids, leaving=leaving)


def draw_bound(post_ids: list[int], rng: random.Random) -> int:
    """The id of a post, one beside it, or one below or above all."""
    bounds = [0, 1, MAX_ID]
    if post_ids:
        bounds += [post_ids[0], post_ids[-1]] + [rng.choice(post_ids) + rng.choice([0, 0, 1])] * 3
    return rng.choice(bounds)


@pytest.mark.parametrize("fixed_part", [True, False])
def test_a_page_has_the_same_ids_as_a_query_that_reads_every_post(
    graph: Graph, town: Town, monkeypatch: pytest.MonkeyPatch, *, fixed_part: bool
) -> None:
    seed = random.randrange(2**32)
    print("seed", seed)
    rng = random.Random(seed)
    for _ in range(GRAPHS):
        feed = draw_feed(town, rng)
        for _ in range(PAGES):
            limit, bound = rng.choice(LIMITS), draw_bound(feed.post_ids, rng)
            few = few_of(limit) if fixed_part else rng.randint(1, limit)
            monkeypatch.setattr("graph.posts.few_of", lambda _, few=few: few)
            expected = [i for i in feed.post_ids if i < bound][:limit]
            page = graph.posts.feed_page(feed.viewer_id, before=bound, limit=limit)
            assert page == FeedIds(post_ids=expected, unfollow_pending=feed.leaving)
            rising = [i for i in reversed(feed.post_ids) if i > bound][:limit]
            assert graph.posts.feed_page_up(feed.viewer_id, after=bound, limit=limit) == rising


def test_the_first_read_takes_at_least_two_posts_of_an_author_and_never_more_than_the_page() -> (
    None
):
    assert [few_of(limit) for limit in (1, 2, 21, 101, 401, 1000)] == [1, 2, 2, 7, 26, 63]
