"""Case 33. Many writes of the same people at once: deadlocks are tried again, each fact once."""

import statistics
import time
from functools import partial

from graph import Graph
from tests.support.maker import Maker, errors, together
from tests.support.town import Town

THREADS = 50
FOLLOWERS = 1_000
FOLLOWING_THREADS = 8
UPDATES = 20
UPDATE_SECONDS = 10.0
"""What a write may take at most (WRITE_SECONDS): an update waits for locks, never for its turn."""


def stands(town: Town, one: int, other: int) -> int:
    rows = town.ask(
        "MATCH (:User {id: $one})-[f:FOLLOWS]->(:User {id: $other}) RETURN count(f) AS n",
        one=one,
        other=other,
    )
    return int(rows[0]["n"])


def test_opposite_follows_of_ten_people_on_fifty_threads_each_stand_once(
    graph: Graph, make: Maker
) -> None:
    town = Town(graph)
    people = town.users(10)
    pairs = [(a, b) for a in people for b in people if a != b]
    chosen = [*pairs[: THREADS // 2], *((b, a) for a, b in pairs[: THREADS // 2])]
    assert not errors(together(*[partial(make.follow, *pair) for pair in chosen]))
    assert all(stands(town, *pair) == 1 for pair in chosen)
    town.forget_events()


def test_a_thousand_follows_of_one_account_all_count_while_its_profile_changes(
    graph: Graph, make: Maker
) -> None:
    town = Town(graph)
    author, *people = town.users(FOLLOWERS + 1)
    seconds: list[float] = []

    def follow_all(part: int) -> None:
        for person in people[part::FOLLOWING_THREADS]:
            make.follow(person, author)

    def change() -> None:
        for number in range(UPDATES):
            began = time.monotonic()
            graph.users.update(author, changes={"name": f"Ana {number}"})
            seconds.append(time.monotonic() - began)

    parts = [partial(follow_all, part) for part in range(FOLLOWING_THREADS)]
    assert not errors(together(change, *parts))
    profile = graph.users.profile(author, viewer_id=author)
    assert (profile.follower_count, profile.user.name) == (FOLLOWERS, f"Ana {UPDATES - 1}")
    p50, longest = statistics.median(seconds), max(seconds)
    print(f"updates among {FOLLOWERS} follows: p50 {p50 * 1000:.0f} ms, max {longest * 1000:.0f}")
    assert longest < UPDATE_SECONDS
    town.forget_events()
