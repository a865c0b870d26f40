"""The running API against its document: requests that schemathesis draws, chains of them too."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.fuzz.api.contract import UNLIMITED, run_schemathesis
from tests.fuzz.api.town import TownIds, settle
from tests.support.supervised_stack import ALL_PROCESSES, SupervisedStack, external_stores

SEED = 7
"""The same each time; `make fuzz` draws one, and runs for longer."""
SECONDS = 30
"""Of each phase."""
FEWEST_CASES = 20
"""Of a phase on a machine that is busy with other tests."""


@pytest.fixture(scope="module")
def unlimited(stack_env: dict[str, str]) -> Iterator[SupervisedStack]:
    """Our processes, without quotas, on the stores of the other tests."""
    settings = replace(external_stores(stack_env), limits_scale=UNLIMITED)
    names = [name for name in ALL_PROCESSES if name != "admin"]
    with SupervisedStack(settings, processes=names) as stack:
        yield stack


@pytest.fixture(scope="module")
def town(unlimited: SupervisedStack) -> TownIds:
    return settle(unlimited.url)


# Security 11
@pytest.mark.timeout(300)
@pytest.mark.parametrize("phases", ["examples,coverage", "fuzzing", "stateful"])
def test_the_api_answers_as_its_document_says(
    unlimited: SupervisedStack, town: TownIds, tmp_path: Path, phases: str
) -> None:
    run = run_schemathesis(
        unlimited.url, town, tmp_path, seed=SEED, examples=20, seconds=SECONDS, phases=phases
    )
    assert not run.problems, f"{run.text()}\n{run.problems}"
    assert run.cases >= FEWEST_CASES, run.text()
    assert run.count(200), run.text()
    assert "Traceback" not in unlimited.log("api")
    assert "uncaught exception" not in unlimited.log("api")
