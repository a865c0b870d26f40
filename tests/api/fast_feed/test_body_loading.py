"""Bodies that no cache has: one request loads them, the others wait and read the cache again."""

import asyncio
from collections.abc import Mapping, Sequence

import pytest

from api.fast_feed import body_loading
from api.fast_feed.body_loading import BodyLoading
from api.fast_feed.requests import PATH
from feed.copies import Body, body_of
from graph.errors import GraphUnavailableError
from tests.api.fast_feed.conftest import Open
from tests.support.loops import eventually_on_loop, on_loop
from tests.support.people import Builders


def json_of(post_id: int, version: int = 1) -> bytes:
    return b'{"id":"%d","author":{"id":"1"},"version":%d}' % (post_id, version)


class World:
    """A cache, and a graph whose answers come when the test says so."""

    def __init__(self) -> None:
        self.cache: dict[int, bytes] = {}
        self.version = 1
        self.fills = True
        self.answer = asyncio.Event()
        self.loads: list[Sequence[int]] = []
        self.loading = BodyLoading(self.read, self.load)

    async def read(self, post_ids: Sequence[int]) -> dict[int, Body | None]:
        return {i: body_of(self.cache[i]) if i in self.cache else None for i in post_ids}

    async def load(self, post_ids: Sequence[int]) -> Mapping[int, bytes]:
        self.loads.append(post_ids)
        bodies = {post_id: json_of(post_id, self.version) for post_id in post_ids}
        await self.answer.wait()
        if self.fills:
            self.cache.update(bodies)
        return bodies

    def begin(self, *post_ids: int) -> "asyncio.Task[dict[int, Body]]":
        return asyncio.create_task(self.loading.bodies(post_ids))


@on_loop
async def test_requests_of_one_moment_cause_one_load() -> None:
    world = World()
    tasks = [world.begin(7), world.begin(7), world.begin(7)]
    await asyncio.sleep(0)
    world.answer.set()
    assert [task[7].json for task in await asyncio.gather(*tasks)] == [json_of(7)] * 3
    assert world.loads == [[7]]


@on_loop
async def test_a_request_loads_alone_what_nobody_else_loads() -> None:
    world = World()
    first, second = world.begin(7, 8), world.begin(8, 9)
    await asyncio.sleep(0)
    world.answer.set()
    assert set(await first) == {7, 8}
    assert set(await second) == {8, 9}
    assert world.loads == [[7, 8], [9]]


@on_loop
async def test_who_waits_takes_no_body_that_was_read_before_it_came() -> None:
    """The first load began before a change, so its body is refused by the cache."""
    world = World()
    world.fills = False
    first = world.begin(7)
    await asyncio.sleep(0)
    world.version = 2
    second = world.begin(7)
    await asyncio.sleep(0)
    world.answer.set()
    assert (await first)[7].json == json_of(7, version=1)
    assert (await second)[7].json == json_of(7, version=2)


@on_loop
async def test_a_failed_load_leaves_the_next_request_to_load() -> None:
    world = World()

    async def fail(_post_ids: Sequence[int]) -> Mapping[int, bytes]:
        await world.answer.wait()
        raise GraphUnavailableError

    world.loading._load = fail
    first, second = world.begin(7), world.begin(7)
    await asyncio.sleep(0)
    world.loading._load = world.load
    world.answer.set()
    with pytest.raises(GraphUnavailableError):
        await first
    assert (await second)[7].json == json_of(7)
    assert (await world.begin(7))[7].json == json_of(7), "no load stays noted"


@on_loop
async def test_the_wait_for_another_load_is_bounded() -> None:
    world = World()
    hanging = world.begin(7)
    await asyncio.sleep(0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(body_loading, "WAIT_SECONDS", 0.01)
        second = world.begin(7)
        await eventually_on_loop(lambda: len(world.loads) > 1)
    world.answer.set()
    assert set(await second) == set(await hanging) == {7}


def test_a_page_with_an_evicted_body_is_made_on_the_loop(
    open_process: Open, builders: Builders
) -> None:
    process, author = open_process(rebuilds=True), builders.new_user()
    post_id = int(builders.publish(author)["id"])
    process.view(author, PATH)  # builds the timeline
    process.storage.bodies.discard([post_id])
    response = process.get(author, PATH)
    assert response.data == process.view(author, PATH).data
    assert not process.forwarded
    assert not process.keeps_page(author)
    assert process.storage.bodies.read_many([post_id])[post_id], "it is in the cache again"
    process.get(author, PATH)
    assert process.keeps_page(author)
