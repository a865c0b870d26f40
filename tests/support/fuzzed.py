"""How many examples a property gets: few in a test run, many by `make fuzz`, from one seed."""

import os
import random
from collections.abc import Callable
from typing import Any, TypeVar

from hypothesis import HealthCheck, seed, settings

FIXED_SEED = 7
"""Of a test run, which shows that what was found once stays mended. `make fuzz` looks for more."""
SCALE = int(os.environ.get("FUZZ_SCALE") or 1)
"""What `make fuzz` multiplies the examples by."""


def _seed() -> int:
    if text := os.environ.get("FUZZ_SEED"):
        return int(text)
    return random.SystemRandom().randrange(10**9) if SCALE > 1 else FIXED_SEED


SEED = _seed()
"""Drawn anew by each `make fuzz`; a failing test prints it."""

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
