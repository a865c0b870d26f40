"""The stage of a drill: stores and processes of its own, each process with its own proxies.

The stack's supervisor restarts every process and store that dies, however often that happens.
"""

import os
import shutil
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from signal import SIGCONT, SIGKILL, Signals
from types import TracebackType
from typing import TYPE_CHECKING, Self

import psutil
import redis
import requests

from drill.stage.errors import SupervisionError, UnhealthyError
from drill.stage.programs import APIS, WORKERS, DrillApi, DrillWorker
from drill.support.proxy import Proxy, proxied
from drill.support.push_service import PushService, push_service
from drill.support.retrying import retry
from graph import Graph, GraphSettings
from graph.event_kinds import QUEUES
from stack import LocalStack, StackSettings
from stack.parts.part import Program
from stack.parts.photofeed import Admin, prepare_stores
from stack.roles import environment_of
from stack.settings import ROOT
from stack.supervision.launcher import lock_folder, stop_orphans
from stack.supervision.supervisor import Supervisor
from storage import Storage, StorageSettings
from web_push.keys import public_key_of

if TYPE_CHECKING:
    from stack.supervision.process import Process

MAX_DEATHS = 1_000_000
"""The drill kills more often than a supervisor accepts by default."""

STORES = {
    "neo4j": "NEO4J_URI",
    "queue": "QUEUE_REDIS_URL",
    "cache": "CACHE_REDIS_URL",
    "s3": "S3_ENDPOINT_URL",
}
"""The environment variable with the URL of each store."""

QUEUE_MEMORY = "128mb"
HEAL_SECONDS = 90.0
"""More than Neo4j needs to restart after a kill, and than any circuit stays open."""
HEALTH_CHECK_SECONDS = 0.25
STOP_SECONDS = 20

CLOCK_FOLDER = Path(__file__).parent / "clock"
"""On the PYTHONPATH of our processes: the module there moves their clocks."""


class DrillStage:
    """All stores and processes of a drill. A context manager."""

    def __init__(
        self,
        folder: Path,
        *,
        sweeper: bool = True,
        extra_env: Mapping[str, str] | None = None,
        admin_port: int | None = None,
    ) -> None:
        """With `admin_port` there is an admin app too."""
        self.folder = folder
        self.api_urls: list[str] = []
        self.admin_url = ""
        self.process_names = [*APIS, *(name for name in WORKERS if sweeper or name != "sweeper")]
        self._admin_port = admin_port
        self.processes: dict[str, Process] = {}
        """Our processes and the stores, by name."""
        self.proxies: dict[tuple[str, str], Proxy] = {}
        """The proxy between a process and a store, by their names."""
        self.messages: list[str] = []
        """What the supervisors report."""
        self.push: PushService
        """The push service of all users' browsers."""
        self._supervision_errors: list[str] = []
        self._extra_env = dict(extra_env or {})
        self._stopping = threading.Event()
        self._stack = LocalStack(
            StackSettings(
                folder=folder,
                neo4j_heap="512m",
                neo4j_pagecache="128m",
                neo4j_java_options=("-XX:TieredStopAtLevel=1",),  # restarts in less time
                queue_memory=QUEUE_MEMORY,
                cache_memory="128mb",
                limits_scale="1000000",
            ),
            report=self.messages.append,
            max_crashes=MAX_DEATHS,
        )
        self._supervisor = Supervisor(
            folder,
            working_folder=ROOT,
            report=self.messages.append,
            stopping=self._stopping,
            max_crashes=MAX_DEATHS,
        )
        self._supervision: list[threading.Thread] = []
        self._resources = ExitStack()

    def __enter__(self) -> Self:
        _wipe(self.folder)
        self._stack.lock()
        try:
            self._stack.start_stores()
            public_key = public_key_of(self.env["VAPID_PRIVATE_KEY"])
            self.env["VAPID_PUBLIC_KEY"] = public_key
            self.push = self._resources.enter_context(push_service(public_key=public_key))
            self.graph = Graph.open(_graph_settings(self.env))
            self.storage = Storage.open(storage_settings(self.env))
            self._start_processes()
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
        """The environment of the stack, with the stores' own URLs, without proxies."""
        return self._stack.env

    def start_beside(self, programs: Sequence[Program]) -> None:
        """Start programs that are no part of the product; they end with the stage.

        Raises StackError if one does not answer.
        """
        self._supervisor.start(programs)

    def existing(self, names: Iterable[str]) -> list[str]:
        """Those of the names that exist on this stage: it may be without a sweeper."""
        return [name for name in names if name in self.processes]

    def pids(self, name: str) -> list[int]:
        """The pids of the process as it runs now and of its descendants, the parent first."""
        pid = self.processes[name].pid
        if pid is None:
            return []
        try:
            return [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]
        except psutil.Error:
            return []

    def signal(self, name: str, number: Signals, *, children: bool = True) -> list[int]:
        """Send the signal to the process and, with `children`, to its descendants.

        Returns the pids that received it.
        """
        pids = self.pids(name)[: None if children else 1]
        return [pid for pid in pids if self.signal_pid(pid, number)]

    @staticmethod
    def signal_pid(pid: int, number: Signals) -> bool:
        """Send the signal to one process; returns False if it has ended."""
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return False
        return True

    def move_clock(self, name: str, seconds: float) -> None:
        """Set the clock of one of our processes off by `seconds`, at once and after restarts."""
        file = self._clock_file(name)
        draft = file.with_suffix(".new")
        draft.write_text(str(seconds))
        draft.replace(file)

    def heal(self) -> None:
        """End every fault; return when all processes and stores answer.

        Raises UnhealthyError after HEAL_SECONDS, SupervisionError if a supervisor has failed.
        """
        self._end_faults()
        retry(
            self._check_health,
            on=UnhealthyError,
            seconds=HEAL_SECONDS,
            every=HEALTH_CHECK_SECONDS,
        )
        self._reset_queue_memory()  # again: the first time the server may have been down

    def pending_events(self) -> int:
        """The number of events that are due or waiting, without those in quarantine."""
        counts = self.graph.events.counts()
        return counts["due"] + counts["waiting"]

    def quarantined_events(self) -> int:
        """The number of events in quarantine."""
        return self.graph.events.counts()["quarantined"]

    def queued_jobs(self) -> int:
        """The number of jobs in all queues."""
        return sum(self.storage.queues.depth(name) for name in QUEUES)

    def logs(self) -> dict[str, str]:
        """The log of each of our processes, by name."""
        logs = {name: self.processes[name].log for name in self.process_names}
        return {name: log.read_text(errors="replace") for name, log in logs.items()}

    def _start_processes(self) -> None:
        self._prepare()
        ports = (int(self.env["API_PORT"]), int(self.env["ADMIN_PORT"]))
        apis = [
            DrillApi(name, port=port, env=self._proxied_env(name, "api"))
            for name, port in zip(APIS, ports, strict=True)
        ]
        workers = [
            DrillWorker(name, argument, env=self._proxied_env(name, argument))
            for name, argument in WORKERS.items()
            if name in self.process_names
        ]
        self.api_urls = [api.url for api in apis]
        self._supervisor.start([*apis, *workers, *self._admins()])
        self.processes = {name: self._supervisor.process(name) for name in self.process_names}
        self.processes |= {name: self._stack.process(name) for name in STORES}
        for supervisor in (self._stack.supervisor, self._supervisor):
            thread = threading.Thread(target=self._supervise, args=(supervisor,), daemon=True)
            thread.start()
            self._supervision.append(thread)

    def _admins(self) -> Iterator[Admin]:
        if self._admin_port is not None:
            env = self._proxied_env("admin", "admin") | {"ADMIN_PORT": str(self._admin_port)}
            admin = Admin(port=self._admin_port, env=env)
            self.admin_url = admin.url
            self.process_names.append("admin")
            yield admin

    def _prepare(self) -> None:
        """Make the folders of our processes, the schema and the bucket."""
        metrics = Path(self.env["PROMETHEUS_MULTIPROC_DIR"])
        shutil.rmtree(metrics, ignore_errors=True)
        metrics.mkdir(parents=True)
        (self.folder / "clock").mkdir(exist_ok=True)
        log = self.folder / "logs" / "init.log"
        env = environment_of("init", self.env)
        prepare_stores(env=env, log=log, working_folder=ROOT, stopping=self._stopping)

    def _proxied_env(self, name: str, kind: str) -> dict[str, str]:
        """The environment of one process of a kind, with a new proxy to each store."""
        env = environment_of(kind, self.env)
        for store, variable in STORES.items():
            proxy, env[variable] = proxied(env[variable])
            self.proxies[name, store] = proxy
        env["PYTHONPATH"] = str(CLOCK_FOLDER)
        env["DRILL_CLOCK"] = str(self._clock_file(name))
        env["PUSH_ORIGINS"] = self.push.origin
        return env | self._extra_env

    def _clock_file(self, name: str) -> Path:
        return self.folder / "clock" / name

    def _supervise(self, supervisor: Supervisor) -> None:
        try:
            supervisor.watch()
        except Exception as error:  # noqa: BLE001 - any error makes the drill fail, in heal()
            self._supervision_errors.append(f"a supervisor has failed: {error}")

    def _end_faults(self) -> None:
        self.push.recover()
        for proxy in self.proxies.values():
            proxy.resume()
        for name in self.processes:
            self.signal(name, SIGCONT)
        for name in self.process_names:
            self._clock_file(name).unlink(missing_ok=True)
        self._reset_queue_memory()

    def _reset_queue_memory(self) -> None:
        with suppress(redis.RedisError):
            self.storage.queue.client.config_set("maxmemory", QUEUE_MEMORY)

    def _check_health(self) -> None:
        if self._supervision_errors:
            raise SupervisionError("; ".join(self._supervision_errors))
        if problems := list(self._health_problems()):
            raise UnhealthyError(f"not healed: {', '.join(problems)}")

    def _health_problems(self) -> Iterator[str]:
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
        for thread in self._supervision:
            thread.join()
        for name in self.processes:
            self.signal(name, SIGCONT)
        for proxy in self.proxies.values():
            proxy.resume()
        self._supervisor.stop(seconds=STOP_SECONDS)
        for proxy in self.proxies.values():
            proxy.close()
        self._resources.close()
        with suppress(AttributeError):  # the start may have failed before these were opened
            self.graph.close()
            self.storage.close()
        if "neo4j" in self.processes:  # its data are deleted: an orderly stop would take 10 s
            self.signal("neo4j", SIGKILL)
        self._stack.stop()


def _graph_settings(env: Mapping[str, str]) -> GraphSettings:
    return GraphSettings(
        uri=env["NEO4J_URI"],
        user=env["NEO4J_USER"],
        password=env["NEO4J_PASSWORD"],
        database=env["NEO4J_DATABASE"],
    )


def storage_settings(env: Mapping[str, str]) -> StorageSettings:
    """The settings of the stores in the stage's environment."""
    return StorageSettings(
        queue_url=env["QUEUE_REDIS_URL"],
        cache_url=env["CACHE_REDIS_URL"],
        s3_endpoint_url=env["S3_ENDPOINT_URL"],
        s3_bucket=env["S3_BUCKET"],
        s3_access_key=env["AWS_ACCESS_KEY_ID"],
        s3_secret_key=env["AWS_SECRET_ACCESS_KEY"],
        s3_region=env["AWS_REGION"],
        media_base_url=env["MEDIA_BASE_URL"],
    )


def _wipe(folder: Path) -> None:
    """Delete the stores' data of an earlier drill in this folder, and nothing else."""
    if not (folder / "lock").exists():
        return  # no drill has run here
    with lock_folder(folder):
        stop_orphans(folder, print)
        for name in ("data", "logs", "run"):
            shutil.rmtree(folder / "neo4j" / name, ignore_errors=True)
        for pattern in ("queue-*", "cache-*", "s3", "logs", "run", "clock"):
            for path in folder.glob(pattern):
                shutil.rmtree(path, ignore_errors=True)
