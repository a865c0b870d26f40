"""Case 33. Concurrent writes of the same users: deadlocks are retried, each fact exists once."""

import statistics
import time
from functools import partial

from graph import Graph
from tests.support.concurrency import errors, run_together
from tests.support.town import Town

THREADS = 50
FOLLOWERS = 1_000
FOLLOWING_THREADS = 8
UPDATES = 20
UPDATE_SECONDS = 10.0
"""The time limit of a write, WRITE_SECONDS, which includes waits for locks."""


def count_follows(town: Town, one: int, other: int) -> int:
    rows = town.query(
        "MATCH (:User {id: $one})-[f:FOLLOWS]->(:User {id: $other}) RETURN count(f) AS n",
        one=one,
        other=other,
    )
    return int(rows[0]["n"])


def test_opposite_follows_of_ten_users_on_fifty_threads_each_exist_once(
    graph: Graph, town: Town
) -> None:
    town = Town(graph)
    users = town.users(10)
    pairs = [(a, b) for a in users for b in users if a != b]
    follows = [*pairs[: THREADS // 2], *((b, a) for a, b in pairs[: THREADS // 2])]
    assert not errors(run_together(*[partial(town.follow, *pair) for pair in follows]))
    assert all(count_follows(town, *pair) == 1 for pair in follows)
    town.forget_events()


def test_a_thousand_follows_of_one_user_all_count_while_the_profile_changes(
    graph: Graph, town: Town
) -> None:
    town = Town(graph)
    author, *followers = town.users(FOLLOWERS + 1)
    seconds: list[float] = []

    def follow_all(part: int) -> None:
        for follower in followers[part::FOLLOWING_THREADS]:
            town.follow(follower, author)

    def change() -> None:
        for number in range(UPDATES):
            start = time.monotonic()
            graph.users.update(author, changes={"name": f"Ana {number}"})
            seconds.append(time.monotonic() - start)

    parts = [partial(follow_all, part) for part in range(FOLLOWING_THREADS)]
    assert not errors(run_together(change, *parts))
    profile = graph.users.profile(author, viewer_id=author)
    assert (profile.follower_count, profile.user.name) == (FOLLOWERS, f"Ana {UPDATES - 1}")
    p50, longest = statistics.median(seconds), max(seconds)
    print(f"updates among {FOLLOWERS} follows: p50 {p50 * 1000:.0f} ms, max {longest * 1000:.0f}")
    assert longest < UPDATE_SECONDS
    town.forget_events()
