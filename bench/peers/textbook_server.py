"""The server of the textbook's feed, which reads copies of the lists and bodies of our stage."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from bench.peers.processes import gunicorn_command, install
from bench.stage.servers import free_port, running_server
from bench.stage.stage import Stage
from storage.redis.protocol import pack
from storage.timeline_layout import timeline_key

PAGE = 20
"""Posts of a page of the textbook's."""
BODY_SECONDS = 3_600
BATCH = 100
"""Viewers whose bodies are copied at once."""


@contextmanager
def running_textbook(stage: Stage, viewers: Sequence[int]) -> Iterator[str]:
    """The textbook's feed for these viewers, on gunicorn, on the servers' core; its URL."""
    for start in range(0, len(viewers), BATCH):
        _copy_feeds(stage, viewers[start : start + BATCH])
    port = free_port()
    command = gunicorn_command(install("textbook", stage.report), port)
    env = {"CACHE_REDIS_URL": stage.env["CACHE_REDIS_URL"]}
    with running_server("textbook", command, port=port, env=env) as url:
        yield url


def feed_path(stage: Stage, index: int) -> str:
    """The path of a user's first page."""
    return f"/feed/{stage.town.user_id(index)}"


def _copy_feeds(stage: Stage, viewers: Sequence[int]) -> None:
    """Copy the viewers' lists, and the JSON of first pages as it is: a textbook compresses none."""
    ids = {post_id for viewer in viewers for post_id in stage.town.feed(viewer)[:PAGE]}
    bodies = stage.storage.bodies.read_many(sorted(ids))
    with stage.storage.cache.connection() as connection:
        connection.execute(
            [
                pack(b"COPY", timeline_key(user_id), b"textbook:feed:%d" % user_id, b"REPLACE")
                for user_id in map(stage.town.user_id, viewers)
            ]
        )
        connection.execute(
            [
                pack(b"SET", b"textbook:%d" % post_id, body or b"", b"EX", BODY_SECONDS)
                for post_id, body in bodies.items()
            ]
        )
