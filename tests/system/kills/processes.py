"""Processes of ours for tests to kill, pause and cut off, each behind proxies of its own.

The graph and S3 are those of the other tests. The two Redis servers belong to these tests alone, so
tests may kill and empty them; the supervisor of their stack starts them again.
"""

import itertools
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Self

import psutil

from stack.parts.photofeed import Api
from stack.ports import HOST
from stack.roles import environment_of
from stack.settings import ROOT
from stack.supervision.process import Process
from storage import Storage
from storage.errors import StorageUnavailableError
from tests.support.eventually import eventually
from tests.support.folders import free_folder
from tests.support.proxies import Proxies
from tests.support.stage import CAP, SLACK
from tests.support.supervised_stack import SupervisedStack, external_stores

LEASE_SECONDS = 2.0
SHORT_WAITS = {
    "graph.events.LEASE_MS": int(LEASE_SECONDS * 1000),
    "graph.events.LONG_LEASE_MS": int(LEASE_SECONDS * 1000),
    "graph.events.LATE_MS": 100,
    "storage.queues.BELL_SECONDS": int(LEASE_SECONDS),
    "workers.sweeper.SWEEP_SECONDS": 0.2,
    "workers.outages.LONGEST_PAUSE_SECONDS": 1.0,
}
"""Constants of the workers here: leases and pauses are at most a tenth of those in production."""

NO_CONSTANTS: Mapping[str, float] = MappingProxyType({})


def page_size(followers: int) -> Mapping[str, float]:
    """The constant that makes a page of a fan-out so small. In production it is thousands."""
    return {"workers.fan_out.PAGE": followers}


@dataclass(frozen=True, slots=True)
class ProcessTree:
    """A process of ours and all its descendants."""

    pid: int
    log: Path
    to: Proxies

    def kill(self) -> None:
        """SIGKILL to all of them. Requests that a proxy holds do not reach the graph."""
        for pid in reversed(self._pids()):  # a parent that outlived a child would replace it
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        eventually(lambda: not self.is_alive(), every=0.005)
        self.to.graph.cut()

    def pause(self) -> None:
        """SIGSTOP to all of them: connections stay open."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT to all of them."""
        self._signal(signal.SIGCONT)

    def is_alive(self) -> bool:
        try:
            return psutil.Process(self.pid).status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False

    def outcomes(self, event_id: int) -> list[str]:
        """The outcomes of its jobs for the event, as its log has them."""
        text = self.log.read_text(errors="replace")
        lines = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
        return [
            line["outcome"]
            for line in lines
            if line["event"] == "job" and line["event_id"] == event_id
        ]

    def _signal(self, number: signal.Signals) -> None:
        for pid in self._pids():
            os.kill(pid, number)

    def _pids(self) -> list[int]:
        """The descendants, then the process itself."""
        try:
            children = psutil.Process(self.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return []
        return [*(child.pid for child in children), self.pid]


class Processes:
    """Starts processes for a test, and ends them with it."""

    def __init__(self, stack_env: dict[str, str]) -> None:
        self.folder = free_folder("kills")
        external = external_stores(stack_env, self.folder)
        self.stack = SupervisedStack(replace(external, queue_redis_url=None, cache_redis_url=None))
        self._fork_server: subprocess.Popen[str] | None = None
        self._of_test: list[ProcessTree] = []
        self._of_session: list[ProcessTree] = []
        self._numbers = itertools.count()

    def __enter__(self) -> Self:
        self.stack.__enter__()
        try:
            self._fork_server = subprocess.Popen(
                [sys.executable, "-m", "tests.system.kills.fork_server"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                cwd=ROOT,
                env={**os.environ, **self.env},
                text=True,
            )
        except BaseException:
            self.stack.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._of_test += self._of_session
        self.end_all()
        if self._fork_server:
            self._fork_server.communicate(timeout=10)
        self.stack.__exit__()

    @property
    def env(self) -> dict[str, str]:
        """The environment of a process without proxies."""
        env = {name: value for name, value in self.stack.env.items() if "PROMETHEUS" not in name}
        return env | {"TIMELINE_CAP": str(CAP), "TIMELINE_SLACK": str(SLACK)}

    def start_worker(
        self,
        name: str,
        *,
        clock_seconds: float = 0.0,
        constants: Mapping[str, float] = NO_CONSTANTS,
    ) -> ProcessTree:
        """Forks a worker, or the sweeper, with some constants changed and a clock that is off."""
        assert self._fork_server
        assert self._fork_server.stdin
        assert self._fork_server.stdout
        proxies, env = Proxies.open(environment_of(name, self.env))
        log = self.folder / "logs" / f"{name}-{next(self._numbers)}.log"
        request = {
            "name": name,
            "env": env,
            "log": str(log),
            "constants": {**SHORT_WAITS, **constants},
            "clock_seconds": clock_seconds,
        }
        print(json.dumps(request), file=self._fork_server.stdin, flush=True)
        worker = ProcessTree(int(self._fork_server.stdout.readline()), log, proxies)
        self._of_test.append(worker)
        return worker

    def start_api(self, *, of_session: bool = False) -> tuple[ProcessTree, str]:
        """A web process under granian that is ready, and its URL.

        With `of_session` it does not end with the test.
        """
        proxies, env = Proxies.open(environment_of("api", self.env))
        program = Api(port=_free_port(), workers=1, env=env | {"LIMITS_SCALE": "100000"})
        program.name = f"api-{next(self._numbers)}"
        process = Process(program, folder=self.folder, working_folder=ROOT)
        process.start()  # with a record: the next run stops the orphans of a killed one
        assert process.pid
        api = ProcessTree(process.pid, process.log, proxies)
        (self._of_session if of_session else self._of_test).append(api)
        eventually(lambda: program.problem() is None)
        process.record_descendants()
        return api, program.url

    def end_all(self) -> None:
        """Kills the processes of the test."""
        for tree in self._of_test:
            tree.kill()
            tree.to.close()
        self._of_test.clear()


class RestartedWorker:
    """A worker that a test starts again when it ends, as it does when its queue is down."""

    def __init__(self, processes: Processes, name: str) -> None:
        self._processes, self._name = processes, name
        self._tree = processes.start_worker(name)

    def ensure_alive(self) -> bool:
        """Starts the worker again if it has ended; True."""
        if not self._tree.is_alive():
            self._tree = self._processes.start_worker(self._name)
        return True


def queue_answers(storage: Storage) -> bool:
    try:
        storage.ping_queue()
    except StorageUnavailableError:
        return False
    return True


def _free_port() -> int:
    with socket.create_server((HOST, 0)) as listener:
        return int(listener.getsockname()[1])
