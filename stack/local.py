"""The local stack: its parts, their start order, and the environment of our processes."""

import os
import shutil
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Self

from stack import ports, secrets
from stack.errors import StackError
from stack.parts.part import Program, Store
from stack.parts.photofeed import WORKERS, Admin, Api, Worker, prepare_stores, public_key_of
from stack.parts.stores import STORES, build_store, port_names
from stack.roles import environment_of
from stack.settings import ROOT, StackSettings
from stack.supervision.launcher import lock_folder, stop_orphans
from stack.supervision.process import Process
from stack.supervision.supervisor import MAX_CRASHES, Supervisor
from stack.terminal import Report

MIN_FREE_BYTES = 1_000_000_000
"""What a first start writes (jars, logs, empty stores), with a margin."""


class LocalStack:
    """The stores and our processes in one folder, which one launcher at a time may use."""

    def __init__(
        self,
        settings: StackSettings,
        *,
        report: Report = print,
        stores: Sequence[str] = STORES,
        max_crashes: int = MAX_CRASHES,
    ) -> None:
        self.settings = settings
        self.folder = settings.folder
        self.env: dict[str, str] = {}
        """The variables of the whole stack, with all secrets. Complete once the stores run."""
        self.stopping = threading.Event()
        self._report = report
        self._names = stores
        self._stores: list[Store] = []
        self._lock: IO[str] | None = None
        self.supervisor = Supervisor(
            self.folder,
            working_folder=ROOT,
            report=report,
            stopping=self.stopping,
            max_crashes=max_crashes,
        )

    def __enter__(self) -> Self:
        self.lock()
        try:
            self.start_stores()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def lock(self) -> None:
        """Lock the folder for this launcher, and stop the orphans of a killed one.

        Raises StackError if another launcher has the folder or the disk is nearly full.
        """
        self._lock = lock_folder(self.folder)
        bypass_proxy(ports.HOST)
        (self.folder / "run").mkdir(exist_ok=True)
        (self.folder / "logs").mkdir(exist_ok=True)
        stop_orphans(self.folder, self._report)
        free = shutil.disk_usage(self.folder).free
        if free < MIN_FREE_BYTES:
            raise StackError(
                f"The disk is nearly full: {self.folder} has {free / 1e6:.0f} MB free and needs "
                f"{MIN_FREE_BYTES / 1e6:.0f} MB. Free some and run the same command again."
            )

    def start_stores(self) -> None:
        """Start the local stores in parallel, and wait until all stores answer."""
        ports_by_name = self._choose_ports()
        secrets_by_name = secrets.load(
            self.folder / "secrets.env", session_days=self.settings.session_days
        )
        self._stores = [
            build_store(
                name,
                self.settings,
                ports=ports_by_name,
                secrets=secrets_by_name,
                stopping=self.stopping,
            )
            for name in self._names
        ]
        self.env = self._environment(ports_by_name, secrets_by_name)
        self.supervisor.start(self._stores)

    def start_processes(self, names: Sequence[str] = ("api", *WORKERS, "admin")) -> None:
        """Prepare the stores, then start our own processes.

        The workers start after the servers: a parallel start would delay the servers.
        """
        private_key = self.env["VAPID_PRIVATE_KEY"]
        self.env["VAPID_PUBLIC_KEY"] = public_key_of(private_key, working_folder=ROOT)
        shutil.rmtree(self.env["PROMETHEUS_MULTIPROC_DIR"], ignore_errors=True)
        Path(self.env["PROMETHEUS_MULTIPROC_DIR"]).mkdir(parents=True)
        prepare_stores(
            env=environment_of("init", self.env),
            log=self.folder / "logs" / "init.log",
            working_folder=ROOT,
            stopping=self.stopping,
        )
        servers = [name for name in names if name not in WORKERS]
        workers = [name for name in names if name in WORKERS]
        for group in (servers, workers):
            self.supervisor.start([self._program(name) for name in group], needs=self._stores)

    def process(self, name: str) -> Process:
        """The process of that name. Raises KeyError."""
        return self.supervisor.process(name)

    def stop(self) -> None:
        """Stop all processes in reverse order and release the folder."""
        self.stopping.set()
        self.supervisor.stop()
        if self._lock:
            self._lock.close()
            self._lock = None

    def _choose_ports(self) -> dict[str, int]:
        return ports.choose(
            ["api", "admin", *port_names(self._names, self.settings)],
            file=self.folder / "ports.json",
            defaults=self.settings.default_ports,
            requested=self.settings.requested_ports,
            report=self._report,
        )

    def _environment(
        self, ports_by_name: Mapping[str, int], secrets_by_name: Mapping[str, str]
    ) -> dict[str, str]:
        """The variables of the whole stack. A process gets those of its role (stack/roles.py)."""
        settings = self.settings
        old_tokens_until = secrets_by_name.get(secrets.OLD_TOKENS_UNTIL, "")
        env = {
            "CURSOR_SECRET": settings.cursor_secret or secrets_by_name["CURSOR_SECRET"],
            "TOKEN_KEYS": settings.token_keys or secrets_by_name["TOKEN_KEYS"],
            "OLD_TOKENS_UNTIL": settings.old_tokens_until or old_tokens_until,
            "ADMIN_PASSWORD": settings.admin_password or secrets_by_name["ADMIN_PASSWORD"],
            "VAPID_PRIVATE_KEY": settings.vapid_private_key or secrets_by_name["VAPID_PRIVATE_KEY"],
            "LIMITS_SCALE": settings.limits_scale,
            "API_URL": f"http://{ports.HOST}:{ports_by_name['api']}",
            "API_PORT": str(ports_by_name["api"]),
            "ADMIN_URL": f"http://{ports.HOST}:{ports_by_name['admin']}",
            "ADMIN_PORT": str(ports_by_name["admin"]),
            "PROMETHEUS_MULTIPROC_DIR": str(self.folder / "run" / "metrics"),
            "PYTHONUNBUFFERED": "1",
        }
        for store in self._stores:
            env |= store.variables()
        if "browser" in ports_by_name:
            env["NEO4J_BROWSER_URL"] = f"http://{ports.HOST}:{ports_by_name['browser']}/browser/"
        return env

    def _program(self, name: str) -> Program:
        env = environment_of(name, self.env)
        match name:
            case "api":
                port = int(env["API_PORT"])
                return Api(port=port, workers=self.settings.api_workers, env=env)
            case "admin":
                return Admin(port=int(env["ADMIN_PORT"]), env=env)
            case _:
                return Worker(name, env=env)


def bypass_proxy(host: str) -> None:
    """Set NO_PROXY, so that this process and its children reach the host without a proxy."""
    for name in ("NO_PROXY", "no_proxy"):
        hosts = os.environ.get(name, "")
        if host not in hosts.split(","):
            os.environ[name] = f"{hosts},{host}".strip(",")
