"""What may fail unnoticed by all but the operators: a log line, a counter, and on it goes."""

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import structlog
from prometheus_client import Counter

from storage.errors import StorageUnavailableError

P = ParamSpec("P")
R = TypeVar("R")

FAIL_OPEN_TOTAL = Counter(
    "photofeed_fail_open_total", "Calls that failed without failing their caller", ["what"]
)

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
