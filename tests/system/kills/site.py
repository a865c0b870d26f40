"""Processes of ours to be killed, stopped and cut off, each behind proxies of its own.

The graph and S3 are those of the other tests; the two Redis servers are this folder's alone, so
that they may be killed and emptied, and started again by the stack's own supervisor.
"""

import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Self

import psutil

from drill.support.proxy import Hold, Proxy, Side, proxied
from graph.queries import LOADED
from stack import LocalStack
from stack.parts.photofeed import Api
from stack.ports import HOST
from stack.settings import ROOT
from stack.supervision.process import Process
from tests.support.eventually import eventually
from tests.support.folders import free_folder
from tests.support.running import MANY_DEATHS, external_stores
from tests.support.stage import CAP, SLACK

LEASE_SECONDS = 2.0
QUICKLY = {
    "graph.events.LEASE_MS": int(LEASE_SECONDS * 1000),
    "workers.sweeper.SWEEP_SECONDS": 0.2,
    "workers.sweeper.SHORTEST_PAUSE_SECONDS": 0.1,
}
"""Leases and sweeps of the workers here: a tenth of what they are, and less."""
MANY_A_PAGE: Mapping[str, float] = MappingProxyType({})


def page(size: int) -> Mapping[str, float]:
    """So few followers are read and pushed to at once, not thousands."""
    return {"workers.fan_out.PAGE": size}


@dataclass(frozen=True, slots=True)
class Proxies:
    """What stands between one process and its stores."""

    graph: Proxy
    queue: Proxy
    cache: Proxy

    def hold_query(self, name: str, *, side: Side = "request") -> Hold:
        """Stop before the graph gets this statement; side "answer": before its rows come back."""
        return self.graph.hold(LOADED[name].text.encode(), side=side)

    def close(self) -> None:
        """Ends every connection first: what is still held must not arrive after all."""
        for proxy in (self.graph, self.queue, self.cache):
            proxy.cut()
            proxy.close()


@dataclass
class Ours:
    """One process of ours with all it has started."""

    pid: int
    log: Path
    to: Proxies

    def kill(self) -> None:
        """SIGKILL to all of it at once. What a proxy still holds of it does not arrive."""
        for pid in self._pids():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        eventually(lambda: not self.alive(), every=0.005)
        self.to.graph.cut()

    def stop(self) -> None:
        """SIGSTOP: it stands still, its connections stay open."""
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self._signal(signal.SIGCONT)

    def alive(self) -> bool:
        try:
            return psutil.Process(self.pid).status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False

    def told(self) -> str:
        """All that it has written."""
        return self.log.read_text(errors="replace")

    def outcomes(self, event_id: int) -> list[str]:
        """What came of each of its jobs for the event."""
        lines = [json.loads(line) for line in self.told().splitlines() if line.startswith("{")]
        return [
            line["outcome"]
            for line in lines
            if line["event"] == "job" and line["event_id"] == event_id
        ]

    def _signal(self, number: signal.Signals) -> None:
        for pid in self._pids():
            os.kill(pid, number)

    def _pids(self) -> list[int]:
        """Those it has started, then itself."""
        try:
            children = psutil.Process(self.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return []
        return [*(child.pid for child in children), self.pid]


class Site:
    """The servers, and the processes that a test has started; those end with the test."""

    def __init__(self, stack_env: dict[str, str]) -> None:
        self.folder = free_folder("faults")
        settings = replace(
            external_stores(stack_env, self.folder), queue_redis_url=None, cache_redis_url=None
        )
        self.stack = LocalStack(settings, report=lambda _: None, max_crashes=MANY_DEATHS)
        self._watcher = threading.Thread(target=self.stack.supervisor.watch, daemon=True)
        self._zygote: subprocess.Popen[str] | None = None
        self._started: list[Ours] = []
        self._lasting: list[Ours] = []
        self._count = itertools.count()

    def __enter__(self) -> Self:
        self.stack.claim()
        try:
            self.stack.start_stores()
            self._zygote = subprocess.Popen(
                [sys.executable, "-m", "tests.system.kills.zygote"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                cwd=ROOT,
                env={**os.environ, **self.env},
                text=True,
            )
        except BaseException:
            self.stack.stop()
            raise
        self._watcher.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._started += self._lasting
        self.end_all()
        self.stack.stopping.set()
        self._watcher.join()
        if self._zygote:
            self._zygote.communicate(timeout=10)
        self.stack.stop()

    @property
    def env(self) -> dict[str, str]:
        """What a process is told that stands behind no proxy."""
        own = {name: value for name, value in self.stack.env.items() if "PROMETHEUS" not in name}
        return own | {"TIMELINE_CAP": str(CAP), "TIMELINE_SLACK": str(SLACK)}

    def worker(
        self, name: str, *, clock_seconds: float = 0.0, constants: Mapping[str, float] = MANY_A_PAGE
    ) -> Ours:
        """A worker, or the sweeper, that has just been started."""
        assert self._zygote
        assert self._zygote.stdin
        assert self._zygote.stdout
        proxies, env = self._behind_proxies()
        log = self.folder / "logs" / f"{name}-{next(self._count)}.log"
        asked = {
            "name": name,
            "env": env,
            "log": str(log),
            "constants": {**QUICKLY, **constants},
            "clock_seconds": clock_seconds,
        }
        print(json.dumps(asked), file=self._zygote.stdin, flush=True)
        worker = Ours(int(self._zygote.stdout.readline()), log, proxies)
        self._started.append(worker)
        return worker

    def api(self, *, lasting: bool = False) -> tuple[Ours, str]:
        """One web process that answers, as granian runs it, and its address.

        `lasting`: it does not end with the test; who asked for it ends it.
        """
        proxies, env = self._behind_proxies()
        program = Api(port=_free_port(), workers=1, env=env | {"LIMITS_SCALE": "100000"})
        program.name = f"api-{next(self._count)}"
        process = Process(program, folder=self.folder, working_folder=ROOT)
        process.start()  # and recorded: the next run ends what a killed one has left
        assert process.pid
        api = Ours(process.pid, process.log, proxies)
        (self._lasting if lasting else self._started).append(api)
        eventually(lambda: program.problem() is None, seconds=60)
        process.record_descendants()
        return api, program.url

    def returned(self, name: str, instead_of: int) -> None:
        """Wait until the supervisor has put another server into the place of that one."""
        process = self.stack.process(name)
        eventually(
            lambda: process.pid != instead_of and process.program.problem() is None, seconds=30
        )

    def end_all(self) -> None:
        """Kill whatever has been started."""
        for ours in self._started:
            ours.kill()
            ours.to.close()
        self._started.clear()

    def _behind_proxies(self) -> tuple[Proxies, dict[str, str]]:
        env = self.env
        made = {}
        for name in ("NEO4J_URI", "QUEUE_REDIS_URL", "CACHE_REDIS_URL"):
            made[name], env[name] = proxied(env[name])
        return Proxies(*made.values()), env


def _free_port() -> int:
    with socket.create_server((HOST, 0)) as listener:
        return int(listener.getsockname()[1])
