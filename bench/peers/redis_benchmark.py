"""redis-benchmark's RPUSHX on lists equal to ours: the server's limit for any client."""

import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from bench.stage.caches import Cache
from bench.stage.cores import children_seconds
from bench.stage.lists import Lists
from bench.stage.measurement import Measurement
from graph.ids import new_id
from stack.ports import HOST
from storage.timeline_layout import timeline_key

PROGRAM = "redis-benchmark"

SHAPES = ((2, 250), (10, 64), (25, 32), (50, 16), (50, 64))
"""Connections, and commands in flight on each: the shapes that were fastest among many tried."""

LIMIT_SECONDS = 120


def benchmark_rate(
    options: Sequence[str], command: Sequence[str], *, host: str, port: int, password: str
) -> float:
    """Commands a second of one run of redis-benchmark."""
    server = ("-h", host, "-p", str(port), "-a", password)
    done = subprocess.run(
        [PROGRAM, *server, *options, "--csv", *command],
        capture_output=True,
        text=True,
        timeout=LIMIT_SECONDS,
        check=True,
    )
    return float(done.stdout.splitlines()[-1].split(",")[1].strip('"'))


@dataclass(slots=True, kw_only=True)
class RedisBenchmark:
    """Pushes to random copies of our lists, which have the names that it can generate."""

    cache: Cache
    lists: Lists
    total_length: int = 0
    """Entries of all copies before the last turn."""
    pushes: int = 0
    """Pushes of the last turn."""
    rate_by_shape: dict[str, float] = field(default_factory=dict)
    """Inserts a second in the last turn."""

    def measure(self) -> Measurement:
        """Inserts a second of the fastest shape, into fresh copies."""
        self.cache.run(self._copies())
        self.total_length, calls_before = self._total_length(), self._calls()
        redis_before, client_before = self.cache.cpu_seconds(), children_seconds()
        self.rate_by_shape = {f"-c {c} -P {p}": self._rate(c, p) for c, p in SHAPES}
        # More than requested: redis-benchmark fills its last buffers.
        self.pushes = self._calls() - calls_before
        return Measurement(
            value=max(self.rate_by_shape.values()),
            cpu_us={
                "redis": 1e6 * (self.cache.cpu_seconds() - redis_before) / self.pushes,
                "client": 1e6 * (children_seconds() - client_before) / self.pushes,
            },
        )

    def is_right(self) -> bool:
        """Whether every push of the last turn is in a list."""
        return self._total_length() == self.total_length + self.pushes

    def remove(self) -> None:
        """Remove the copies."""
        self.cache.run(("UNLINK", name) for name in self._names())

    def _rate(self, connections: int, in_flight: int) -> float:
        count = str(len(self.lists.user_ids))
        options = ("-c", str(connections), "-P", str(in_flight), "-n", count, "-r", count)
        command = ("RPUSHX", "tl:__rand_int__", str(new_id()))
        return benchmark_rate(
            options, command, host=HOST, port=self.cache.port, password=self.cache.password
        )

    def _calls(self) -> int:
        """The number of RPUSHX that the server has run."""
        commands = self.cache.client.info("commandstats")
        return int(commands.get("cmdstat_rpushx", {}).get("calls", 0))

    def _copies(self) -> Iterator[Sequence[bytes | str | int]]:
        for name, user_id in zip(self._names(), self.lists.user_ids, strict=True):
            yield "COPY", timeline_key(user_id), name, "REPLACE"

    def _names(self) -> list[str]:
        return [f"tl:{number:012d}" for number in range(len(self.lists.user_ids))]

    def _total_length(self) -> int:
        return sum(self.cache.replies(("LLEN", name) for name in self._names()))
