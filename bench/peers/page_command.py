"""The Redis command of a first page, sent by redis-benchmark: its least cost to the server."""

from collections.abc import Sequence
from typing import Self
from urllib.parse import urlsplit

from bench.peers.redis_benchmark import benchmark_rate
from bench.stage.measurement import Measurement
from bench.stage.stage import Stage
from storage.redis.protocol import pack
from storage.timeline_layout import timeline_key
from storage.windows import EXTRA_ENTRIES

COUNT = 20 + EXTRA_ENTRIES
"""Entries that the product reads for a first page of 20."""
COMMAND = f"LRANGE tl:__rand_int__ -{COUNT} -1"
TRIAL = 50_000
"""Commands of the first turn; its rate gives the number of commands of the next ones."""


class PageCommand:
    """Reads pages of copies of these users' lists. A context manager, which removes the copies."""

    def __init__(self, stage: Stage, user_ids: Sequence[int]) -> None:
        self._stage = stage
        self._user_ids = user_ids
        self._count = TRIAL

    def __enter__(self) -> Self:
        self._run(
            [
                pack(b"COPY", timeline_key(user_id), _name(number), b"REPLACE")
                for number, user_id in enumerate(self._user_ids)
            ]
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._run([pack(b"UNLINK", _name(number)) for number in range(len(self._user_ids))])

    def cost(self, seconds: float, *, commands_a_send: int) -> Measurement:
        """CPU µs of the server for a command, on one connection. Takes about `seconds`."""
        before, count = self._stage.cache_seconds(), self._count
        rate = self._rate(count, commands_a_send)
        self._count = max(TRIAL, int(rate * seconds))
        us = 1e6 * (self._stage.cache_seconds() - before) / count
        return Measurement(value=us, cpu_us={"redis": us})

    def _rate(self, count: int, commands_a_send: int) -> float:
        url = urlsplit(self._stage.env["CACHE_REDIS_URL"])
        options = ("-c", "1", "-P", f"{commands_a_send}", "-n", f"{count}")
        return benchmark_rate(
            (*options, "-r", f"{len(self._user_ids)}"),
            COMMAND.split(),
            host=str(url.hostname),
            port=url.port or 0,
            password=str(url.password),
        )

    def _run(self, commands: list[bytes]) -> None:
        with self._stage.storage.cache.connection() as connection:
            connection.execute(commands)


def _name(number: int) -> bytes:
    return b"tl:%012d" % number
