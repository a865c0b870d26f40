"""Loads bodies that are in no cache: from the graph, in a thread, once a process.

Many pages show the same new or changed post, and all of them miss its body at the same moment. One
request loads it; the others wait, and then read it from the cache. They do not take the first one's
body: its read of the graph may have begun before a change that a later request must show.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

from feed.copies import Body, body_of

Read = Callable[[Sequence[int]], Awaitable[Mapping[int, Body | None]]]
"""Reads bodies from the copies and the cache."""
Load = Callable[[Sequence[int]], Awaitable[Mapping[int, bytes]]]
"""Reads bodies from the graph and writes them to the cache; runs in a thread."""


WAIT_SECONDS = 1.0
"""The longest wait for another request's load; then the graph is read again."""


class BodyLoading:
    """For one thread, that of the loop."""

    def __init__(self, read: Read, load: Load) -> None:
        self._read = read
        self._load = load
        self._loads: dict[int, asyncio.Future[None]] = {}
        """The loads under way, by the post's id."""

    async def bodies(self, post_ids: Sequence[int]) -> dict[int, Body]:
        """The body of each post, which the cache did not have. Raises what `load` raises."""
        missing = list(post_ids)
        found: dict[int, Body] = {}
        if loads := {self._loads[i] for i in missing if i in self._loads}:
            await asyncio.wait(loads, timeout=WAIT_SECONDS)
            read = await self._read(missing)
            found = {post_id: body for post_id, body in read.items() if body is not None}
            missing = [post_id for post_id in missing if post_id not in found]
        if missing:
            found.update(await self._load_now(missing))
        return found

    async def _load_now(self, post_ids: Sequence[int]) -> dict[int, Body]:
        done = asyncio.get_running_loop().create_future()
        mine = [post_id for post_id in post_ids if post_id not in self._loads]
        self._loads.update(dict.fromkeys(mine, done))
        try:
            bodies = await self._load(post_ids)
        finally:
            self._end(mine)
            done.set_result(None)
        return {post_id: body_of(json) for post_id, json in bodies.items()}

    def _end(self, post_ids: Iterable[int]) -> None:
        for post_id in post_ids:
            del self._loads[post_id]
