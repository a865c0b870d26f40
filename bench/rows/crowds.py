"""Crowds: viewers who all follow the same authors, of given numbers of followees and of posts.

A town has them for no row but those of graph pages, so they are created on its stage. Their indices
are those after the town's users.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from bench.peers.bare_driver import BareDriver
from bench.stage.fill import fill_bodies
from bench.stage.stage import Stage
from bench.stage.town import MONTH_MS, POSTS_MS
from graph.ids import RANDOM_BITS

BATCH = 20_000
"""Nodes or relationships created by one statement."""
NUMBERS = 16
"""Crowds of one stage, at most: their number is in the low bits of their posts' ids."""

CREATE_USERS = """
UNWIND $users AS user
CREATE (:User {
  id: user[0], username: user[1], username_ci: user[1], name: user[2], state: 'active',
  password_hash: 'unusable', created_at: 0, read_position: 0, notification_position: 0
})
"""
CREATE_FOLLOWS = """
MATCH (follower:User {id: $follower_id})
UNWIND $followee_ids AS followee_id
MATCH (followee:User {id: followee_id})
CREATE (follower)-[:FOLLOWS {
  follower_id: $follower_id, followee_id: followee_id, created_at: 0
}]->(followee)
"""
CREATE_POSTS = """
MATCH (author:User {id: $author_id})
UNWIND $post_ids AS post_id
CREATE (author)-[:POSTED]->(:Post {
  id: post_id, author_id: $author_id, caption: 'Seen on the way back.', created_at: 0
})
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Crowd:
    """A number of viewers, each with the same number of followees of as many posts each."""

    followees: int
    posts: int
    viewers: int

    def post_ids(self, number: int, author: int) -> list[int]:
        """The ids of an author's posts, newest first; the authors post in turns for a month."""
        step = next(s for s in range(7, 7 + self.followees) if math.gcd(s, self.followees) == 1)
        place = author * step % self.followees
        places = [turn * self.followees + place for turn in reversed(range(self.posts))]
        return [self._post_id(number, place) for place in places]

    def _post_id(self, number: int, place: int) -> int:
        moment = POSTS_MS + MONTH_MS + place * MONTH_MS // (self.followees * self.posts)
        return moment << RANDOM_BITS | number


def create_crowd(stage: Stage, driver: BareDriver, crowd: Crowd, *, bodies: bool) -> list[int]:
    """The viewers' indices. `bodies`: the posts' JSON is written into the cache too.

    The posts are newer than the town's. They have no photos in the graph, only in their bodies.
    """
    taken = max(stage.feeds, default=stage.town.users - 1) + 1
    number = stage.crowds
    if number >= NUMBERS:
        raise ValueError(f"A stage has at most {NUMBERS} crowds.")
    stage.crowds += 1
    authors = range(taken, taken + crowd.followees)
    viewers = range(authors.stop, authors.stop + crowd.viewers)
    post_ids = {index: crowd.post_ids(number, index - taken) for index in authors}
    _create_users(stage, driver, [*authors, *viewers])
    _create_posts(stage, driver, post_ids)
    for index in viewers:
        _follow(stage, driver, index, authors)
    if bodies:
        fill_bodies(stage.storage, stage.town, authors, stage.report, post_ids=post_ids.__getitem__)
    feed = sorted((post_id for ids in post_ids.values() for post_id in ids), reverse=True)
    stage.feeds.update(dict.fromkeys(viewers, feed))
    return list(viewers)


def _create_users(stage: Stage, driver: BareDriver, indices: Sequence[int]) -> None:
    stage.report(f"creating {len(indices):,} users")
    town = stage.town
    users = [[town.user_id(index), town.username(index), town.name(index)] for index in indices]
    driver.run(CREATE_USERS, users=users)


def _create_posts(stage: Stage, driver: BareDriver, post_ids: dict[int, list[int]]) -> None:
    for number, (index, ids) in enumerate(post_ids.items()):
        if number % 100 == 0:
            stage.report(f"creating posts of {len(post_ids):,} authors: {number:,}")
        for start in range(0, len(ids), BATCH):
            driver.run(
                CREATE_POSTS,
                author_id=stage.town.user_id(index),
                post_ids=ids[start : start + BATCH],
            )


def _follow(stage: Stage, driver: BareDriver, viewer: int, authors: Sequence[int]) -> None:
    driver.run(
        CREATE_FOLLOWS,
        follower_id=stage.town.user_id(viewer),
        followee_ids=[stage.town.user_id(author) for author in authors],
    )
