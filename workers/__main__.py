"""`python -m workers photos|fanout|fanout-large|timelines|removal|sweeper`: one process, one duty.

A worker serves one queue: of two, a job taken at a kill would be lost for good. Whoever started it
starts it again when it ends; SIGTERM lets it finish its job first.
"""

import importlib
import logging
import re
import signal
import sys
import threading
import uuid
from collections.abc import Mapping
from typing import Any

import redis
import structlog
from environs import Env, EnvValidationError
from redis.backoff import NoBackoff
from redis.retry import Retry
from rq import SimpleWorker
from rq.exceptions import InvalidJobOperation, NoSuchJobError
from rq.serializers import JSONSerializer
from rq.timeouts import JobTimeoutException

from graph import schema
from graph.errors import GraphError, GraphUnavailableError
from graph.event_kinds import QUEUES
from observing import logs
from storage.queues import JOB
from workers import stores
from workers.sweeper import Sweeper
from workers.watchdog import Watchdog

log = structlog.get_logger()

NAMES = [*QUEUES, "sweeper"]

WORKER_TTL_SECONDS = 30
"""Bounds the worker's blocking read (15 s less) and how long a dead connection goes unnoticed."""

HANG_SECONDS = 90.0
"""Longer than RQ's 60 s for a job, and than a sweeper's round ever takes."""

EXIT_STORE, EXIT_USAGE = 1, 2


class Worker(SimpleWorker):
    """RQ's worker in one process, with the request's id bound to every line a job logs."""

    # Told to stop is known from `_shutdown_requested_date`: the public property asks Redis.
    max_connection_wait_time = 5.0  # of a queue that comes back; RQ's minute is two sweeps' worth

    watchdog: Watchdog

    def execute_job(self, job: Any, queue: Any) -> None:
        """Run the job under the id of the request that rang for it."""
        request_id = (job.meta or {}).get("request_id")
        with structlog.contextvars.bound_contextvars(request_id=request_id), self.watchdog.step():
            super().execute_job(job, queue)

    def handle_exception(self, job: Any, *exc_info: Any) -> None:
        """Log what a job raised; in a line where the queue or the job itself went away.

        And where RQ's time-out came while the job gave its event back: the lease runs out instead.
        """
        if isinstance(exc_info[1], JobTimeoutException):
            log.warning("job out of time", job_id=job.id)
            return
        if _is_lost(exc_info[1]):
            log.warning("queue away at a job's end", job_id=job.id, error=str(exc_info[1]))
            return
        super().handle_exception(job, *exc_info)


def _is_lost(error: BaseException) -> bool:
    """Whether RQ met a queue, a job or its record of the job's run that had gone away."""
    if isinstance(error, ValueError):  # its own word for the record; a job of ours raises none
        return bool(re.fullmatch(r"Execution \S+ not found in Redis", str(error)))
    return isinstance(error, redis.RedisError | InvalidJobOperation | NoSuchJobError)


class QueueAway(logging.Filter):
    """Takes the trace off a line that says the queue is away: where RQ met that is of no use."""

    def filter(self, record: logging.LogRecord) -> bool:
        """True: the line itself stays."""
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, redis.RedisError):
            record.msg, record.args = f"{record.getMessage()} ({error})", None
            record.exc_info = None
        return True


def main(arguments: list[str]) -> int:
    """Do one duty until told to stop; the exit status."""
    if len(arguments) != 1 or arguments[0] not in NAMES:
        given = f"There is no worker {arguments[0]!r}." if arguments else "Name the worker to run."
        return _refuse(f"{given} It is one of: {', '.join(NAMES)}.")
    name = arguments[0]
    env = Env(eager=False)
    settings = stores.Settings.from_env(env)
    level = env.str("LOG_LEVEL", "info")
    try:
        env.seal()
        logs.configure(f"worker-{name}" if name != "sweeper" else name, level=level)
    except EnvValidationError as error:
        return _refuse(f"The settings are not complete: {_sentence(error)}.")
    except ValueError as error:
        return _refuse(str(error))
    stores.use(settings)
    try:
        return _sweep() if name == "sweeper" else _serve(name, settings.storage.queue_url)
    finally:
        stores.close()


def _serve(queue: str, queue_url: str) -> int:
    """Take jobs from one queue; 0 when told to stop, 1 when the queue's Redis went away."""
    connection = redis.Redis.from_url(
        queue_url, socket_connect_timeout=2, retry=Retry(NoBackoff(), 0), health_check_interval=10
    )
    try:
        worker = Worker(
            [queue],
            name=f"{queue}-{uuid.uuid4().hex[:12]}",  # a dead worker's name is refused for minutes
            connection=connection,
            serializer=JSONSerializer,
            worker_ttl=WORKER_TTL_SECONDS,
            maintenance_interval=30,
            log_job_description=False,
        )
        worker.watchdog = Watchdog(HANG_SECONDS)
        worker.log.addFilter(QueueAway())
        _warm_up()
        log.info("worker ready", queue=queue)
        worker.work(with_scheduler=False, logging_level="WARNING")  # a job's line is ours
    except redis.RedisError as error:
        log.error("queue away", queue=queue, error=str(error))  # noqa: TRY400 - no trace needed
        return EXIT_STORE
    return 0 if worker._shutdown_requested_date else EXIT_STORE  # noqa: SLF001 - see Worker


def _warm_up() -> None:
    """Connect and import now, so that the first job need not.

    A graph that is away is met there again; a newer version's files, under this process, are not.
    """
    importlib.import_module(JOB.rpartition(".")[0])
    try:
        stores.graph().ping()
    except GraphUnavailableError as error:
        log.warning("graph away", error=str(error))
    stores.storage()


def _sweep() -> int:
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    threading.Thread(target=_warm_graph, name="warming", daemon=True).start()
    log.info("sweeper ready")
    Sweeper(stores.graph(), stores.storage()).run(stop, Watchdog(HANG_SECONDS))
    return 0


def _warm_graph() -> None:
    """After a start of everything, so that the first people need not wait for it."""
    try:
        schema.warm(stores.graph().connection)
    except GraphError as error:
        log.warning("graph not warmed", error=str(error))


def _refuse(sentence: str) -> int:
    print(sentence, file=sys.stderr)
    return EXIT_USAGE


def _sentence(error: EnvValidationError) -> str:
    problems = error.error_messages
    if not isinstance(problems, Mapping):
        return "; ".join(problems)
    return "; ".join(
        f"{name} ({', '.join(reasons).rstrip('.')})" for name, reasons in problems.items()
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
