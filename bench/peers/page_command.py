"""The command of a first page alone, asked by redis-benchmark: what Redis could give any client."""

import subprocess
from collections.abc import Sequence
from typing import Self
from urllib.parse import urlsplit

from bench.stage.stage import Stage
from storage.redis.protocol import pack
from storage.timeline_layout import timeline_key
from storage.windows import EXTRA

CONNECTIONS = 16
COUNT = 20 + EXTRA
"""Entries that a first page of 20 asks for."""
MOST_SECONDS = 120
TRIAL = 20_000
"""Commands of the first look at the rate, so that a turn lasts as long as it should."""

SORT = f"SORT_RO tl:__rand_int__ BY nosort LIMIT 0 {COUNT} DESC GET # GET p:*"


class PageCommand:
    """Copies of these users' lists, under the names that redis-benchmark can make."""

    def __init__(self, stage: Stage, user_ids: Sequence[int]) -> None:
        self._stage = stage
        self._user_ids = user_ids
        self._count = TRIAL

    def __enter__(self) -> Self:
        pairs = enumerate(self._user_ids)
        self._ask([pack(b"COPY", timeline_key(u), _name(n), b"REPLACE") for n, u in pairs])
        return self

    def __exit__(self, *_: object) -> None:
        self._ask([pack(b"UNLINK", _name(number)) for number in range(len(self._user_ids))])

    def rate(self, seconds: float) -> float:
        """Commands a second over some of these seconds."""
        found = self._rate(self._count)
        self._count = max(TRIAL, int(found * seconds))
        return found

    def _rate(self, count: int) -> float:
        url = urlsplit(self._stage.env["CACHE_REDIS_URL"])
        server = ("-h", str(url.hostname), "-p", str(url.port), "-a", str(url.password))
        shape = ("-c", f"{CONNECTIONS}", "-n", f"{count}", "-r", f"{len(self._user_ids)}")
        said = subprocess.run(
            ["redis-benchmark", *server, *shape, "--csv", *SORT.split()],
            capture_output=True,
            text=True,
            timeout=MOST_SECONDS,
            check=True,
        )
        return float(said.stdout.splitlines()[-1].split(",")[1].strip('"'))

    def _ask(self, commands: list[bytes]) -> None:
        with self._stage.storage.cache.wire() as wire:
            wire.ask(commands)


def _name(number: int) -> bytes:
    return b"tl:%012d" % number
