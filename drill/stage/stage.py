"""The drill's stage: stores and processes of its own, each process with its own ways to the stores.

Whatever is killed is started again by the stack's own supervisor, however often it dies.
"""

import os
import shutil
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from signal import SIGCONT, SIGKILL, Signals
from types import TracebackType
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit, urlunsplit

import psutil
import requests

from drill.support.proxy import Proxy
from graph import Graph, GraphSettings
from graph.event_kinds import QUEUES
from stack import LocalStack, StackSettings
from stack.local import end_leftovers, lock
from stack.parts.photofeed import Api, Initial, Worker
from stack.ports import HOST
from stack.settings import ROOT
from stack.supervision.supervisor import Supervisor
from storage import Storage, StorageSettings
from tests.eventually import eventually

if TYPE_CHECKING:
    from stack.parts.part import Process

MANY_DEATHS = 1_000_000
"""A drill kills more often than a supervisor would put up with."""

APIS = ("api-1", "api-2")
WORKERS = {
    "fanout": "fanout",
    "fanout-2": "fanout",
    "fanout-large": "fanout-large",
    "timelines": "timelines",
    "removal": "removal",
    "photos": "photos",
    "sweeper": "sweeper",
}
"""Which duty each of our other processes has."""

STORES = {
    "neo4j": "NEO4J_URI",
    "queue": "QUEUE_REDIS_URL",
    "cache": "CACHE_REDIS_URL",
    "s3": "S3_ENDPOINT_URL",
}
"""By which variable a process of ours is told of each store."""

QUEUE_MEMORY = "128mb"
HEAL_SECONDS = 90.0
"""Longer than Neo4j takes to come back after a kill, and than a hanging process is left alone."""

CLOCK = Path(__file__).parent / "clock"


class _DrillApi(Api):
    """One web process; asked briefly, so that one that hangs holds up no other's restart."""

    def __init__(self, name: str, *, port: int, env: Mapping[str, str]) -> None:
        super().__init__(port=port, workers=1, env=env)
        self.name = name

    def problem(self) -> str | None:
        with suppress(requests.RequestException):
            if requests.get(f"{self.url}/readyz", timeout=2).ok:
                return None
        return "it is not ready"


class _DrillWorker(Worker):
    """One of several workers of the same queue."""

    def __init__(self, name: str, duty: str, *, env: Mapping[str, str]) -> None:
        super().__init__(duty, env=env)
        self._duty = duty
        self.name = name

    def command(self) -> list[str]:
        return [*super().command()[:-1], self._duty]


class DrillStage:
    """Everything that runs in a drill. A context manager."""

    def __init__(
        self, folder: Path, *, sweeper: bool = True, extra_env: Mapping[str, str] | None = None
    ) -> None:
        self.folder = folder
        self.said: list[str] = []
        self.problems: list[str] = []
        self.api_urls: list[str] = []
        self.processes: dict[str, Process] = {}
        self.proxies: dict[tuple[str, str], Proxy] = {}
        self.names = [*APIS, *(name for name in WORKERS if sweeper or name != "sweeper")]
        self._extra = dict(extra_env or {})
        self._stopping = threading.Event()
        self._stack = LocalStack(
            StackSettings(
                folder=folder,
                neo4j_heap="512m",
                neo4j_pagecache="128m",
                neo4j_java_options=("-XX:TieredStopAtLevel=1",),  # quick to start again
                queue_memory=QUEUE_MEMORY,
                cache_memory="128mb",
                limits_scale="1000000",
            ),
            say=self.said.append,
            max_deaths=MANY_DEATHS,
        )
        self._ours = Supervisor(
            folder,
            working_folder=ROOT,
            say=self.said.append,
            stop=self._stopping,
            max_deaths=MANY_DEATHS,
        )
        self._watchers: list[threading.Thread] = []

    def __enter__(self) -> Self:
        _emptied(self.folder)
        self._stack.claim()
        try:
            self._stack.start_stores()
            self._open()
            self._start_ours()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop()

    @property
    def env(self) -> dict[str, str]:
        """Where the stores really are."""
        return self._stack.env

    def present(self, names: Iterable[str]) -> list[str]:
        """Those of the names that are on this stage, which may have no sweeper."""
        return [name for name in names if name in self.processes]

    def pids(self, name: str) -> list[int]:
        """The process of that name as it is now, and what it has started, the parent first."""
        pid = self.processes[name].pid
        if pid is None:
            return []
        try:
            return [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]
        except psutil.Error:
            return []

    def signal(self, name: str, number: Signals, *, children: bool = True) -> list[int]:
        """Sends the signal to the process and, if asked, to its children; the pids it went to."""
        pids = self.pids(name)[: None if children else 1]
        return [pid for pid in pids if self.signal_pid(pid, number)]

    @staticmethod
    def signal_pid(pid: int, number: Signals) -> bool:
        """Sends the signal to one process of those above, which may be gone by now."""
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return False
        return True

    def move_clock(self, name: str, seconds: float) -> None:
        """Sets the clock of one process of ours off by this much, at once and after a restart."""
        file = self._clock_file(name)
        draft = file.with_suffix(".new")
        draft.write_text(str(seconds))
        draft.replace(file)

    def proxies_to(self, store: str) -> list[Proxy]:
        """Every process's way to that store."""
        return [proxy for (_, to), proxy in self.proxies.items() if to == store]

    def heal(self) -> None:
        """Ends every fault and returns when all processes answer and see all stores.

        Raises AssertionError if that takes longer than a minute and a half.
        """
        self._end_faults()
        eventually(self._well, seconds=HEAL_SECONDS, every=0.25)
        self._limit_queue()  # a server that was down then did not hear it

    def owed(self) -> int:
        """Events that somebody will still work on: due or waiting, not those in quarantine."""
        counts = self.graph.events.counts()
        return counts["due"] + counts["waiting"]

    def quarantined(self) -> int:
        """Events in quarantine."""
        return self.graph.events.counts()["quarantined"]

    def jobs(self) -> int:
        """Jobs waiting in the queues."""
        return sum(self.storage.queues.depth(name) for name in QUEUES)

    def logs(self) -> dict[str, str]:
        """What each of our own processes has written."""
        logs = {name: self.processes[name].log for name in self.names}
        return {name: log.read_text(errors="replace") for name, log in logs.items()}

    def _open(self) -> None:
        env = self._stack.env
        self.graph = Graph.open(
            GraphSettings(
                uri=env["NEO4J_URI"],
                user=env["NEO4J_USER"],
                password=env["NEO4J_PASSWORD"],
                database=env["NEO4J_DATABASE"],
            )
        )
        self.storage = Storage.open(
            StorageSettings(
                queue_url=env["QUEUE_REDIS_URL"],
                cache_url=env["CACHE_REDIS_URL"],
                s3_endpoint_url=env["S3_ENDPOINT_URL"],
                s3_bucket=env["S3_BUCKET"],
                s3_access_key=env["AWS_ACCESS_KEY_ID"],
                s3_secret_key=env["AWS_SECRET_ACCESS_KEY"],
                s3_region=env["AWS_REGION"],
                media_base_url=env["MEDIA_BASE_URL"],
            )
        )

    def _start_ours(self) -> None:
        metrics = Path(self._stack.env["PROMETHEUS_MULTIPROC_DIR"])
        shutil.rmtree(metrics, ignore_errors=True)
        metrics.mkdir(parents=True)
        (self.folder / "clock").mkdir(exist_ok=True)
        log = self.folder / "logs" / "init.log"
        Initial(env=self._stack.env, log=log, stop=self._stopping).run(ROOT)
        ports = (int(self._stack.env["API_PORT"]), int(self._stack.env["ADMIN_PORT"]))
        apis = [
            _DrillApi(name, port=port, env=self._told(name))
            for name, port in zip(APIS, ports, strict=True)
        ]
        workers = [
            _DrillWorker(name, duty, env=self._told(name))
            for name, duty in WORKERS.items()
            if name in self.names
        ]
        self.api_urls = [api.url for api in apis]
        self._ours.start([*apis, *workers])
        self.processes = {name: self._ours.process(name) for name in self.names}
        self.processes |= {name: self._stack.process(name) for name in STORES}
        for supervisor in (self._stack.supervisor, self._ours):
            watcher = threading.Thread(target=self._watch, args=(supervisor,), daemon=True)
            watcher.start()
            self._watchers.append(watcher)

    def _told(self, name: str) -> dict[str, str]:
        """The environment of one process: the stores through proxies of its own."""
        env = dict(self._stack.env)
        for store, variable in STORES.items():
            url = urlsplit(env[variable])
            proxy = Proxy(HOST, url.port or 0)
            self.proxies[name, store] = proxy
            login = url.netloc.rpartition("@")[0]
            netloc = f"{login}@{HOST}:{proxy.port}" if login else f"{HOST}:{proxy.port}"
            env[variable] = urlunsplit(url._replace(netloc=netloc))
        env["PYTHONPATH"] = str(CLOCK)
        env["DRILL_CLOCK"] = str(self._clock_file(name))
        return env | self._extra

    def _clock_file(self, name: str) -> Path:
        return self.folder / "clock" / name

    def _watch(self, supervisor: Supervisor) -> None:
        try:
            supervisor.watch()
        except Exception as error:  # noqa: BLE001 - whatever it is fails the drill, see _well
            self.problems.append(f"the supervisor gave up: {error}")

    def _end_faults(self) -> None:
        for proxy in self.proxies.values():
            proxy.resume()
        for name in self.processes:
            self.signal(name, SIGCONT)
        for name in self.names:
            self._clock_file(name).unlink(missing_ok=True)
        self._limit_queue()

    def _limit_queue(self) -> None:
        with suppress(Exception):
            self.storage.queue.client.config_set("maxmemory", QUEUE_MEMORY)

    def _well(self) -> bool:
        if self.problems:
            raise RuntimeError("; ".join(self.problems))
        unwell = list(self._unwell())
        assert not unwell, f"not healed: {', '.join(unwell)}"
        return True

    def _unwell(self) -> Iterator[str]:
        for name, process in self.processes.items():
            if not process.alive():
                yield f"{name} does not run"
            elif name in STORES and (problem := process.program.problem()):
                yield f"{name}: {problem}"
        for name, url in zip(APIS, self.api_urls, strict=True):
            try:
                status = requests.get(f"{url}/readyz", timeout=5).json()["status"]
            except (requests.RequestException, ValueError, KeyError) as error:
                status = type(error).__name__
            if status != "ok":
                yield f"{name} is {status}"

    def _stop(self) -> None:
        self._stopping.set()
        self._stack.stopping.set()
        for watcher in self._watchers:
            watcher.join()
        for name in self.processes:
            self.signal(name, SIGCONT)
        for proxy in self.proxies.values():
            proxy.resume()
        self._ours.stop(seconds=20)
        for proxy in self.proxies.values():
            proxy.close()
        with suppress(AttributeError):  # it may have failed before they were opened
            self.graph.close()
            self.storage.close()
        if "neo4j" in self.processes:  # its data are thrown away: an orderly stop takes 10 s
            self.signal("neo4j", SIGKILL)
        self._stack.stop()


def _emptied(folder: Path) -> None:
    """Throws away what an earlier drill's stores have kept there, and nothing else."""
    if not (folder / "lock").exists():
        return  # no drill has run here yet
    with lock(folder):
        end_leftovers(folder, print)
        for name in ("data", "logs", "run"):
            shutil.rmtree(folder / "neo4j" / name, ignore_errors=True)
        for pattern in ("queue-*", "cache-*", "s3", "logs", "run", "clock"):
            for path in folder.glob(pattern):
                shutil.rmtree(path, ignore_errors=True)
