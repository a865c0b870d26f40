"""redis-benchmark's RPUSHX on lists equal to ours: what the server can do for any client."""

import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from bench.rows.row import Measured
from bench.stage.caches import Cache
from bench.stage.cores import childrens_seconds
from bench.stage.lists import Lists
from graph.ids import new_id
from stack.ports import HOST
from storage.timeline_layout import timeline_key

PROGRAM = "redis-benchmark"

SHAPES = ((2, 250), (10, 64), (25, 32), (50, 16), (50, 64))
"""Connections and commands ahead on each, of many tried those that were fastest now and then."""

MOST_SECONDS = 120


@dataclass(slots=True, kw_only=True)
class RedisBenchmark:
    """Pushes into copies of our lists, under the names that it can make, at random."""

    cache: Cache
    lists: Lists
    lengths: int = 0
    pushed: int = 0
    shapes: dict[str, float] = field(default_factory=dict)
    """What each shape reached in the last turn, inserts a second."""

    def best(self) -> Measured:
        """Inserts a second in the best shape, into lists that were copied just before."""
        for _ in self.cache.ask(self._copies()):
            pass
        self.lengths, called = self._lengths(), self._called()
        redis_before, client_before = self.cache.seconds(), childrens_seconds()
        self.shapes = {f"-c {c} -P {p}": self._rate(c, p) for c, p in SHAPES}
        self.pushed = self._called() - called  # more than asked for: it fills its last buffers
        return Measured(
            value=max(self.shapes.values()),
            cpu_us={
                "redis": 1e6 * (self.cache.seconds() - redis_before) / self.pushed,
                "client": 1e6 * (childrens_seconds() - client_before) / self.pushed,
            },
        )

    def right(self) -> bool:
        """Whether every push of the last turn is in a list."""
        return self._lengths() == self.lengths + self.pushed

    def forget(self) -> None:
        """Removes its lists."""
        for _ in self.cache.ask(("UNLINK", name) for name in self._names()):
            pass

    def _rate(self, connections: int, ahead: int) -> float:
        count = len(self.lists.user_ids)
        shape = ("-c", f"{connections}", "-P", f"{ahead}", "-n", f"{count}", "-r", f"{count}")
        server = ("-h", HOST, "-p", str(self.cache.port), "-a", self.cache.password)
        said = subprocess.run(
            [PROGRAM, *server, *shape, "--csv", "RPUSHX", "tl:__rand_int__", str(new_id())],
            capture_output=True,
            text=True,
            timeout=MOST_SECONDS,
            check=True,
        )
        return float(said.stdout.splitlines()[-1].split(",")[1].strip('"'))

    def _called(self) -> int:
        """How often the server has been asked for RPUSHX so far."""
        commands = self.cache.bare.info("commandstats")
        return int(commands.get("cmdstat_rpushx", {}).get("calls", 0))

    def _copies(self) -> Iterator[Sequence[bytes | str | int]]:
        for name, user_id in zip(self._names(), self.lists.user_ids, strict=True):
            yield "COPY", timeline_key(user_id), name, "REPLACE"

    def _names(self) -> list[str]:
        return [f"tl:{number:012d}" for number in range(len(self.lists.user_ids))]

    def _lengths(self) -> int:
        return sum(self.cache.ask(("LLEN", name) for name in self._names()))
