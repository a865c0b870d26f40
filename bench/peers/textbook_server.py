"""The server of the textbook's feed, which reads the lists and bodies of our stage."""

from collections.abc import Iterator
from contextlib import contextmanager

from bench.peers.processes import gunicorn_command, install
from bench.stage.servers import free_port, running_server
from bench.stage.stage import Stage


@contextmanager
def running_textbook(stage: Stage) -> Iterator[str]:
    """The textbook's feed on gunicorn, on the servers' core; its URL."""
    port = free_port()
    command = gunicorn_command(install("textbook", stage.report), port)
    env = {"CACHE_REDIS_URL": stage.env["CACHE_REDIS_URL"]}
    with running_server("textbook", command, port=port, env=env) as url:
        yield url


def feed_path(stage: Stage, index: int) -> str:
    """The path of a user's first page."""
    return f"/feed/{stage.town.user_id(index)}"
