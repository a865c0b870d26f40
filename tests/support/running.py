"""Our own processes, really running: for journeys, and to kill in the middle of their work."""

import os
import signal
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from stack import LocalStack, StackSettings
from stack.parts.photofeed import WORKERS
from tests.support.eventually import eventually
from tests.support.folders import free_folder

MANY_DEATHS = 1000
"""Tests kill more often than a supervisor would put up with."""


class Running:
    """API, workers and admin app on the stores of `stack_env`, with ports of their own.

    What is killed is started again by the stack's own supervisor.
    """

    def __init__(
        self,
        stack_env: dict[str, str],
        *,
        folder: Path | None = None,
        names: Sequence[str] = ("api", *WORKERS, "admin"),
        extra: dict[str, str] | None = None,
    ) -> None:
        self._names = names
        self._stack = LocalStack(
            external_stores(stack_env, folder or free_folder("running")),
            report=self._heard,
            max_crashes=MANY_DEATHS,
        )
        self._extra = extra or {}
        self._watcher = threading.Thread(target=self._stack.supervisor.watch, daemon=True)
        self.said: list[str] = []

    def __enter__(self) -> Self:
        self._stack.lock()
        try:
            self._stack.start_stores()
            self._stack.env |= self._extra
            self._stack.start_processes(self._names)
        except BaseException:
            self._stack.stop()
            raise
        self._watcher.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.stopping.set()
        self._watcher.join()
        self._stack.stop()

    @property
    def env(self) -> dict[str, str]:
        """What the processes have been told."""
        return self._stack.env

    @property
    def url(self) -> str:
        """Where the API listens, without a slash at the end."""
        return self._stack.env["API_URL"]

    @property
    def admin_url(self) -> str:
        """Where the admin app listens."""
        return self._stack.env["ADMIN_URL"]

    def pid(self, name: str) -> int:
        """The pid of the process of that name, as it is now."""
        pid = self._stack.process(name).pid
        assert pid is not None
        return pid

    def alive(self, name: str) -> bool:
        """Whether it runs at this moment."""
        return self._stack.process(name).alive()

    def kill(self, name: str, number: signal.Signals = signal.SIGKILL) -> int:
        """Sends the signal; the pid it went to."""
        pid = self.pid(name)
        os.kill(pid, number)
        return pid

    def restarted(self, name: str, *, instead_of: int, seconds: float = 20.0) -> int:
        """Waits until another process has taken the place of `instead_of`; its pid."""

        def another() -> int | None:
            pid = self.pid(name)
            return pid if pid != instead_of and self.alive(name) else None

        pid = eventually(another, seconds=seconds)
        assert pid is not None
        return pid

    def log(self, name: str) -> str:
        """All that the process of that name has written."""
        return self._stack.process(name).log.read_text(errors="replace")

    def _heard(self, text: str) -> None:
        self.said.append(text)


def external_stores(stack_env: dict[str, str], folder: Path) -> StackSettings:
    """All stores external: those that run already."""
    return StackSettings(
        folder=folder,
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
        api_workers=2,
    )
