"""A part of the drill of the alerts: a calm time, then one store that is away."""

import random
import shutil
from dataclasses import replace

import pytest

from drill.alerts.__main__ import run
from drill.alerts.phases import PHASES
from tests.support.folders import free_folder

CALM_SECONDS = 20.0

pytestmark = pytest.mark.timeout(600)


def test_an_alert_fires_while_a_store_is_away_and_at_no_other_time() -> None:
    if shutil.which("prometheus") is None:
        pytest.skip("This test needs prometheus (apt-get install prometheus). CI installs it.")
    seed = random.SystemRandom().randrange(10**9)
    print(f"SEED={seed}")
    calm, [away] = PHASES[0], [phase for phase in PHASES if phase.name == "S3 is away"]
    assert run(free_folder("alerts"), [replace(calm, seconds=CALM_SECONDS), away], seed) == []
