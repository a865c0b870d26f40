"""A stack of real processes that a test may kill: its supervisor starts them again."""

import os
import signal
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from stack import LocalStack, StackSettings
from stack.parts.photofeed import WORKERS
from stack.parts.stores import STORES
from stack.roles import ROLE_VARIABLES
from stack.supervision.process import Process
from tests.support.eventually import B_SECONDS, eventually
from tests.support.folders import free_folder
from tests.support.people import Person, sign_up
from tests.support.transports import HttpTransport

ALL_PROCESSES = ("api", *WORKERS, "admin")
QUICK_JAVA = ("-XX:TieredStopAtLevel=1",)
"""Options of the Neo4j of tests. Without the slow JIT tier it starts in half the time."""

UNLIMITED_CRASHES = 1000
"""Tests kill a process more often than the supervisor of `make up` restarts it."""


class SupervisedStack:
    """A stack whose supervisor runs in a thread. Its stores' data is thrown away at the end."""

    def __init__(
        self,
        settings: StackSettings,
        *,
        stores: Sequence[str] = STORES,
        processes: Sequence[str] = (),
        extra_env: Mapping[str, str] | None = None,
    ) -> None:
        self.settings = settings
        self.reports: list[str] = []
        """What the stack has reported, in a terminal's lines."""
        self._processes = processes
        self._extra_env = dict(extra_env or {})
        self._stack = LocalStack(
            settings, stores=stores, report=self.reports.append, max_crashes=UNLIMITED_CRASHES
        )
        self._watcher = threading.Thread(target=self._stack.supervisor.watch, daemon=True)

    def __enter__(self) -> Self:
        self._stack.__enter__()
        try:
            self._stack.env |= self._extra_env
            if self._processes:
                self._stack.start_processes(self._processes)
        except BaseException:
            self._stack.stop()
            raise
        self._watcher.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end_supervision()
        stop_and_discard(self._stack)

    def stop(self) -> None:
        """Stops every process cleanly. The stores' data stays until the end of the context."""
        self._end_supervision()
        self._stack.stop()

    @property
    def env(self) -> dict[str, str]:
        """The environment of the processes."""
        return self._stack.env

    @property
    def url(self) -> str:
        """The URL of the API, without a slash at its end."""
        return self.env["API_URL"]

    @property
    def admin_url(self) -> str:
        """The URL of the admin app."""
        return self.env["ADMIN_URL"]

    def sign_up(self, name: str = "ana") -> Person:
        """A new user of the API, whose username begins with `name`."""
        return sign_up(HttpTransport(self.url), name)

    def process(self, name: str) -> Process:
        """The process of that name."""
        return self._stack.process(name)

    def pid(self, name: str) -> int:
        """The pid of the process of that name. It changes with each restart."""
        pid = self.process(name).pid
        assert pid is not None
        return pid

    def log(self, name: str) -> str:
        """The whole log of the process of that name."""
        return self.process(name).log.read_text(errors="replace")

    def kill(self, name: str) -> int:
        """Sends SIGKILL; the pid of the process."""
        pid = self.pid(name)
        os.kill(pid, signal.SIGKILL)
        return pid

    @contextmanager
    def paused(self, name: str) -> Iterator[None]:
        """Pauses the process (SIGSTOP): connections stay open, requests get no response."""
        pid = self.pid(name)
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    def wait_until_restarted(self, name: str, *, old_pid: int) -> None:
        """Waits until another process has replaced the one of `old_pid`, and is ready."""
        process = self.process(name)
        eventually(
            lambda: (
                process.pid != old_pid and process.alive() and process.program.problem() is None
            ),
            seconds=B_SECONDS,
        )

    def kill_and_wait(self, *names: str) -> None:
        """Kills the processes and waits until they are restarted."""
        pids = {name: self.kill(name) for name in names}
        for name, pid in pids.items():
            self.wait_until_restarted(name, old_pid=pid)

    def _end_supervision(self) -> None:
        self._stack.stopping.set()
        self._watcher.join()


def stop_and_discard(stack: LocalStack) -> None:
    """Stops the stack. Its own Neo4j is killed: a clean shutdown takes 11 s and only saves data."""
    if stack.settings.neo4j_uri is None:
        stack.supervisor.stop(seconds=0)
    stack.stop()


def external_stores(stack_env: Mapping[str, str], folder: Path | None = None) -> StackSettings:
    """Settings of a stack on the stores of `stack_env`, with ports of its own."""
    return StackSettings(
        folder=folder or free_folder("processes"),
        neo4j_uri=stack_env["NEO4J_URI"],
        neo4j_user=stack_env["NEO4J_USER"],
        neo4j_password=stack_env["NEO4J_PASSWORD"],
        neo4j_database=stack_env["NEO4J_DATABASE"],
        queue_redis_url=stack_env["QUEUE_REDIS_URL"],
        cache_redis_url=stack_env["CACHE_REDIS_URL"],
        s3_endpoint_url=stack_env["S3_ENDPOINT_URL"],
        s3_bucket=stack_env["S3_BUCKET"],
        s3_access_key=stack_env["AWS_ACCESS_KEY_ID"],
        s3_secret_key=stack_env["AWS_SECRET_ACCESS_KEY"],
        s3_region=stack_env["AWS_REGION"],
        media_base_url=stack_env["MEDIA_BASE_URL"],
        cursor_secret=stack_env["CURSOR_SECRET"],
        token_keys=stack_env["TOKEN_KEYS"],
        role_secrets={name: stack_env[name] for name in ROLE_VARIABLES if name in stack_env},
        api_workers=2,
    )
