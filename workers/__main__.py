"""`python -m workers QUEUE | sweeper | notifier`: one worker process.

A worker serves one queue. With two queues, RQ would lose a job for good if it was killed just after
it had taken the job. The supervisor restarts a worker that ends. After SIGTERM a worker finishes
its job and ends.
"""

import importlib
import logging
import re
import signal
import sys
import threading
import uuid
from collections.abc import Callable, Mapping
from typing import Any

import redis
import structlog
from environs import Env, EnvValidationError, validate
from redis.backoff import NoBackoff
from redis.retry import Retry
from rq import SimpleWorker
from rq.exceptions import InvalidJobOperation, NoSuchJobError
from rq.serializers import JSONSerializer
from rq.timeouts import JobTimeoutException

from graph import schema
from graph.errors import GraphError, GraphUnavailableError
from graph.event_kinds import PHOTOS, QUEUES
from observing import logs
from observing.metrics import JOBS_REFUSED
from storage.bell_jobs import JOB_FUNCTION, BellJob, BellQueue, refusal_of
from workers import stores
from workers.sweeper import Sweeper
from workers.watchdog import Watchdog

log = structlog.get_logger()

WORKER_NAMES = [*sorted(QUEUES), "sweeper", "notifier"]

WORKER_TTL_SECONDS = 30
"""RQ blocks for 15 s less than this when it waits for a job. The time also bounds how long a dead
connection stays undetected."""

HANG_SECONDS = 90.0
"""Limit of the watchdog: longer than RQ's 60 s for a job and than any round of the sweeper."""

EXIT_STORE, EXIT_USAGE = 1, 2
"""Exit statuses: the queue's Redis is unavailable; wrong arguments or settings."""

REQUIRED, BEST_EFFORT = SANDBOXES = ("required", "best-effort")
"""Whether the worker of photos starts where the kernel takes no filter of system calls."""


class Worker(SimpleWorker):
    """RQ's worker in one process."""

    queue_class = BellQueue
    max_connection_wait_time = 5.0
    """Longest pause between reconnects to the queue, in seconds. RQ's default is 60."""

    watchdog: Watchdog

    def execute_job(self, job: Any, queue: Any) -> None:
        """Run the job; the watchdog limits its time. Drop a job that is not one of ours."""
        if reason := refusal_of(job):
            self._refuse(job, queue, reason)
            return
        job.origin = queue.name  # RQ removes the id from what is taken from this queue
        with self.watchdog.step():
            super().execute_job(job, queue)

    def _refuse(self, job: Any, queue: Any, reason: str) -> None:
        """Delete the job without a look at what it asks for."""
        JOBS_REFUSED.labels(reason=reason).inc()
        log.error("job refused", reason=reason, job_id=job.id, queue=queue.name)
        with self.connection.pipeline() as pipeline:
            pipeline.lrem(queue.intermediate_queue_key, 0, job.id)
            pipeline.delete(job.key)
            pipeline.execute()

    def handle_exception(self, job: Any, *exc_info: Any) -> None:
        """Log an exception of a job. Expected ones get one line without a trace.

        These are a lost queue or job, and RQ's time-out while the job released its event; the lease
        then expires instead.
        """
        if isinstance(exc_info[1], JobTimeoutException):
            log.warning("job out of time", job_id=job.id)
            return
        if _is_queue_failure(exc_info[1]):
            log.warning("queue away at a job's end", job_id=job.id, error=str(exc_info[1]))
            return
        super().handle_exception(job, *exc_info)


def _is_queue_failure(error: BaseException) -> bool:
    """Whether RQ failed as the queue, the job or the record of its execution was gone."""
    if isinstance(error, ValueError):  # RQ's error for the record; our jobs raise no ValueError
        return bool(re.fullmatch(r"Execution \S+ not found in Redis", str(error)))
    return isinstance(error, redis.RedisError | InvalidJobOperation | NoSuchJobError)


class RedisTraceFilter(logging.Filter):
    """Removes the trace from RQ's log lines about an unavailable queue."""

    def filter(self, record: logging.LogRecord) -> bool:
        """True: the line itself is logged."""
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, redis.RedisError):
            record.msg, record.args = f"{record.getMessage()} ({error})", None
            record.exc_info = None
        return True


def main(arguments: list[str]) -> int:
    """Run one worker, the sweeper or the notifier until SIGTERM; returns the exit status."""
    if len(arguments) != 1 or arguments[0] not in WORKER_NAMES:
        given = f"There is no worker {arguments[0]!r}." if arguments else "Name the worker to run."
        return _refuse(f"{given} It is one of: {', '.join(WORKER_NAMES)}.")
    name = arguments[0]
    env = Env(eager=False)
    settings = stores.Settings.from_env(env)
    run_notifier = _load_notifier(env) if name == "notifier" else None
    level = env.str("LOG_LEVEL", "info")
    sandbox = env.str("DECODING_SANDBOX", REQUIRED, validate=validate.OneOf(SANDBOXES))
    try:
        env.seal()
        logs.configure(f"worker-{name}" if name in QUEUES else name, level=level)
        if name == PHOTOS:
            _require_sandbox(sandbox)
    except EnvValidationError as error:
        return _refuse(f"The settings are not complete: {_settings_problems(error)}.")
    except ValueError as error:
        return _refuse(str(error))
    stores.configure(settings)
    try:
        if name == "sweeper":
            return _run_sweeper()
        if run_notifier:
            run_notifier()
            return 0
        return _run_worker(name, settings.storage.queue_url)
    finally:
        stores.close()


def _require_sandbox(sandbox: str) -> None:
    """Raises ValueError if pictures cannot be decoded as the setting demands."""
    decoding = importlib.import_module("workers.photos.decoding")
    errors = importlib.import_module("workers.photos.errors")
    try:
        decoding.require_sandbox(required=sandbox == REQUIRED)
    except errors.NoSandboxError as error:
        reason = f"Pictures cannot be decoded in a sandbox: {error}."
        advice = (
            f"DECODING_SANDBOX={BEST_EFFORT} decodes them within limits of memory and time alone."
        )
        raise ValueError(f"{reason} {advice}") from error


def _run_worker(queue: str, queue_url: str) -> int:
    """Run the jobs of one queue; 0 after SIGTERM, 1 if the queue's Redis is unavailable."""
    # RQ blocks on this client for 15 s at a time, longer than the time-outs of storage's client.
    connection = redis.Redis.from_url(
        queue_url, socket_connect_timeout=2, retry=Retry(NoBackoff(), 0), health_check_interval=10
    )
    try:
        worker = Worker(
            [queue],
            name=f"{queue}-{uuid.uuid4().hex[:12]}",  # RQ blocks a dead worker's name for minutes
            connection=connection,
            serializer=JSONSerializer,
            job_class=BellJob,
            worker_ttl=WORKER_TTL_SECONDS,
            maintenance_interval=30,
            log_job_description=False,
        )
        worker.watchdog = Watchdog(HANG_SECONDS)
        worker.log.addFilter(RedisTraceFilter())
        _warm_up()
        log.info("worker ready", queue=queue)
        worker.work(with_scheduler=False, logging_level="WARNING")  # outbox.py logs each job
    except redis.RedisError as error:
        log.error("queue away", queue=queue, error=str(error))  # noqa: TRY400 - no trace needed
        return EXIT_STORE
    # RQ's public property reads the stop request from Redis, which may be unavailable.
    return 0 if worker._shutdown_requested_date else EXIT_STORE  # noqa: SLF001


def _warm_up() -> None:
    """Connect to the stores and import the job's modules before the first job.

    The import also ensures that this process never loads files of a newer version. An unavailable
    graph is only logged, as each job handles it.
    """
    importlib.import_module(JOB_FUNCTION.rpartition(".")[0])
    try:
        stores.graph().ping()
    except GraphUnavailableError as error:
        log.warning("graph away", error=str(error))
    stores.storage()


def _run_sweeper() -> int:
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    threading.Thread(target=_warm_graph, name="warming", daemon=True).start()
    log.info("sweeper ready")
    Sweeper(stores.graph(), stores.storage()).run(stop, Watchdog(HANG_SECONDS))
    return 0


def _load_notifier(env: Env) -> Callable[[], None]:
    """Read the notifier's settings; returns what runs it. Loads modules that no other worker needs.

    `env.seal()` raises the errors of the settings.
    """
    process = importlib.import_module("workers.notices.process")
    settings = process.NotifierSettings.from_env(env)
    return lambda: process.run(stores.graph(), stores.storage(), settings)


def _warm_graph() -> None:
    """Warm the graph's caches, so that the first requests after a start are not slow."""
    try:
        schema.warm(stores.graph().connection)
    except GraphError as error:
        log.warning("graph not warmed", error=str(error))


def _refuse(reason: str) -> int:
    print(reason, file=sys.stderr)
    return EXIT_USAGE


def _settings_problems(error: EnvValidationError) -> str:
    problems = error.error_messages
    if not isinstance(problems, Mapping):
        return "; ".join(problems)
    return "; ".join(
        f"{name} ({', '.join(reasons).rstrip('.')})" for name, reasons in problems.items()
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
