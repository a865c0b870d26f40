"""Lists and bodies of a town, written into the cache as the product itself would leave them.

Computed from the town instead of pulled from the graph: the model is what the product's own pages
are then compared with. Lists are alike at all sizes of town: most hold 38 posts to the beginning,
those of people who follow many hold the cap and a watermark.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence

from bench.stage.town import Town
from feed.rendering import render
from storage import Storage
from storage.bodies import BODY_TTL_SECONDS, body_key
from storage.redis.protocol import checked, pack
from storage.timeline_layout import TIMELINE_TTL_SECONDS, timeline_key

Say = Callable[[str], None]

BATCH = 200
"""Users whose lists, or bodies, are sent at once."""


def lists(storage: Storage, town: Town, indices: Sequence[int], say: Say) -> None:
    """The list of each of these users, built anew from the town."""
    cap = storage.timelines.cap
    _sent(
        storage,
        (list_commands(town.user_id(index), town.feed(index), cap) for index in indices),
        lambda done: say(f"fills lists: {done:,} of {len(indices):,}"),
    )


def list_commands(user_id: int, newest_first: Sequence[int], cap: int) -> list[bytes]:
    """What builds a list of a feed: a sentinel, then the newest `cap`, oldest first."""
    ids = newest_first[:cap]
    watermark = ids[-1] if len(newest_first) > cap else 0
    key = timeline_key(user_id)
    return [
        pack(b"DEL", key),
        pack(b"RPUSH", key, -watermark, *reversed(ids)),
        pack(b"EXPIRE", key, TIMELINE_TTL_SECONDS),
    ]


def bodies(storage: Storage, town: Town, indices: Sequence[int], say: Say) -> None:
    """The finished JSON of every post of these users, by the product's own render."""
    _sent(
        storage,
        (_body_commands(storage, town, index) for index in indices),
        lambda done: say(f"fills bodies: those of {done:,} of {len(indices):,} users"),
    )


def _body_commands(storage: Storage, town: Town, index: int) -> list[bytes]:
    return [
        pack(
            b"SET",
            body_key(post_id).encode(),
            render(town.post(index, post_id), storage),
            b"EX",
            BODY_TTL_SECONDS,
        )
        for post_id in town.post_ids(index)
    ]


def _sent(storage: Storage, commands: Iterable[list[bytes]], done: Callable[[int], None]) -> None:
    """Sends in batches, one ahead of its replies."""
    count = 0
    with storage.cache.wire() as wire:
        ahead = 0
        for batch in _batches(commands):
            flat = [command for one in batch for command in one]
            wire.send(b"".join(flat), len(flat))
            if ahead:
                checked(wire.read(ahead))
            ahead = len(flat)
            count += len(batch)
            if count % (BATCH * 25) == 0:
                done(count)
        if ahead:
            checked(wire.read(ahead))
    done(count)


def _batches(commands: Iterable[list[bytes]]) -> Iterator[list[list[bytes]]]:
    batch: list[list[bytes]] = []
    for one in commands:
        batch.append(one)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch
