"""Logs: one JSON object a line on stdout, for our lines and those of libraries."""

import json
import logging
import re
import sys
from typing import Any

import structlog

QUIET = ("neo4j", "botocore", "boto3", "urllib3", "s3transfer")
"""Libraries whose lines below `warning` are not logged. They log what they send: parameters of
statements, which are hashes and keys, and signed URLs."""

LEVELS = ("debug", "info", "warning", "error", "critical")

_UNSEEN = re.compile("[\x7f-\x9f\xad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")
"""Controls of a terminal beyond ASCII, ends of lines, and what hides or turns the text around it.
JSON escapes only those below a space."""


def configure(service: str, *, level: str = "info") -> None:
    """Configure this process's log: time, level, event, service and bound keys (request_id).

    Raises ValueError for an unknown level.
    """
    if level.lower() not in LEVELS:
        raise ValueError(f"LOG_LEVEL is {level!r}; it must be one of {', '.join(LEVELS)}.")
    number = logging.getLevelNamesMapping()[level.upper()]
    shared = _shared_processors(service)
    structlog.configure(
        processors=[*shared, structlog.processors.JSONRenderer(serializer=to_json)],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stdout),
        cache_logger_on_first_use=True,
    )
    _configure_libraries(formatter(service), number)


def to_json(line: Any, **options: Any) -> str:
    """The line as JSON in which everything is seen: a log is read in terminals and by tools."""
    text = json.dumps(line, ensure_ascii=False, **options)
    return _UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def formatter(service: str) -> logging.Formatter:
    """A formatter for the lines of libraries. observing/granian_log.json names this function."""
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=_shared_processors(service),
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.JSONRenderer(serializer=to_json),
        ],
    )


def _shared_processors(service: str) -> list[structlog.typing.Processor]:
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


def _configure_libraries(library_formatter: logging.Formatter, number: int) -> None:
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(library_formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(number)
    for name in QUIET:
        logging.getLogger(name).setLevel(max(number, logging.WARNING))
