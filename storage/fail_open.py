"""What may fail unnoticed by all but the operators: a log line, a counter, and on it goes."""

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import structlog

from observing.metrics import FAIL_OPEN_TOTAL
from storage.errors import StorageUnavailableError

P = ParamSpec("P")
R = TypeVar("R")

log = structlog.get_logger()


def failing_open(
    what: str, otherwise: Callable[..., R]
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Decorates a call whose failure must not reach its caller, who gets `otherwise(...)` instead.

    Only StorageUnavailableError fails open: any other exception is a mistake of ours.
    """

    def decorate(call: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(call)
        def careful(*args: P.args, **kwargs: P.kwargs) -> R:
            try:
                return call(*args, **kwargs)
            except StorageUnavailableError as error:
                FAIL_OPEN_TOTAL.labels(what=what).inc()
                log.warning("failed open", what=what, part=error.part, reason=str(error))
                return otherwise(*args, **kwargs)

        return careful

    return decorate
