"""A town's timelines and bodies, written into the cache in the product's own form.

They are computed from the town and not read from the graph: the product's pages are then compared
with this model. In most towns nearly all lists hold the cap and a watermark; in a large one, with
two posts a user, only those of users who follow many do.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence

from bench.stage.town import Town
from feed.rendering import render
from stack.terminal import Report
from storage import Storage
from storage.bodies import BODY_TTL_SECONDS, body_key
from storage.body_format import encode
from storage.redis.protocol import pack, raise_first_error
from storage.timeline_layout import TIMELINE_TTL_SECONDS, timeline_key

BATCH = 200
"""Users whose lists, or bodies, are sent at once."""
BATCHES_A_REPORT = 25


def fill_lists(storage: Storage, town: Town, indices: Sequence[int], report: Report) -> None:
    """Write the lists of these users anew."""
    cap = storage.timelines.cap
    _send(
        storage,
        (list_commands(town.user_id(index), town.feed(index), cap) for index in indices),
        lambda count: report(f"filling lists: {count:,} of {len(indices):,}"),
    )


def list_commands(user_id: int, newest_first: Sequence[int], cap: int) -> list[bytes]:
    """The commands that write a feed's list: a sentinel, then the newest `cap`, oldest first."""
    ids = newest_first[:cap]
    watermark = ids[-1] if len(newest_first) > cap else 0
    key = timeline_key(user_id)
    return [
        pack(b"DEL", key),
        pack(b"RPUSH", key, -watermark, *reversed(ids)),
        pack(b"EXPIRE", key, TIMELINE_TTL_SECONDS),
    ]


def fill_bodies(
    storage: Storage,
    town: Town,
    indices: Sequence[int],
    report: Report,
    *,
    post_ids: Callable[[int], Sequence[int]],
) -> None:
    """Write the JSON of these users' posts, made by the product's own render."""
    _send(
        storage,
        (_body_commands(storage, town, index, post_ids(index)) for index in indices),
        lambda count: report(f"filling bodies: those of {count:,} of {len(indices):,} users"),
    )


def _body_commands(
    storage: Storage, town: Town, index: int, post_ids: Sequence[int]
) -> list[bytes]:
    return [
        pack(
            b"SET",
            body_key(post_id).encode(),
            encode(render(town.post(index, post_id), storage)),
            b"EX",
            BODY_TTL_SECONDS,
        )
        for post_id in post_ids
    ]


def _send(
    storage: Storage, commands_by_user: Iterable[list[bytes]], report: Callable[[int], None]
) -> None:
    """Send the commands in batches, each before the replies to the one before are read."""
    users = 0
    with storage.cache.connection() as connection:
        unread = 0
        for number, batch in enumerate(_batches(commands_by_user), 1):
            commands = [command for of_user in batch for command in of_user]
            connection.send(b"".join(commands), len(commands))
            if unread:
                raise_first_error(connection.read(unread))
            unread = len(commands)
            users += len(batch)
            if number % BATCHES_A_REPORT == 0:
                report(users)
        if unread:
            raise_first_error(connection.read(unread))
    report(users)


def _batches(commands_by_user: Iterable[list[bytes]]) -> Iterator[list[list[bytes]]]:
    batch: list[list[bytes]] = []
    for commands in commands_by_user:
        batch.append(commands)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch
