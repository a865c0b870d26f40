"""The running API against its document: requests that schemathesis draws, chains of them too."""

import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.fuzz.api.contract import UNLIMITED, run_schemathesis
from tests.fuzz.api.town import settle
from tests.support.supervised_stack import ALL_PROCESSES, SupervisedStack, external_stores

SECONDS = 70
"""Of one run; `make fuzz` is the long one."""
FEWEST_CASES = 200
"""Of one run on a machine that is busy with other tests."""


@pytest.fixture(scope="module")
def unlimited(stack_env: dict[str, str]) -> Iterator[SupervisedStack]:
    """Our processes, without quotas, on the stores of the other tests."""
    settings = replace(external_stores(stack_env), limits_scale=UNLIMITED)
    names = [name for name in ALL_PROCESSES if name != "admin"]
    with SupervisedStack(settings, processes=names) as stack:
        yield stack


# Security 11
@pytest.mark.timeout(400)
def test_the_api_answers_as_its_document_says(unlimited: SupervisedStack, tmp_path: Path) -> None:
    seed = random.SystemRandom().randrange(10**9)
    print(f"SEED={seed}")
    town = settle(unlimited.url)
    run = run_schemathesis(unlimited.url, town, tmp_path, seed=seed, examples=10, seconds=SECONDS)
    assert not run.problems, f"{run.text()}\n{run.problems}"
    assert run.cases >= FEWEST_CASES, run.text()
    assert all(run.count(status) for status in (200, 201, 204, 422)), run.text()
    assert "Traceback" not in unlimited.log("api")
    assert "uncaught exception" not in unlimited.log("api")
