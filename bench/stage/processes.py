"""Our own processes, run by the stack's supervisor on the stores of a stage."""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from api.app import ApiSettings
from api.settings import split_keys
from bench.stage.cores import process_tree
from stack import LocalStack, StackSettings
from stack.roles import ROLE_VARIABLES

WORKERS = ("fanout", "fanout-large", "timelines", "removal", "sweeper")
"""The workers that the rows' writes wake."""

STOP_SECONDS = 30
MAX_CRASHES = 3


class Processes:
    """API and workers. They use the running stores of `env` and start none."""

    def __init__(
        self,
        names: Sequence[str],
        *,
        env: Mapping[str, str],
        folder: Path,
        api_workers: int,
        variables: Mapping[str, str],
    ) -> None:
        """`variables`: settings of the product beside those of the stores."""
        self.names = tuple(names)
        self.api_workers = api_workers
        self.variables = dict(variables)
        self._stack = LocalStack(
            _settings(env, folder, api_workers),
            report=lambda _text: None,
            max_crashes=MAX_CRASHES,
        )
        self._watcher = threading.Thread(target=self._stack.supervisor.watch, daemon=True)

    def start(self) -> None:
        """Start the processes and return when they are ready. Raises StackError."""
        self._stack.lock()
        try:
            self._stack.start_stores()
            self._stack.env.update(self.variables)
            self._stack.start_processes(self.names)
        except BaseException:
            self._stack.stop()
            raise
        self._watcher.start()

    def stop(self) -> None:
        """Stop the processes."""
        self._stack.stopping.set()
        if self._watcher.is_alive():
            self._watcher.join(timeout=STOP_SECONDS)
        self._stack.stop()

    @property
    def env(self) -> dict[str, str]:
        """The environment of the processes."""
        return self._stack.env

    @property
    def url(self) -> str:
        """The API's URL."""
        return self._stack.env["API_URL"]

    def pids(self, name: str) -> list[int]:
        """The pids of a process and of its descendants."""
        return process_tree(self._stack.process(name).pid)


def api_settings(env: Mapping[str, str]) -> ApiSettings:
    """The settings of an API with this environment."""
    return ApiSettings(
        cursor_secret=env["CURSOR_SECRET"],
        token_keys=split_keys(env["TOKEN_KEYS"]),
        limits_scale=float(env["LIMITS_SCALE"]),
    )


def _settings(env: Mapping[str, str], folder: Path, api_workers: int) -> StackSettings:
    """A stack's settings with all stores external."""
    return replace(
        StackSettings(folder=folder),
        neo4j_uri=env["NEO4J_URI"],
        neo4j_user=env["NEO4J_USER"],
        neo4j_password=env["NEO4J_PASSWORD"],
        neo4j_database=env["NEO4J_DATABASE"],
        queue_redis_url=env["QUEUE_REDIS_URL"],
        cache_redis_url=env["CACHE_REDIS_URL"],
        s3_endpoint_url=env["S3_ENDPOINT_URL"],
        s3_bucket=env["S3_BUCKET"],
        s3_access_key=env["AWS_ACCESS_KEY_ID"],
        s3_secret_key=env["AWS_SECRET_ACCESS_KEY"],
        s3_region=env["AWS_REGION"],
        media_base_url=env["MEDIA_BASE_URL"],
        cursor_secret=env["CURSOR_SECRET"],
        token_keys=env["TOKEN_KEYS"],
        role_secrets={name: env[name] for name in ROLE_VARIABLES if name in env},
        limits_scale=env["LIMITS_SCALE"],
        api_workers=api_workers,
    )
