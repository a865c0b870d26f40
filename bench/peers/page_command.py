"""The Redis command of a first page, sent by redis-benchmark: the server's limit for any client."""

from collections.abc import Sequence
from typing import Self
from urllib.parse import urlsplit

from bench.peers.redis_benchmark import benchmark_rate
from bench.stage.stage import Stage
from storage.redis.protocol import pack
from storage.timeline_layout import timeline_key
from storage.windows import EXTRA_ENTRIES

CONNECTIONS = 16
COUNT = 20 + EXTRA_ENTRIES
"""Entries that the product reads for a first page of 20."""
TRIAL = 20_000
"""Commands of the first turn; its rate gives the number of commands of the next ones."""

COMMAND = f"LRANGE tl:__rand_int__ -{COUNT} -1"


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

    def rate(self, seconds: float) -> float:
        """Commands a second. A run takes about `seconds`, from the second run on."""
        rate = self._rate(self._count)
        self._count = max(TRIAL, int(rate * seconds))
        return rate

    def _rate(self, count: int) -> float:
        url = urlsplit(self._stage.env["CACHE_REDIS_URL"])
        options = ("-c", f"{CONNECTIONS}", "-n", f"{count}", "-r", f"{len(self._user_ids)}")
        return benchmark_rate(
            options,
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
