"""Logs: one JSON object a line on stdout, in our words and in the libraries' alike."""

import logging
import sys
from typing import Any

import structlog

QUIET = ("neo4j.notifications", "neo4j.pool", "botocore", "boto3", "urllib3", "s3transfer")
"""Libraries whose information is noise to an operator; their warnings stay."""

LEVELS = ("debug", "info", "warning", "error", "critical")


def configure(service: str, *, level: str = "info") -> None:
    """Every log line of this process: time, level, event, service, and what is bound (request_id).

    Raises ValueError for an unknown level.
    """
    if level.lower() not in LEVELS:
        raise ValueError(f"LOG_LEVEL is {level!r}; it must be one of {', '.join(LEVELS)}.")
    number = logging.getLevelNamesMapping()[level.upper()]
    shared = _shared(service)
    structlog.configure(
        processors=[*shared, structlog.processors.JSONRenderer(ensure_ascii=False)],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stdout),
        cache_logger_on_first_use=True,
    )
    _take_in_libraries(formatter(service), number)


def formatter(service: str) -> logging.Formatter:
    """What makes the lines of libraries look like ours; observing/granian_log.json names it."""
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=_shared(service),
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
    )


def _shared(service: str) -> list[structlog.typing.Processor]:
    def add_service(
        _logger: Any, _method: str, line: structlog.typing.EventDict
    ) -> structlog.typing.EventDict:
        line.setdefault("service", service)
        return line

    return [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        add_service,
        structlog.processors.format_exc_info,
    ]


def _take_in_libraries(shape: logging.Formatter, number: int) -> None:
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(shape)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(number)
    for name in QUIET:
        logging.getLogger(name).setLevel(max(number, logging.WARNING))
