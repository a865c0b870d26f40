"""Calls that fail open: a failure is a log line and a counter, and the caller continues."""

import functools
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import structlog

from observing.metrics import FAIL_OPEN_TOTAL
from storage.errors import StorageUnavailableError

P = ParamSpec("P")
R = TypeVar("R")

log = structlog.get_logger()


def return_none(*_: object, **__: object) -> Any:
    """None: the fallback of a call without a result, or with an optional one."""


def return_true(*_: object, **__: object) -> bool:
    """True: the fallback of a question that a failure must not answer with no."""
    return True


def fail_open(what: str, fallback: Callable[..., R]) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Decorates a call that fails open: after a failure it returns `fallback(...)`.

    Only StorageUnavailableError fails open; any other exception is a bug. `what` is the counter's
    label and a key of the log line.
    """

    def decorate(call: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(call)
        def call_or_fail_open(*args: P.args, **kwargs: P.kwargs) -> R:
            try:
                return call(*args, **kwargs)
            except StorageUnavailableError as error:
                FAIL_OPEN_TOTAL.labels(what=what).inc()
                log.warning("failed open", what=what, part=error.part, reason=str(error))
                return fallback(*args, **kwargs)

        return call_or_fail_open

    return decorate
