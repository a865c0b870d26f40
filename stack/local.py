"""The whole local stack: which parts it has here, in which order, and what they are told."""

import fcntl
import os
import shutil
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Self

from stack import ports, secrets
from stack.errors import StackError
from stack.parts import neo4j, redis, s3
from stack.parts.part import Part, Process, Program
from stack.parts.photofeed import WORKERS, Admin, Api, Initial, Worker
from stack.settings import ROOT, StackSettings
from stack.supervision import records
from stack.supervision.supervisor import MAX_DEATHS, Supervisor

MIN_FREE_BYTES = 1_000_000_000
"""What a first start writes (jars, logs, empty stores), and a little more."""

SHARED_LIBRARY = ROOT / ".local" / "neo4j" / "lib"
"""Jars of the checkout's own stack: another one, as that of the tests, links to them."""

LAUNCHER = "launcher"
"""The record of the process that runs the stack: it is asked to stop, never ended from here."""

STORES = ("neo4j", "queue", "cache", "s3")


class LocalStack:
    """The stores and our processes in one folder, which one launcher at a time may use."""

    def __init__(
        self,
        settings: StackSettings,
        *,
        say: Callable[[str], None] = print,
        stores: Sequence[str] = STORES,
        max_deaths: int = MAX_DEATHS,
    ) -> None:
        self.settings = settings
        self.folder = settings.folder
        self.env: dict[str, str] = {}
        self.stopping = threading.Event()
        self._say = say
        self._names = stores
        self._stores: list[Part] = []
        self._lock: IO[str] | None = None
        self.supervisor = Supervisor(
            self.folder,
            working_folder=ROOT,
            say=say,
            stop=self.stopping,
            max_deaths=max_deaths,
        )

    def __enter__(self) -> Self:
        self.claim()
        try:
            self.start_stores()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def claim(self) -> None:
        """Takes the folder for this launcher and ends what a killed one has left in it."""
        self._lock = lock(self.folder)
        without_proxy(ports.HOST)
        (self.folder / "run").mkdir(exist_ok=True)
        (self.folder / "logs").mkdir(exist_ok=True)
        end_leftovers(self.folder, self._say)
        free = shutil.disk_usage(self.folder).free
        if free < MIN_FREE_BYTES:
            raise StackError(
                f"The disk is nearly full: {free / 1e6:.0f} MB are left for {self.folder}, and "
                f"{MIN_FREE_BYTES / 1e6:.0f} MB are needed. Free some and run it again."
            )

    def start_stores(self) -> None:
        """Starts or asks the stores, side by side."""
        chosen = self._choose_ports()
        drawn = secrets.load(self.folder / "secrets.env")
        self._stores = [self._store(name, chosen, drawn) for name in self._names]
        self.env = self._environment(chosen, drawn)
        self.supervisor.start(self._stores)

    def start_processes(self, names: Sequence[str] = ("api", *WORKERS, "admin")) -> None:
        """Prepares the stores for us, then starts our own processes.

        Those with a door come first: side by side with the workers they would answer later.
        """
        shutil.rmtree(self.env["PROMETHEUS_MULTIPROC_DIR"], ignore_errors=True)
        Path(self.env["PROMETHEUS_MULTIPROC_DIR"]).mkdir(parents=True)
        initial = Initial(env=self.env, log=self.folder / "logs" / "init.log", stop=self.stopping)
        initial.run(ROOT)
        for round_ in ([n for n in names if n not in WORKERS], [n for n in names if n in WORKERS]):
            self.supervisor.start([self._process(name) for name in round_], needs=self._stores)

    def process(self, name: str) -> Process:
        """The process of that name. Raises KeyError."""
        return self.supervisor.process(name)

    def stop(self) -> None:
        """Stops everything in reverse order and lets go of the folder."""
        self.stopping.set()
        self.supervisor.stop()
        if self._lock:
            self._lock.close()
            self._lock = None

    def _choose_ports(self) -> dict[str, int]:
        settings = self.settings
        ours = {
            "neo4j": None if settings.neo4j_uri else ("neo4j", "browser"),
            "queue": None if settings.queue_redis_url else ("queue",),
            "cache": None if settings.cache_redis_url else ("cache",),
            "s3": None if settings.s3_endpoint_url else ("s3",),
        }
        names = ["api", "admin"]
        names += [port for name in self._names for port in ours[name] or ()]
        return ports.choose(
            names,
            memory=self.folder / "ports.json",
            usual=settings.usual_ports,
            asked=settings.asked_ports,
            say=self._say,
        )

    def _store(self, name: str, chosen: Mapping[str, int], drawn: Mapping[str, str]) -> Part:
        match name:
            case "neo4j":
                return self._neo4j(chosen, drawn)
            case "s3":
                return self._s3(chosen, drawn)
            case _:
                return self._redis(name, chosen, drawn)

    def _neo4j(self, chosen: Mapping[str, int], drawn: Mapping[str, str]) -> Part:
        settings = self.settings
        if settings.neo4j_uri:
            password = settings.neo4j_password or ""
            login = neo4j.Login(
                uri=settings.neo4j_uri,
                user=settings.neo4j_user,
                password=password,
                database=settings.neo4j_database,
            )
            return neo4j.ExternalNeo4j(login)
        home = self.folder / "neo4j"
        return neo4j.EmbeddedNeo4j(
            home,
            bolt=chosen["neo4j"],
            http=chosen["browser"],
            password=drawn["NEO4J_PASSWORD"],
            heap=settings.neo4j_heap,
            pagecache=settings.neo4j_pagecache,
            java_options=settings.neo4j_java_options,
            near=[] if home / "lib" == SHARED_LIBRARY else [SHARED_LIBRARY],
            stop=self.stopping,
        )

    def _redis(self, name: str, chosen: Mapping[str, int], drawn: Mapping[str, str]) -> Part:
        settings = self.settings
        url, memory = {
            "queue": (settings.queue_redis_url, settings.queue_memory),
            "cache": (settings.cache_redis_url, settings.cache_memory),
        }[name]
        if url:
            return redis.ExternalRedis(name, url)
        return redis.EmbeddedRedis(
            name,
            self.folder,
            port=chosen[name],
            password=drawn[f"{name.upper()}_PASSWORD"],
            memory=memory,
            server=redis.find_server(),
        )

    def _s3(self, chosen: Mapping[str, int], drawn: Mapping[str, str]) -> Part:
        settings = self.settings
        external = settings.s3_endpoint_url
        keys = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
        given = (settings.s3_access_key, settings.s3_secret_key)
        access_key, secret_key = given if external else (drawn[name] for name in keys)
        bucket = s3.Bucket(
            endpoint_url=external or f"http://{ports.HOST}:{chosen['s3']}",
            name=settings.s3_bucket,
            access_key=access_key,
            secret_key=secret_key,
            region=settings.s3_region,
        )
        if external:
            return s3.ExternalS3(bucket)
        return s3.EmbeddedS3(self.folder, port=chosen["s3"], bucket=bucket)

    def _environment(self, chosen: Mapping[str, int], drawn: Mapping[str, str]) -> dict[str, str]:
        """What our processes are told, on top of the environment of the stack itself."""
        settings = self.settings
        env = {
            "CURSOR_SECRET": settings.cursor_secret or drawn["CURSOR_SECRET"],
            "ADMIN_PASSWORD": settings.admin_password or drawn["ADMIN_PASSWORD"],
            "LIMITS_SCALE": settings.limits_scale,
            "API_URL": f"http://{ports.HOST}:{chosen['api']}",
            "API_PORT": str(chosen["api"]),
            "ADMIN_URL": f"http://{ports.HOST}:{chosen['admin']}",
            "ADMIN_PORT": str(chosen["admin"]),
            "PROMETHEUS_MULTIPROC_DIR": str(self.folder / "run" / "metrics"),
            "PYTHONUNBUFFERED": "1",
        }
        for part in self._stores:
            env |= _told_by(part, settings)
        if "browser" in chosen:
            env["NEO4J_BROWSER_URL"] = f"http://{ports.HOST}:{chosen['browser']}/browser/"
        return env

    def _process(self, name: str) -> Program:
        match name:
            case "api":
                port = int(self.env["API_PORT"])
                return Api(port=port, workers=self.settings.api_workers, env=self.env)
            case "admin":
                return Admin(port=int(self.env["ADMIN_PORT"]), env=self.env)
            case _:
                return Worker(name, env=self.env)


def lock(folder: Path) -> IO[str]:
    """The folder's lock, held until closed (or the process's end). Raises StackError if taken."""
    folder.mkdir(parents=True, exist_ok=True)
    with suppress(PermissionError):  # a folder that was lent to us
        folder.chmod(0o700)  # photos, graph and logs are nobody else's business
    file = (folder / "lock").open("a+")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        file.seek(0)
        pid = file.read().strip() or "unknown"
        file.close()
        raise StackError(
            f"The stack in {folder} runs already (process {pid}). "
            "`make status` shows it, `make down` stops it."
        ) from error
    file.seek(0)
    file.truncate()
    file.write(str(os.getpid()))
    file.flush()
    return file


def end_leftovers(folder: Path, say: Callable[[str], None]) -> None:
    """Ends what still runs of an earlier launcher that could not stop it, youngest first."""
    (folder / "run" / "stack.env").unlink(missing_ok=True)
    for record in records.read_all(folder / "run"):
        if record.name == LAUNCHER:
            continue
        if records.survivors(record):
            say(f"{record.name} still runs from an earlier start; it is stopped first.")
            records.end(record, seconds=30)
        records.forget(folder / "run", record.name)


def without_proxy(host: str) -> None:
    """Keeps this process and its children from asking a proxy for their own machine."""
    for name in ("NO_PROXY", "no_proxy"):
        hosts = os.environ.get(name, "")
        if host not in hosts.split(","):
            os.environ[name] = f"{hosts},{host}".strip(",")


def _told_by(part: Part, settings: StackSettings) -> dict[str, str]:
    if isinstance(part, neo4j.EmbeddedNeo4j | neo4j.ExternalNeo4j):
        login = part.login
        return {
            "NEO4J_URI": login.uri,
            "NEO4J_USER": login.user,
            "NEO4J_PASSWORD": login.password,
            "NEO4J_DATABASE": login.database,
        }
    if isinstance(part, redis.EmbeddedRedis | redis.ExternalRedis):
        return {f"{part.name.upper()}_REDIS_URL": part.url}
    if isinstance(part, s3.EmbeddedS3 | s3.ExternalS3):
        bucket = part.bucket
        return {
            "S3_ENDPOINT_URL": bucket.endpoint_url,
            "S3_BUCKET": bucket.name,
            "AWS_ACCESS_KEY_ID": bucket.access_key or "",
            "AWS_SECRET_ACCESS_KEY": bucket.secret_key or "",
            "AWS_REGION": bucket.region,
            "MEDIA_BASE_URL": settings.media_base_url or f"{bucket.endpoint_url}/{bucket.name}",
        }
    return {}
