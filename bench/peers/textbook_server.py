"""R3's counterpart: the textbook's feed, served from the lists and bodies of our stage."""

from collections.abc import Iterator
from contextlib import contextmanager

from bench.peers import processes as peers
from bench.stage.servers import free_port, served
from bench.stage.stage import Stage


@contextmanager
def served_textbook(stage: Stage) -> Iterator[str]:
    """The textbook on gunicorn, on the core of servers; its URL."""
    port = free_port()
    command = peers.gunicorn(peers.environment("textbook", say=stage.say), port)
    env = {"CACHE_REDIS_URL": stage.env["CACHE_REDIS_URL"]}
    with served("textbook", command, port=port, env=env) as url:
        yield url


def path(stage: Stage, index: int) -> str:
    """Where it shows the first page of a viewer."""
    return f"/feed/{stage.town.user_id(index)}"
