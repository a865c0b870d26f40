"""A `cache` Redis of a row's own, with the product's settings, on a core of its own."""

import secrets
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis

from bench.stage.cores import SERVER, pin
from bench.stage.folders import temporary_folder
from bench.stage.servers import wait_until_ready
from stack.parts.redis import LocalRedis, find_server
from stack.ports import HOST, choose
from stack.settings import ROOT
from stack.supervision.process import Process
from storage import Storage, StorageSettings

MEMORY = "6gb"
"""Enough that nothing is evicted."""
FREEING_SECONDS = 30.0
REPLY_SECONDS = 60.0
POLL_SECONDS = 0.05
BATCH = 1_000
"""Commands in one pipeline that fills or checks lists."""

CAP, SLACK = 400, 100
"""The product's defaults."""

Command = Sequence[bytes | str | int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cache:
    """A running server, with the product's storage on it and a plain client."""

    port: int
    password: str
    pid: int
    storage: Storage
    client: redis.Redis

    def cpu_seconds(self) -> float:
        """The server's CPU time since its start."""
        used = self.client.info("cpu")
        return float(used["used_cpu_user"]) + float(used["used_cpu_sys"])

    def used_bytes(self) -> int:
        """Memory used for data. Waits until the server has freed what is being removed.

        Raises RuntimeError after FREEING_SECONDS.
        """
        pause = threading.Event()
        for _ in range(int(FREEING_SECONDS / POLL_SECONDS)):
            memory = self.client.info("memory")
            if not memory["lazyfree_pending_objects"]:
                return int(memory["used_memory"])
            pause.wait(POLL_SECONDS)
        raise RuntimeError("The bench's Redis has not finished freeing memory.")

    def replies(self, commands: Iterable[Command]) -> Iterator[Any]:
        """The replies to many commands, sent in batches. Raises the first error."""
        batch: list[Command] = []
        for command in commands:
            batch.append(command)
            if len(batch) == BATCH:
                yield from self._run_batch(batch)
                batch = []
        yield from self._run_batch(batch)

    def run(self, commands: Iterable[Command]) -> None:
        """Run many commands, sent in batches. Raises the first error."""
        for _ in self.replies(commands):
            pass

    def _run_batch(self, commands: Sequence[Command]) -> list[Any]:
        with self.client.pipeline(transaction=False) as pipe:
            for command in commands:
                pipe.execute_command(*command)  # type: ignore[no-untyped-call]
            return list(pipe.execute())


@contextmanager
def running_cache() -> Iterator[Cache]:
    """An empty server; stopped, and its folder removed, afterwards."""
    with temporary_folder("cache-") as folder:
        ports = choose(
            ["cache"], file=folder / "ports.json", defaults=None, requested=None, report=print
        )
        password = secrets.token_hex(16)
        part = LocalRedis(
            "cache",
            folder,
            port=ports["cache"],
            password=password,
            memory=MEMORY,
            server=find_server(),
        )
        with _running(part, folder) as process, _storage(part.url) as storage:
            client = redis.Redis.from_url(part.url, socket_timeout=REPLY_SECONDS)
            with client:
                yield Cache(
                    port=ports["cache"],
                    password=password,
                    pid=process.pid or 0,
                    storage=storage,
                    client=client,
                )


@contextmanager
def _running(part: LocalRedis, folder: Path) -> Iterator[Process]:
    process = Process(part, folder=folder, working_folder=ROOT)
    process.start()
    try:
        wait_until_ready(process, part)
        pin(process.pid or 0, SERVER)
        yield process
    finally:
        process.stop()


@contextmanager
def _storage(url: str) -> Iterator[Storage]:
    storage = Storage.open(_settings(url))
    try:
        storage.cache.ensure_connection()  # before use: it gives the cache its generation
        yield storage
    finally:
        storage.close()


def _settings(url: str) -> StorageSettings:
    unused = f"http://{HOST}:9"
    return StorageSettings(
        queue_url=f"redis://{HOST}:9/0",
        cache_url=url,
        s3_endpoint_url=unused,
        s3_bucket="none",
        s3_access_key="none",
        s3_secret_key="none",  # noqa: S106
        s3_region="none",
        media_base_url=unused,
        timeline_cap=CAP,
        timeline_slack=SLACK,
    )
