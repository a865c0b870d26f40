"""How many examples a property gets: few in a test run, many by `make fuzz`, from one seed."""

import os
import random
from collections.abc import Callable
from typing import Any, TypeVar

from hypothesis import HealthCheck, seed, settings

SEED = int(os.environ.get("FUZZ_SEED") or random.SystemRandom().randrange(10**9))
"""Drawn anew in every run; a failing test prints it."""
SCALE = int(os.environ.get("FUZZ_SCALE") or 1)
"""What `make fuzz` multiplies the examples by."""

Test = TypeVar("Test", bound=Callable[..., Any])


def fuzzed(examples: int) -> Callable[[Test], Test]:
    """Decorates a test of a property: so many examples, drawn from the seed."""
    bounded = settings(
        max_examples=examples * SCALE,
        deadline=None,  # the machine can be busy
        database=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )

    def decorate(test: Test) -> Test:
        print(f"FUZZ_SEED={SEED}")
        seeded: Test = seed(SEED)(bounded(test))
        return seeded

    return decorate
