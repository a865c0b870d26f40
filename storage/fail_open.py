"""Calls that may fail without failing their caller: each failure is a log line and a counter."""

import functools
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import structlog

from observing.metrics import FAIL_OPEN_TOTAL
from storage.errors import StorageUnavailableError

P = ParamSpec("P")
R = TypeVar("R")

log = structlog.get_logger()


def nothing(*_: object, **__: object) -> Any:
    """None, for a call that has no result or may have none."""


def fail_open(what: str, otherwise: Callable[..., R]) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Decorate a call whose failure must not reach its caller, who gets `otherwise(...)` instead.

    Only StorageUnavailableError fails open: any other exception is a mistake of ours. `what` is
    the label of the counter and a key of the log line.
    """

    def decorate(call: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(call)
        def call_or_fail_open(*args: P.args, **kwargs: P.kwargs) -> R:
            try:
                return call(*args, **kwargs)
            except StorageUnavailableError as error:
                FAIL_OPEN_TOTAL.labels(what=what).inc()
                log.warning("failed open", what=what, part=error.part, reason=str(error))
                return otherwise(*args, **kwargs)

        return call_or_fail_open

    return decorate
