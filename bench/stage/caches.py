"""A `cache` Redis of a row's own, with the product's settings, on a core of its own."""

import secrets
import shutil
import tempfile
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis

from bench.stage.cores import SERVER, pin
from stack.parts.redis import LocalRedis, find_server
from stack.ports import HOST, choose
from stack.settings import ROOT
from stack.supervision.process import Process
from storage import Storage, StorageSettings

FOLDER = ROOT / ".local" / "bench"
MEMORY = "6gb"
"""Nothing is evicted from what a row has filled."""
START_SECONDS = 30.0
ASK_SECONDS = 60.0
LOOK_SECONDS = 0.05
BATCH = 1_000
"""Commands sent together where a row fills or proves something."""

CAP, SLACK = 400, 100
"""The product's defaults."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cache:
    """A running server: as the product sees it, and bare, to fill it and to look into it."""

    port: int
    password: str
    pid: int
    storage: Storage
    bare: redis.Redis

    def seconds(self) -> float:
        """The server's CPU time so far: to be subtracted."""
        used = self.bare.info("cpu")
        return float(used["used_cpu_user"]) + float(used["used_cpu_sys"])

    def used_bytes(self) -> int:
        """Memory in use for data, without what the allocator keeps, when all that goes is gone."""
        pause = threading.Event()
        for _ in range(int(START_SECONDS / LOOK_SECONDS)):
            memory = self.bare.info("memory")
            if not memory["lazyfree_pending_objects"]:
                return int(memory["used_memory"])
            pause.wait(LOOK_SECONDS)
        raise RuntimeError("The bench's Redis does not come to an end of freeing memory.")

    def ask(self, commands: Iterable[Sequence[bytes | str | int]]) -> Iterator[Any]:
        """The replies to many commands, sent in batches. Raises the first error."""
        batch: list[Sequence[bytes | str | int]] = []
        for command in commands:
            batch.append(command)
            if len(batch) == BATCH:
                yield from self._batch(batch)
                batch = []
        yield from self._batch(batch)

    def _batch(self, commands: Sequence[Sequence[bytes | str | int]]) -> list[Any]:
        with self.bare.pipeline(transaction=False) as pipe:
            for command in commands:
                pipe.execute_command(*command)  # type: ignore[no-untyped-call]
            return list(pipe.execute())


@contextmanager
def running_cache() -> Iterator[Cache]:
    """A server with nothing in it, gone with its folder afterwards."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="cache-", dir=FOLDER))
    try:
        with _started(folder) as cache:
            yield cache
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _started(folder: Path) -> Iterator[Cache]:
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
    process = Process(part, folder=folder, working_folder=ROOT)
    process.start()
    try:
        _answering(process, part)
        pid = process.pid or 0
        pin(pid, SERVER)
        storage = Storage.open(_settings(part.url))
        storage.cache.usable()  # or its first connection would find a cache without a generation
        bare = redis.Redis.from_url(part.url, socket_timeout=ASK_SECONDS)
        try:
            yield Cache(port=ports["cache"], password=password, pid=pid, storage=storage, bare=bare)
        finally:
            bare.close()
            storage.close()
    finally:
        process.stop()


def _answering(process: Process, part: LocalRedis) -> None:
    """Returns when it answers. Raises RuntimeError with the end of its log if it does not."""
    pause = threading.Event()
    for _ in range(int(START_SECONDS / LOOK_SECONDS)):
        if not process.alive():
            break
        if part.problem() is None:
            return
        pause.wait(LOOK_SECONDS)
    raise RuntimeError(f"The bench's Redis does not answer:\n{process.last_lines()}")


def _settings(url: str) -> StorageSettings:
    nowhere = f"http://{HOST}:9"  # no row that stands on a cache alone asks for a queue or a photo
    return StorageSettings(
        queue_url=f"redis://{HOST}:9/0",
        cache_url=url,
        s3_endpoint_url=nowhere,
        s3_bucket="none",
        s3_access_key="none",
        s3_secret_key="none",  # noqa: S106
        s3_region="none",
        media_base_url=nowhere,
        timeline_cap=CAP,
        timeline_slack=SLACK,
    )
