"""The fast feed and Flask's view return the same bytes for thousands of states of a timeline."""

import random
import secrets

from storage import Storage
from tests.support.fast_feed import FastFeedProcess
from tests.support.front import RandomState, create_random_state, differences
from tests.support.people import Builders, Person

STATES = 700
"""Each is compared twice more: with warm copies, and after a change. About 4,500 pages in all."""


# Case 42
def test_the_fast_feed_and_the_view_agree_on_thousands_of_states(
    process: FastFeedProcess, builders: Builders, storage: Storage
) -> None:
    seed = secrets.randbelow(10**6)
    print(f"seed {seed}")
    chance, person = random.Random(seed), builders.new_user()
    process.view(person, "/v1/me/feed")  # caches the session
    for number in range(STATES):
        state = create_random_state(chance, storage, person.id)
        paths = walk(process, person, state)
        for path in paths:
            assert_same(process, person, state, path, f"state {number}, again")
        change = state.change()
        for path in paths:
            assert_same(process, person, state, path, f"state {number}, after {change}")


def walk(process: FastFeedProcess, person: Person, state: RandomState) -> list[str]:
    """The paths of some pages, from the first one along random cursors; one of another limit."""
    chance = state.chance
    limit, other_limit = (chance.choice([1, 7, 20, 100, chance.randint(1, 100)]) for _ in range(2))
    paths = [f"/v1/me/feed?limit={limit}"]
    for name in chance.choices(["next", "prev"], weights=[7, 3], k=2):
        page = assert_same(process, person, state, paths[-1], "for the first time")
        if name not in page:
            break
        paths.append(f"/v1/me/feed?limit={limit}&cursor={page[name]}")
    return [*paths, f"/v1/me/feed?limit={other_limit}"]


def assert_same(
    process: FastFeedProcess, person: Person, state: RandomState, path: str, when: str
) -> dict[str, str]:
    """The page. Asserts that the view returns the same."""
    response = process.get(person, path)
    assert not process.forwarded, (path, when)
    state.forget_fills()
    view = process.view(person, path)
    state.forget_fills()
    assert differences(response, view) == {}, (path, when)
    assert response.headers["RateLimit"], path
    if state.chance.random() < 0.2:
        assert_not_modified(process, person, state, path, response.headers["ETag"])
    page: dict[str, str] = response.json
    return page


def assert_not_modified(
    process: FastFeedProcess, person: Person, state: RandomState, path: str, tag: str
) -> None:
    """Asserts that both answer 304 to a client that has the page."""
    headers = {"If-None-Match": tag}
    response = process.get(person, path, headers)
    state.forget_fills()
    assert response.status_code == 304
    assert differences(response, process.view(person, path, headers)) == {}
    state.forget_fills()
